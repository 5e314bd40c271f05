"""What a few steps move in networks of growing width, by layer and optimiser: powers of the width.

python benchmarks/movement.py [--depth 3] [--widths 64 256 1024] [--optimizers Adam Muon]

With the optimiser's own step multipliers all powers are 0 up to what narrow networks add.
"""

from __future__ import annotations

import argparse

import numpy as np

from ntklib.dynamics import (
    USAM,
    Adam,
    GradientDescent,
    Momentum,
    Muon,
    Optimizer,
    Recording,
    SignDescent,
    train,
)
from ntklib.networks import MLP

STEPS = 3
RNG = np.random.default_rng(0)
X = RNG.normal(size=(12, 4))
Y = np.sin(X[:, 0]) + X[:, 1] + 1
OPTIMIZERS: dict[str, Optimizer] = {
    "GradientDescent": GradientDescent(0.02),
    "Momentum": Momentum(0.01, 0.5),
    "USAM": USAM(0.02, rho=0.01),
    "Adam": Adam(0.1, epsilon=1.0),
    "SignDescent": SignDescent(0.05),
    "SignDescent, not normalised": SignDescent(0.01, normalized=False),
    "Muon": Muon(0.1),
    "Muon, not normalised": Muon(0.01, normalized=False),
}


def passes(net: MLP, params: object) -> tuple[list, list, list]:
    """Inputs, outputs and forward multipliers of each layer of the first copy."""
    multipliers = [(s.weight, s.bias) for s in net.spec.scalings(X.shape[1])]
    inputs, outputs = [X], []
    for layer, (c, b) in enumerate(multipliers):
        outputs.append(c * inputs[-1] @ params[f"W{layer}"].T + b * params[f"b{layer}"])
        inputs.append(np.tanh(outputs[-1]))
    return inputs, outputs, multipliers


def movement(optimizer: Optimizer, width: int, depth: int, name: str, seed: int) -> dict[str, float]:
    """Root mean squares of what the steps change."""
    net = MLP((width,) * depth, activation="tanh", parameterization=name, bias_std=0.5, symmetric=True)
    start = net.init(X.shape[1], seed, dtype=np.float32)
    options = {"steps": STEPS, "record": Recording(every=STEPS, gradient_norms=False)}
    history = train(net, X, Y, params=start, optimizer=optimizer, **options)
    end, found = history.params, {"output": history.outputs[-1] - history.outputs[0]}
    (_, before, _), (inputs, after, multipliers) = passes(net, start), passes(net, end)
    for layer, (c, b) in enumerate(multipliers):
        found[f"layer {layer}"] = after[layer] - before[layer]
        found[f"weights {layer}"] = c * inputs[layer] @ (end[f"W{layer}"] - start[f"W{layer}"]).T
        found[f"biases {layer}"] = b * (end[f"b{layer}"] - start[f"b{layer}"])
    return {key: float(np.sqrt(np.mean(np.square(value, dtype=float)))) for key, value in found.items()}


def main() -> None:
    """Print the power farthest from 0 of the layers, of their weights and biases, and of the output."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--widths", type=int, nargs="+", default=[64, 256, 1024, 4096])
    parser.add_argument("--depth", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=3, help="at the largest widths; more at small ones")
    parser.add_argument("--optimizers", nargs="+", choices=OPTIMIZERS, default=list(OPTIMIZERS))
    arguments = parser.parse_args()
    x = np.log(arguments.widths)
    x = (x - x.mean()) / np.sum((x - x.mean()) ** 2)
    kinds = ("layer", "weights", "biases", "output")
    print(f"{'':<40}" + "".join(f"{kind:>18}" for kind in kinds))
    for label in arguments.optimizers:
        for name in ("mup", "mean_field"):
            runs = []
            for width in arguments.widths:
                seeds = max(arguments.seeds, 1024 // width)
                run = [movement(OPTIMIZERS[label], width, arguments.depth, name, s) for s in range(seeds)]
                runs.append(run)
            powers: dict[str, tuple[float, float]] = {}
            for key in runs[0][0]:
                logs = [np.log([one[key] for one in run]) for run in runs]
                errors = np.array([row.std(ddof=1) / np.sqrt(len(row)) for row in logs])
                power = float(x @ [row.mean() for row in logs]), float(np.sqrt(np.sum((x * errors) ** 2)))
                kind = key.split()[0]
                powers[kind] = max(powers.get(kind, (0.0, 0.0)), power, key=lambda pair: abs(pair[0]))
            cells = "".join(f"{powers[k][0]:>10.3f} +- {powers[k][1]:.3f}" for k in kinds)
            print(f"{label + ', ' + name:<40}{cells}", flush=True)


if __name__ == "__main__":
    main()
