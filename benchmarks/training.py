"""A full-batch step of a two-layer net: against its bare matrix products, and against peers, in one run.

    python benchmarks/training.py [--n 1797] [--d 64] [--width 4096] [--threads 2] [--repeats 30] [--cpu]

The floor of a step is X W^T, the two products of a matrix and a vector, and B^T X, by NumPy's BLAS into
arrays that exist.  All train the same regression net in float32 with gradient descent on the squared error:
ours by `train`, PyTorch by autograd and SGD with the same threads, scikit-learn's MLPRegressor by calls of
partial_fit (it has biases, and computes the loss, as ours does).  Actions take turns, round after round,
with a pause between them, and medians are compared; ours is the difference of a long and a short run, over
the steps that the long one has more.  ``--cpu`` compares processor time on one thread, which other work on
the machine disturbs less.
"""

from __future__ import annotations

import argparse
import resource
import time
import warnings
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
from timing import restart_with_kept_pages

import ntklib
from ntklib.dynamics import GradientDescent, train
from ntklib.networks import TwoLayerNet

STEPS = 5  # of an action
PAUSE = 0.3  # seconds, in which the idle threads of the library timed before stop spinning


def floor(X: np.ndarray, W: np.ndarray, v: np.ndarray, c: np.ndarray) -> Callable[[], None]:
    """The products of one step."""
    Z, f, g, G = X @ W.T, np.empty_like(c), np.empty_like(v), np.empty_like(W)

    def products() -> None:
        np.matmul(X, W.T, out=Z)
        np.matmul(Z, v, out=f)
        np.matmul(c, Z, out=g)
        np.matmul(Z.T, X, out=G)

    return products


def ours(X: np.ndarray, y: np.ndarray, width: int) -> Callable[[], float]:
    """Seconds of a step, steps of `train` that are recorded only at the start and at the end left out."""
    net = TwoLayerNet(width)
    params = net.init(X.shape[1], 0, dtype=X.dtype)
    rate = GradientDescent(1e-6)

    def run(steps: int) -> float:
        clock = time.process_time if ntklib.get_threads() == 1 else time.perf_counter
        start = clock()
        train(net, X, y, params=params, optimizer=rate, steps=steps, record=10**9)
        return clock() - start

    return lambda: (run(3 * STEPS) - run(STEPS)) / (2 * STEPS)


def torch_step(X: np.ndarray, y: np.ndarray, width: int) -> Callable[[], None]:
    """A step of PyTorch."""
    import torch

    torch.set_num_threads(ntklib.get_threads())
    net = torch.nn.Sequential(
        torch.nn.Linear(X.shape[1], width, bias=False), torch.nn.ReLU(), torch.nn.Linear(width, 1, bias=False)
    )
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-6)
    rows, targets = torch.from_numpy(X), torch.from_numpy(y)

    def step() -> None:
        optimizer.zero_grad()
        loss = 0.5 * ((net(rows)[:, 0] - targets) ** 2).sum()
        loss.backward()
        optimizer.step()

    return step


def sklearn_step(X: np.ndarray, y: np.ndarray, width: int) -> Callable[[], None]:
    """A step of scikit-learn."""
    from sklearn.neural_network import MLPRegressor

    net = MLPRegressor(
        hidden_layer_sizes=(width,),
        solver="sgd",
        batch_size=len(X),
        alpha=0.0,
        learning_rate_init=1e-6,
        momentum=0.0,
    )
    return lambda: net.partial_fit(X, y)


def timed(action: Callable[[], Any]) -> float:
    """Seconds of one call, the same call before it not counted."""
    action()
    clock = time.process_time if ntklib.get_threads() == 1 else time.perf_counter
    start = clock()
    for _ in range(STEPS):
        action()
    return (clock() - start) / STEPS


def compare(n: int, d: int, width: int, repeats: int) -> None:
    """Print the table."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((n, d)).astype(np.float32), rng.standard_normal(n).astype(np.float32)
    W, v = rng.standard_normal((width, d)).astype(np.float32), rng.standard_normal(width).astype(np.float32)
    products = floor(X, W, v, y)
    actions: dict[str, Callable[[], float]] = {"floor": lambda: timed(products), "ours": ours(X, y, width)}
    for name, make in (("PyTorch", torch_step), ("scikit-learn", sklearn_step)):
        try:
            step = make(X, y, width)
        except ImportError as error:
            print(f"{name} is missing: {error}")
            continue
        actions[name] = lambda step=step: timed(step)
    times: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(repeats):
        for name, action in actions.items():
            time.sleep(PAUSE)
            times[name].append(action())
    kind = "processor time, one thread" if ntklib.get_threads() == 1 else f"{ntklib.get_threads()} threads"
    print(f"\na step of a two-layer ReLU net, n = {n:,}, d = {d}, width {width:,}, float32, {kind}")
    base = median(times["floor"]), min(times["floor"])
    for name, found in times.items():
        ratios = f"{median(found) / base[0]:5.2f} x floor, best {min(found) / base[1]:5.2f}"
        print(f"  {name:>13} {1e3 * median(found):8.2f} ms, best {1e3 * min(found):8.2f} ms: {ratios}")


def wide(n: int, d: int, width: int) -> None:
    """Time and memory of a very wide net."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((n, d)).astype(np.float32), rng.standard_normal(n).astype(np.float32)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    net = TwoLayerNet(width)
    history = train(net, X, y, learning_rate=1e-6, steps=3, record=10)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    size = 4 * net.n_params(d) / 2**20
    print(f"\nwidth {width:,}: {history.seconds:.2f} s for 3 steps and 2 records; parameters {size:.0f} MiB,")
    print(f"  peak memory {peak / 2**10:,.0f} MiB, {(peak - before) / 2**10:,.0f} MiB above that before")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (
        ("n", 1797),
        ("d", 64),
        ("width", 4096),
        ("threads", 2),
        ("repeats", 30),
        ("wide", 100_000),
    ):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--cpu", action="store_true", help="processor time on one thread")
    options = parser.parse_args()
    restart_with_kept_pages()
    warnings.filterwarnings("ignore", category=UserWarning)
    with ntklib.set_threads(1 if options.cpu else options.threads):
        compare(options.n, options.d, options.width, options.repeats)
        wide(options.n, options.d, options.wide)


if __name__ == "__main__":
    main()
