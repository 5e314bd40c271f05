"""The accuracy goals, measured: one function a goal, each returning samples of (case, error, bound).

`tests/kernels/test_accuracy.py` asserts every sample; `benchmarks/accuracy.py` writes the worst ones into
``docs/accuracy.md``.  Exact values are those of the float rows that the kernels were given (`tests.oracles`).
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mpmath import mp, mpf

from ntklib import kernels
from tests import oracle_duals, oracles, registry

EPS = {np.float64: 2.0**-52, np.float32: 2.0**-23}
RELATIVE = {np.float64: 1e-13, np.float32: 4e-6}


@dataclass(frozen=True)
class Sample:
    """One entry of a kernel: how far off, and how far off it may be."""

    case: str
    error: mpf
    bound: mpf

    @property
    def ratio(self) -> float:
        return float(self.error / self.bound) if self.error == self.error else math.inf


@dataclass(frozen=True)
class Goal:
    """A line of the table."""

    name: str
    statement: str
    measure: Callable[[], Iterator[Sample]]

    def samples(self) -> list[Sample]:
        with mp.workdps(60), np.errstate(over="ignore", under="ignore"):
            return list(self.measure())


def worst(samples: list[Sample]) -> Sample:
    return max(samples, key=lambda sample: sample.ratio)


def _error(value: Any, exact: mpf) -> mpf:
    return abs(mpf(float(value)) - exact)


def pairs(
    dtype: Any = np.float64, seed: int = 0, features: int = 5
) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Pairs of rows of size about 1 at every kind of angle."""
    rng = np.random.default_rng(seed)
    out = []
    gaps = [0.3, 1e-2, 1e-4, 1e-6, 1e-7, 1e-8, 1e-10, 1e-12]
    angles = [(g, "") for g in gaps] + [(g, "pi - ") for g in gaps] + [(t, "") for t in (1.0, 1.5707963, 2.0)]
    for gap, side in angles:
        x, y = np.linalg.qr(rng.normal(size=(features, 2)))[0].T
        z = math.cos(gap) * x + math.sin(gap) * y
        out.append((f"angle {side}{gap:g}", x, -z if side else z))
    x = rng.normal(size=features)
    nudged = x.astype(dtype)
    nudged[1] = np.nextafter(nudged[1], dtype(9))
    out += [
        ("coincident", x, x),
        ("one ulp apart", x, nudged),
        ("parallel, 2 times", x, 2 * x),
        ("parallel, 3 times", x, 3 * x),
        ("antiparallel", x, -x),
        ("antiparallel, 3 times", x, -3 * x),
        ("one ulp from antiparallel", x, -nudged),
        ("orthogonal", np.eye(features)[0], np.eye(features)[1]),
        ("far from the origin", x + 1e4, rng.normal(size=features) + 1e4),
    ]
    return [(label, np.asarray(x, dtype), np.asarray(z, dtype)) for label, x, z in out]


NORMS = {
    np.float64: [(1, 1), (1e-3, 1e3), (1e150, 1e150), (1e150, 1e-150), (1e-150, 1e-150), (1e40, 1e3)],
    np.float32: [(1, 1), (1e-3, 1e3), (1e15, 1e-15), (1e17, 1e17), (1e-17, 1e-17)],
}


def scaled_pairs(dtype: Any) -> Iterator[tuple[str, list[str], np.ndarray, np.ndarray]]:
    """All of them at norm 1, every third at other sizes: (label of the sizes, labels, X, Z)."""
    for k, (p, q) in enumerate(NORMS[dtype]):
        chosen = pairs(dtype)[k % 3 :: 3] if k else pairs(dtype)
        labels, xs, zs = zip(*chosen, strict=True)
        yield f"norms {p:g}, {q:g}", list(labels), np.array(xs) * dtype(p), np.array(zs) * dtype(q)


def _representable(value: mpf, dtype: Any) -> bool:
    info = np.finfo(dtype)
    return float(info.tiny) / float(info.eps) <= value <= float(info.max) / 100


