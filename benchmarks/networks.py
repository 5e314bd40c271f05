"""Empirical tangent kernels against their floor and against peers, as ratios measured in one run.

    python benchmarks/networks.py [--n 2000] [--width 4096] [--repeats 5] [--threads 2] [--part NAME ...]

The floor of a kernel is its bare products: syrk of every feature matrix and the forward (and, for deep
networks, backward) products, into arrays that exist.  Actions are timed in turn, round after round, and
medians are compared.  The script starts itself again with the allocator keeping its pages (GLIBC_TUNABLES),
since fresh memory is slow to touch on virtual machines.
"""

from __future__ import annotations

import argparse
import resource
from functools import partial

import numpy as np
from network_peers import peers, plain_numpy
from scipy.linalg import blas
from timing import Actions, medians, processor_times, restart_with_kept_pages

import ntklib
from ntklib._core.blocks import row_blocks, tiles
from ntklib._core.threads import parallel_for
from ntklib.networks import MLP, TwoLayerNet
from ntklib.networks.derivatives.loops import pack_bits
from ntklib.networks.tangent._features import Bits

FLOATS = (np.float64, np.float32)


def rows(n: int, d: int, dtype: type) -> np.ndarray:
    """Gaussian rows."""
    return np.random.default_rng(0).standard_normal((n, d)).astype(dtype)


def syrk(A: np.ndarray, out: np.ndarray) -> None:
    """One triangle of A A^T, by BLAS."""
    function = blas.dsyrk if A.dtype == np.float64 else blas.ssyrk
    function(1.0, A.T, trans=1, c=out.T, overwrite_c=1, lower=1)


def floor_actions(X: np.ndarray, weights: list[np.ndarray]) -> Actions:
    """The bare products of a network with these weights, the output layer left out."""
    out, a = np.zeros((len(X), len(X)), X.dtype), X
    actions: Actions = {"syrk of X": partial(syrk, X, out)}
    for layer, W in enumerate(weights, start=1):
        z = np.maximum(a @ W.T, 0)
        actions[f"forward {layer}"] = partial(np.matmul, a, W.T, out=np.zeros_like(z))
        if layer > 1:
            actions[f"backward {layer}"] = partial(np.matmul, z, W, out=np.zeros_like(a))
        actions[f"syrk of H{layer}"] = partial(syrk, z, out)
        actions[f"syrk of D{layer}"] = partial(syrk, z.copy(), out)
        a = z
    return actions


def two_layer(n: int, width: int, repeats: int) -> None:
    """The kernel of a two-layer ReLU network over its floor, and plain NumPy over ours."""
    for d in (20, 784):
        for dtype in FLOATS:
            X, net = rows(n, d, dtype), TwoLayerNet(width)
            params = net.init(d, 0, dtype=dtype)
            floor = floor_actions(X, [params["W0"]])
            own = {"ours": partial(net.ntk, params, X), "plain NumPy": partial(plain_numpy, params, X)}
            times = medians(floor | own, repeats, pause=0.3)
            total, ours = sum(times[name] for name in floor), times["ours"]
            print(f"\ntwo-layer ReLU, n = {n:,}, width {width:,}, d = {d}, {np.dtype(dtype).name}")
            print(
                "  " + ", ".join(f"{name} {times[name]:.3f} s" for name in floor) + f"; floor {total:.3f} s"
            )
            print(f"  floor {total:.3f} s, ours {ours:.3f} s   / floor {ours / total:.2f};   ", end="")
            print(f"plain NumPy / ours {times['plain NumPy'] / ours:.2f}")


def deep(n: int, width: int, repeats: int) -> None:
    """Depth 3 over its own products."""
    for dtype in FLOATS:
        X, net = rows(n, 20, dtype), MLP((width,) * 3)
        params = net.init(20, 0, dtype=dtype)
        floor = floor_actions(X, [params[f"W{layer}"] for layer in range(3)])
        times = medians(floor | {"ours": partial(net.ntk, params, X)}, repeats)
        total, ours = sum(times[name] for name in floor), times["ours"]
        print(f"\ndepth 3, n = {n:,}, widths {width:,}, d = 20, {np.dtype(dtype).name}")
        print(f"  products {total:.3f} s, ours {ours:.3f} s   / products {ours / total:.2f}")