def _two_layer(
    kernel: Callable, exact: Callable, slope: Callable, degrees: range, dtype: Any
) -> Iterator[Sample]:
    """Both a cross matrix and the matching block of a symmetric one, against exact value and slope
    in theta."""
    eps, relative = EPS[dtype], RELATIVE[dtype]
    for degree in degrees:
        for sizes, labels, X, Z in scaled_pairs(dtype):
            scales = [mp.sqrt(exact(degree, x, x) * exact(degree, z, z)) for x, z in zip(X, Z, strict=True)]
            if not all(_representable(scale, dtype) for scale in scales):
                continue
            cross = kernel(X, Z, degree).diagonal()
            stacked = kernel(np.vstack([X, Z]), None, degree).diagonal(len(X))
            for i, (x, z) in enumerate(zip(X, Z, strict=True)):
                truth = exact(degree, x, z)
                bound = relative * abs(truth) + 4 * eps * (abs(slope(degree, x, z)) + scales[i])
                for kind, value in (("cross", cross[i]), ("symmetric", stacked[i])):
                    yield Sample(f"n={degree}, {labels[i]}, {sizes}, {kind}", _error(value, truth), bound)


def kappa(dtype: Any) -> Iterator[Sample]:
    return _two_layer(
        lambda X, Y, n: kernels.arc_cosine_kernel(X, Y, degree=n),
        oracles.kappa,
        oracles.kappa_slope,
        range(7),
        dtype,
    )


def theta(dtype: Any) -> Iterator[Sample]:
    return _two_layer(
        lambda X, Y, n: kernels.ntk_kernel(X, Y, activation=kernels.RectifiedPower(n)),
        oracles.two_layer_ntk,
        oracles.two_layer_ntk_slope,
        range(7),
        dtype,
    )


def of_angle() -> Iterator[Sample]:
    gaps = np.array([0.0, 1e-12, 1e-8, 1e-4, 1e-2, 0.1, 0.3, 0.7, 1.0, 1.3, 1.57])
    angles = np.concatenate([gaps, np.pi - gaps])
    for degree in range(21):
        values, top = kernels.arc_cosine_of_angle(angles, degree=degree), oracles.arc_cosine(degree, 0)
        for angle, value in zip(angles, values, strict=True):
            truth = oracles.arc_cosine(degree, min(mpf(float(angle)), +mp.pi))
            yield Sample(f"n={degree}, theta={angle!r}", _error(value, truth), 1e-12 * top)


def of_angle_near_pi() -> Iterator[Sample]:
    angles = np.pi - np.logspace(-9, -3, 25)[1:-1]
    for degree in range(21):
        values = kernels.arc_cosine_of_angle(angles, degree=degree)
        for angle, value in zip(angles, values, strict=True):
            truth = oracles.arc_cosine(degree, float(angle))
            if truth > 1e-300:
                yield Sample(f"n={degree}, theta=pi-{np.pi - angle:.2g}", _error(value, truth), 1e-10 * truth)


def high_degrees() -> Iterator[Sample]:
    labels, xs, zs = zip(*pairs(), strict=True)
    X, Z = np.array(xs), np.array(zs)
    for degree in range(7, 21):
        cross = kernels.arc_cosine_kernel(X, Z, degree=degree).diagonal()
        for label, x, z, value in zip(labels, X, Z, cross, strict=True):
            scale = mp.sqrt(oracles.kappa(degree, x, x) * oracles.kappa(degree, z, z))
            yield Sample(f"n={degree}, {label}", _error(value, oracles.kappa(degree, x, z)), 1e-12 * scale)


ARCHITECTURES = [
    {"weight_std": math.sqrt(2)},
    {"weight_std": math.sqrt(2), "bias_std": 0.3, "input_scaling": "fan_in"},
    {"weight_std": 1.1, "bias_std": 1.0},
]


def _deep(
    X: np.ndarray,
    Z: np.ndarray,
    labels: list[str],
    duals: Any,
    options: dict[str, Any],
    depths: tuple[int, ...],
    relative: float,
    scaled: float,
) -> Iterator[Sample]:
    """NNGP and NTK of paired rows, at several depths, against the exact recursion."""
    options = dict(options)
    activation = options.pop("activation", kernels.ReLU())
    text = ", ".join(
        f"{key}={value:.3g}" if key != "input_scaling" else value for key, value in options.items()
    )

    @functools.cache
    def recursion(x: bytes, z: bytes) -> list[tuple[mpf, mpf]]:
        rows = (np.frombuffer(row, X.dtype) for row in (x, z))
        return oracles.recursion(duals, *rows, depth=max(depths), **options)

    for depth in depths:
        for which, function in enumerate((kernels.nngp_kernel, kernels.ntk_kernel)):
            cross = function(X, Z, activation=activation, depth=depth, **options)
            stacked = function(np.vstack([X, Z]), activation=activation, depth=depth, **options)
            name = (
                f"{('NNGP', 'NTK')[which]}({', '.join(filter(None, (str(activation), f'{depth=}', text)))})"
            )
            for i, (x, z) in enumerate(zip(X, Z, strict=True)):
                u, v = x.tobytes(), z.tobytes()
                truth, xx, zz = (recursion(*pair)[depth - 1][which] for pair in ((u, v), (u, u), (v, v)))
                scale = mp.sqrt(xx * zz)
                if not _representable(scale, X.dtype.type):
                    continue
                bound = relative * abs(truth) + scaled * scale
                for kind, value in (("cross", cross[i, i]), ("symmetric", stacked[i, len(X) + i])):
                    yield Sample(f"{name}, {labels[i]}, {kind}", _error(value, truth), bound)


def depths(dtype: Any) -> Iterator[Sample]:
    labels, xs, zs = zip(*pairs(dtype)[::2], strict=True)
    X, Z = np.array(xs), np.array(zs)
    duals = oracle_duals.rectified_power(1)
    relative = {np.float64: 1e-12, np.float32: 4e-6}[dtype]
    for options in ARCHITECTURES:
        yield from _deep(X, Z, list(labels), duals, options, tuple(range(1, 11)), relative, 10 * EPS[dtype])


def depths_at_any_size() -> Iterator[Sample]:
    chosen = [
        pair for pair in pairs() if pair[0] in ("angle 1e-07", "angle 1", "angle pi - 0.01", "coincident")
    ]
    labels, xs, zs = zip(*chosen, strict=True)
    duals = oracle_duals.rectified_power(1)
    for p, q in NORMS[np.float64][1:]:
        X, Z = np.array(xs) * p, np.array(zs) * q
        names = [f"{label}, norms {p:g}, {q:g}" for label in labels]
        for options in ({"weight_std": math.sqrt(2)}, {"bias_std": 0.5}):
            yield from _deep(X, Z, names, duals, options, (1, 3), 1e-12, 10 * EPS[np.float64])


SIZES = (1e-150, 1e-8, 0.1, 1.0, 3.0, 30.0, 1e3, 1e8, 1e150)
KINDS = (
    "angle 0.3",
    "angle 1e-06",
    "angle 1e-10",
    "angle 2",
    "angle pi - 0.01",
    "angle pi - 1e-08",
    "coincident",
)
KINDS += ("parallel, 3 times", "antiparallel", "orthogonal")


def closed_forms(entry: registry.Entry) -> Iterator[Sample]:
    """Depth 1 at every size of row, depths 2 and 3 at moderate ones."""
    chosen = [pair for pair in pairs() if pair[0] in KINDS]
    labels, xs, zs = zip(*chosen, strict=True)
    duals = entry.oracle()
    for size in SIZES:
        if size > entry.largest:
            continue
        for other in {size, min(1.0, entry.largest)}:
            X, Z = np.array(xs) * size, np.array(zs) * other
            names = [f"{label}, norms {size:g}, {other:g}" for label in labels]
            yield from _deep(X, Z, names, duals, {"activation": entry.activation}, (1,), 0.0, 1e-12)
    deep_size = 0.3 if entry.largest < 10 else 1.0
    X, Z = np.array(xs) * deep_size, np.array(zs) * deep_size
    options = {"activation": entry.activation, "weight_std": 0.7, "bias_std": 0.4}
    yield from _deep(X, Z, list(labels), duals, options, (2, 3), 0.0, 1e-12)


RATIOS = {np.float64: (1e-300, 1e-8, 1e-3, 1e3, 1e300), np.float32: (1e-35, 1e-3, 1e3)}


def ratios(entry: registry.Entry, dtype: Any) -> Iterator[Sample]:
    """Rows from far below to far above the bias, of one and of many features; smooth activations: below."""
    many = [pair for pair in pairs(dtype) if pair[0] in ("angle 1e-06", "angle 2", "antiparallel, 3 times")]
    line = [("obtuse", [1.3], [-0.4]), ("zero", [0.0], [1.0])]
    relative, scaled = (0.0, 1e-12) if dtype == np.float64 else (4e-6, 10 * EPS[dtype])
    homogeneous = entry.order is not None
    depths = (1, 2, 5, 12) if homogeneous else (1, 3)
    for features, chosen in (("one feature", line), ("five features", many)):
        labels, xs, zs = zip(*chosen, strict=True)
        for ratio in RATIOS[dtype]:
            if ratio > 1 and not homogeneous:
                continue
            X, Z = (np.array(min(ratio, 1.0) * np.array(rows, np.float64), dtype) for rows in (xs, zs))
            bias = min(1.0, 1 / ratio) * (1.0 if homogeneous else 0.3)
            options = {"activation": entry.activation, "weight_std": 0.8, "bias_std": bias}
            # steps see such angles as roots, which take four digits for each of the ratio's
            digits = 60 + (4 * abs(math.log10(ratio)) if entry.order == 0 else 0)
            names = [f"{label}, {features}, ratio {ratio:g}" for label in labels]
            with mp.workdps(int(digits)):
                yield from _deep(X, Z, names, entry.oracle(), options, depths, relative, scaled)