def bits(n: int, width: int, repeats: int) -> None:
    """The hidden layer's Gram by population count against the float32 product, and the gain end to end."""
    X = rows(n, 20, np.float32)
    Z = X @ TwoLayerNet(width).init(20, 0, dtype=np.float32)["W0"].T
    out = np.zeros((n, n), np.float32)
    actions: Actions = {
        "syrk": partial(syrk, (Z >= 0).astype(np.float32), out),
        "bits": partial(packed, Z, out),
    }
    for trainable in ("all", "hidden"):
        for law in ("gaussian", "rademacher"):
            net = TwoLayerNet(width, output_init=law, trainable=trainable)
            actions[f"{trainable}, {law}"] = partial(net.ntk, net.init(20, 0, dtype=np.float32), X)
    times = medians(actions, repeats, pause=0.3)
    print(f"\nbit-packed hidden-layer Gram, n = {n:,}, width {width:,}, d = 20, float32")
    print(f"  syrk {times['syrk']:.4f} s, pack and count {times['bits']:.4f} s", end="")
    print(f"   syrk / bits {times['syrk'] / times['bits']:.1f}")
    for trainable in ("all", "hidden"):
        slow, fast = times[f"{trainable}, gaussian"], times[f"{trainable}, rademacher"]
        print(
            f"  whole kernel, trainable={trainable!r}: Gaussian {slow:.3f} s, random signs {fast:.3f} s",
            end="",
        )
        print(f"   gain {slow / fast:.2f}")


def packed(Z: np.ndarray, out: np.ndarray) -> None:
    """Counts of common active neurons, one triangle of tiles, in the library's threads."""
    n, width = Z.shape
    bits = Bits(np.zeros((n, -(-width // 64)), np.uint64), (0.0, 1.0), 1.0, width)
    parallel_for(lambda part: pack_bits(Z[part], bits.words, part.start, 0), row_blocks(n, 128))

    def count(place: tuple[slice, slice]) -> None:
        mine, theirs = place
        out[place] = bits.product(mine, bits, theirs, out.dtype)

    parallel_for(count, tiles(n, n, 256, symmetric=True))


def widths(repeats: int) -> None:
    """Time for each neuron from 10^3 to 10^6."""
    X = rows(500, 20, np.float32)
    print("\ntime against width, n = 500, d = 20, float32")
    for width in (10**3, 10**4, 10**5, 10**6):
        net = TwoLayerNet(width)
        params = net.init(20, 0, dtype=np.float32)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        seconds = medians({"ours": partial(net.ntk, params, X)}, repeats)["ours"]
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**10
        print(f"  {width:9,}   {seconds:8.4f} s   {seconds / width * 1e9:6.0f} ns a neuron", end="")
        print(f"   peak memory + {grown:.0f} MiB")


def small(repeats: int) -> None:
    """Plain NumPy over ours where little is to be computed, by processor time of one thread."""
    print("\nsmall kernels, processor time of one thread")
    for n, width in ((5, 64), (50, 512), (200, 512), (500, 512)):
        for dtype in FLOATS:
            X, net = rows(n, 20, dtype), TwoLayerNet(width)
            params = net.init(20, 0, dtype=dtype)
            own = {"ours": partial(net.ntk, params, X), "plain NumPy": partial(plain_numpy, params, X)}
            with ntklib.set_threads(1):
                times = processor_times(own, 20 * repeats)
            print(f"  n = {n:3d}, width {width:3d}, d = 20, {np.dtype(dtype).name}", end="")
            print(f"   ours {times['ours'] * 1e3:.3f} ms   plain NumPy / ours", end="")
            print(f" {times['plain NumPy'] / times['ours']:.2f}")


def others(repeats: int) -> None:
    """Automatic differentiation over ours, at sizes where its Jacobians fit."""
    for n, d, width in ((500, 20, 4096), (100, 784, 4096), (500, 20, 512)):
        X, net = rows(n, d, np.float32), TwoLayerNet(width)
        params = net.init(d, 0, dtype=np.float32)
        ours = net.ntk(params, X)
        actions: Actions = {"ours": partial(net.ntk, params, X)}
        for name, kernel in peers().items():
            theirs = kernel(params, X)
            assert np.allclose(theirs, ours, rtol=1e-3, atol=1e-3 * abs(ours).max()), name
            actions[name] = partial(kernel, params, X)
        times = medians(actions, repeats)
        print(f"\npeers, n = {n:,}, width {width:,}, d = {d}, float32: ours {times['ours']:.4f} s")
        for name in list(actions)[1:]:
            print(f"  {name:52s} {times[name]:8.3f} s   / ours {times[name] / times['ours']:.1f}")


def main() -> None:
    """Run the parts asked for."""
    restart_with_kept_pages()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--n", type=int, default=2000)
    parser.add_argument("--width", type=int, default=4096)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=None)
    parts = ("two_layer", "deep", "bits", "widths", "small", "others")
    parser.add_argument("--part", nargs="*", choices=parts, default=parts)
    options = parser.parse_args()
    ntklib.set_threads(options.threads)
    print(f"threads {ntklib.get_threads()}, medians of {options.repeats}")
    if "two_layer" in options.part:
        two_layer(options.n, options.width, options.repeats)
    if "deep" in options.part:
        deep(options.n, options.width // 2, options.repeats)
    if "bits" in options.part:
        bits(options.n, options.width, options.repeats)
    if "widths" in options.part:
        widths(options.repeats)
    if "small" in options.part:
        small(options.repeats)
    if "others" in options.part:
        others(options.repeats)


if __name__ == "__main__":
    main()