MAGNIFIED = ("Erf()", "GELU()", "Sin()", "Cos()", "Gaussian()")
ULPS = 64


def magnified(entry: registry.Entry) -> Iterator[Sample]:
    """Close rows in deep networks of large weights, beside what a rounding of the rows changes."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 3))
    for size in (1e-4, 0.1, 30.0):
        X = size * np.array([x, x + 1e-6 * y, x + 1e-11 * y, 1.02 * x, x * (1 + 1e-9), 1e-9 * y - x])
        turns = rng.choice([-1, 1], size=(2, *X.shape)) * 2.0**-52
        for options in (
            {"depth": 8, "weight_std": 10.0, "bias_std": 0.5},
            {"depth": 5, "weight_std": 100.0},
            {"depth": 8, "weight_std": 1000.0},
        ):
            K = [
                kernel(X, activation=entry.activation, **options)
                for kernel in (kernels.nngp_kernel, kernels.ntk_kernel)
            ]
            own = [oracles.deep(entry.oracle(), row, row, **options) for row in X]
            for i, j in ((1, 0), (2, 0), (2, 1), (3, 0), (4, 0), (5, 0), (5, 4)):
                truth, *others = (
                    oracles.deep(entry.oracle(), Z[i], Z[j], **options) for Z in (X, *(X * (1 + turns)))
                )
                for which in (0, 1):
                    change = max(abs(other[which] - truth[which]) for other in others)
                    bound = 1e-12 * mp.sqrt(own[i][which] * own[j][which]) + ULPS * change
                    name = f"{('NNGP', 'NTK')[which]}({entry}, {options}), size {size:g}, rows {i}, {j}"
                    yield Sample(name, _error(K[which][i, j], truth[which]), bound)


def gradients(entry: registry.Entry) -> Iterator[Sample]:
    """eval_gradient of the Kernel objects, entry by entry."""
    kinds = ("angle 1e-07", "angle 1", "angle pi - 1e-06", "coincident", "antiparallel", "parallel, 3 times")
    chosen = [pair for pair in pairs() if pair[0] in kinds]
    labels, xs, zs = zip(*chosen, strict=True)
    X, duals = np.vstack([xs, zs]) * (0.3 if entry.largest < 10 else 1.0), entry.oracle()
    for options in (
        {"depth": 1, "weight_std": 1.3},
        {"depth": 1, "weight_std": 1.3, "bias_std": 0.4},
        {"depth": 3, "weight_std": 0.7, "bias_std": 0.4, "input_scaling": "fan_in"},
    ):
        results = []
        for kind in (kernels.NNGP, kernels.NTK):
            kernel = kind(activation=entry.activation, **options)
            names = [h.name for h in kernel.hyperparameters if not h.fixed]
            results.append((names, *kernel(X, eval_gradient=True)))
        for i, label in enumerate(labels):
            j = len(labels) + i
            truths = oracles.deep_gradient(duals, X[i], X[j], **options)
            for which, (names, K, gradient) in enumerate(results):
                scale = mp.sqrt(mpf(float(K[i, i])) * mpf(float(K[j, j])))
                for k, name in enumerate(names):
                    truth = truths[name][which]
                    bound = 1e-10 * abs(truth) + 1e-12 * scale
                    text = f"{('NNGP', 'NTK')[which]}({entry}, {options}), {label}, d log {name}"
                    yield Sample(text, _error(gradient[i, j, k], truth), bound)


@functools.cache
def frozen() -> dict[str, Any]:
    """Exact values for the activations without a closed form (`tests/fixtures/make_numerical.py`)."""
    return json.loads((Path(__file__).parent / "fixtures" / "numerical.json").read_text())


NUMERICAL = {
    "tanh": kernels.Tanh(),
    "logistic": kernels.Logistic(),
    "softplus": kernels.Softplus(),
    "silu": kernels.SiLU(),
}


def quadrature(name: str) -> Iterator[Sample]:
    """Duals by quadrature against frozen values: the error is 1e-10 at most, in absolute terms."""
    cases = frozen()[name]["duals"]
    X, Z = (np.array([case[row] for case in cases]) for row in "xz")
    values = kernels.nngp_kernel(X, Z, activation=NUMERICAL[name]).diagonal()
    for case, value in zip(cases, values, strict=True):
        yield Sample(f"E[s s], x={case['x']}, z={case['z']}", _error(value, mpf(case["dual"])), mpf(1e-10))
    for case in frozen()[name]["deep"]:
        options = dict(case["options"], activation=NUMERICAL[name])
        for kind, function in (("nngp", kernels.nngp_kernel), ("ntk", kernels.ntk_kernel)):
            value = function([case["x"]], [case["z"]], **options)[0, 0]
            truth = mpf(case[kind])
            yield Sample(f"{kind} {case}", _error(value, truth), 1e-10 * (1 + abs(truth)))


def _range(entry: registry.Entry, values: tuple[float, ...]) -> str:
    top, depth = (values[-1], 12) if entry.order is not None else (1e-3, 3)
    return f"{values[0]:g} to {top:g}, depths 1 to {depth}"


GOALS = [
    *(
        Goal(
            f"{symbol}, n = 0..6, {dtype.__name__}",
            f"{RELATIVE[dtype]:g} |exact| + 4 eps (|d exact / d theta| + sqrt(K_xx K_zz))",
            lambda measure=measure, dtype=dtype: measure(dtype),
        )
        for symbol, measure in (("kappa_n", kappa), ("Theta, z^n 1{z>=0}", theta))
        for dtype in (np.float64, np.float32)
    ),
    Goal("kappa_n(theta), n = 0..20", "1e-12 kappa_n(0)", of_angle),
    Goal("kappa_n(theta), n = 0..20, pi - theta in (1e-9, 1e-3)", "1e-10 exact", of_angle_near_pi),
    Goal("kappa_n, n = 7..20", "1e-12 sqrt(K_xx K_zz)", high_degrees),
    Goal(
        "ReLU NNGP and NTK, depths 1 to 10, float64",
        "1e-12 |exact| + 10 eps sqrt(K_xx K_zz)",
        lambda: depths(np.float64),
    ),
    Goal(
        "ReLU NNGP and NTK, depths 1 to 10, float32",
        "4e-6 |exact| + 10 eps sqrt(K_xx K_zz)",
        lambda: depths(np.float32),
    ),
    Goal(
        "ReLU NNGP and NTK, norms 1e-150 to 1e150",
        "1e-12 |exact| + 10 eps sqrt(K_xx K_zz)",
        depths_at_any_size,
    ),
    *(
        Goal(f"NNGP and NTK of {entry}", "1e-12 sqrt(K_xx K_zz)", lambda entry=entry: closed_forms(entry))
        for entry in registry.CLOSED
    ),
    *(
        Goal(
            f"{entry}, length over bias {_range(entry, RATIOS[dtype])}, {dtype.__name__}",
            statement,
            lambda entry=entry, dtype=dtype: ratios(entry, dtype),
        )
        for dtype, statement in (
            (np.float64, "1e-12 sqrt(K_xx K_zz)"),
            (np.float32, "4e-6 |exact| + 10 eps sqrt(K_xx K_zz)"),
        )
        for entry in registry.CLOSED
    ),
    *(
        Goal(
            f"Close rows, weight_std 10 to 1000, depths 5 and 8, {entry}",
            f"1e-12 sqrt(K_xx K_zz) + {ULPS} |change by an ulp of the rows|",
            lambda entry=entry: magnified(entry),
        )
        for entry in registry.CLOSED
        if str(entry) in MAGNIFIED
    ),
    *(
        Goal(f"E[s s], NNGP and NTK of {activation}", "1e-10", lambda name=name: quadrature(name))
        for name, activation in NUMERICAL.items()
    ),
    *(
        Goal(
            f"Gradients, {entry}",
            "1e-10 |exact| + 1e-12 sqrt(K_xx K_zz)",
            lambda entry=entry: gradients(entry),
        )
        for entry in registry.CLOSED
    ),
]
