"""Kernels and their gradients in mpmath, entry by entry, from the very floats that a test passes in.

Nothing here is shared with the library: angles come from exact inner products, arc-cosine kernels from the
polynomial recursion of Cho and Saul at a precision raised by what cancels, deep kernels from the
plain recursion
on covariances, and gradients from central differences with a step of 1e-30.  Everything runs with
120 digits, so
that at least 50 are left after the cancellations of nearly coincident and nearly opposite rows.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from mpmath import mp, mpf

DIGITS = 120
STEP = "1e-30"


def precise(function: Callable[..., Any]) -> Callable[..., Any]:
    """Run a function with 120 digits, whatever the caller's precision."""

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if mp.dps >= DIGITS:
            return function(*args, **kwargs)
        with mp.workdps(DIGITS):
            return function(*args, **kwargs)

    return wrapped


def exact(values: Iterable[float]) -> list[mpf]:
    """A row of floats as exact multiprecision numbers."""
    return [value if isinstance(value, mpf) else mpf(float(value)) for value in values]


@precise
def covariance(x: Sequence[float], z: Sequence[float]) -> tuple[mpf, mpf, mpf]:
    """|x|^2, |z|^2 and <x, z>."""
    u, v = exact(x), exact(z)
    return mp.fdot(u, u), mp.fdot(v, v), mp.fdot(u, v)


@precise
def angle_of(a: mpf, b: mpf, c: mpf) -> mpf:
    """The angle with cosine c / sqrt(a b); determinants below the precision are zero."""
    return _angle_of(a, b, c, mp.prec)


@functools.lru_cache(maxsize=256)
def _angle_of(a: mpf, b: mpf, c: mpf, precision: int) -> mpf:
    """A dual and the one of its derivative ask for the same."""
    determinant = a * b - c * c
    if determinant <= mp.ldexp(a * b, 37 - precision):  # a rounding times 10^11
        determinant = mpf(0)
    return mp.atan2(mp.sqrt(determinant), c)


@precise
def angle(x: Sequence[float], z: Sequence[float]) -> mpf:
    """The angle between two rows."""
    return angle_of(*covariance(x, z))


@functools.cache
def polynomials(degree: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Integer coefficients (in c = cos theta, lowest first) of A and B in J_n = sin(theta) A + (pi
    - theta) B."""
    a, b = [0], [1]
    for n in range(degree):
        a, b = (
            _add(_one_minus_square(_derivative(a)), [0] + [2 * n * k for k in a], b),
            _add(_one_minus_square(_derivative(b)), [0] + [(2 * n + 1) * k for k in b]),
        )
    return tuple(a), tuple(b)


def _horner(coefficients: tuple[int, ...], at: mpf) -> mpf:
    value = mpf(0)
    for coefficient in reversed(coefficients):
        value = value * at + coefficient
    return value


def _derivative(p: list[int]) -> list[int]:
    return [k * coefficient for k, coefficient in enumerate(p)][1:] or [0]


def _one_minus_square(p: list[int]) -> list[int]:
    return _add(p, [0, 0] + [-k for k in p])


def _add(*terms: list[int]) -> list[int]:
    return [sum(t[i] for t in terms if i < len(t)) for i in range(max(map(len, terms)))]


@functools.lru_cache(maxsize=4096)
@precise
def arc_cosine(degree: int, theta: Any) -> mpf:
    """kappa_n of two unit vectors at angle theta in [0, pi]."""
    theta = mpf(theta)
    rest = mp.pi - theta
    # The gap to pi is taken as an exact number; J_n is of order gap^(2n+1), and that much of its
    # terms cancels.
    if abs(rest) <= mpf(10) ** (10 - mp.dps):
        return mpf(0)
    lost = max(0, (2 * degree + 1) * (1 - mp.mag(rest))) + 10 * degree  # bits
    with mp.workprec(mp.prec + lost):
        cosine, sine = mp.cos_sin(rest)
        a, b = polynomials(degree)
        value = sine * _horner(a, -cosine) + rest * _horner(b, -cosine)
        return value / (2 * mp.pi)


def arc_cosine_integral(degree: float, theta: Any, digits: int = 30) -> mpf:
    """The same by quadrature of its all-positive integral: the check on the closed form."""
    with mp.workdps(digits):
        rest, n = mp.pi - mpf(theta), mpf(degree)
        # Scaled by its own size, since mpmath stops at an absolute error.
        integral = mp.quad(
            lambda t: (mp.sin(rest * t) * mp.sin(rest * (1 - t)) / rest**2) ** n, [0, mpf(1) / 2, 1]
        )
        return 2**n * mp.gamma(n + 1) / (2 * mp.pi) * rest ** (2 * n + 1) * integral


@precise
def kappa(degree: int, x: Sequence[float], z: Sequence[float]) -> mpf:
    """kappa_n of two rows, zero rows included."""
    a, b, c = covariance(x, z)
    if a == 0 or b == 0:
        if degree > 0:
            return mpf(0)
        return mpf(1) if a == b else mpf(1) / 2
    return mp.sqrt(a * b) ** degree * arc_cosine(degree, angle_of(a, b, c))


@precise
def kappa_slope(degree: int, x: Sequence[float], z: Sequence[float]) -> mpf:
    """d kappa_n / d theta at fixed norms."""
    a, b, c = covariance(x, z)
    return mp.sqrt(a * b) ** degree * _unit_slope(degree, angle_of(a, b, c))


def _unit_slope(degree: int, theta: mpf) -> mpf:
    if degree == 0:
        return -1 / (2 * mp.pi)
    return -mp.sin(theta) * degree**2 * arc_cosine(degree - 1, theta)


@precise
def two_layer_ntk(degree: int, x: Sequence[float], z: Sequence[float]) -> mpf:
    """Theta of the two-layer network with activation z^n 1{z>=0}, all trained."""
    value = kappa(degree, x, z)
    if degree > 0:
        value += degree**2 * covariance(x, z)[2] * kappa(degree - 1, x, z)
    return value


@precise
def two_layer_ntk_slope(degree: int, x: Sequence[float], z: Sequence[float]) -> mpf:
    """d Theta / d theta at fixed norms."""
    a, b, c = covariance(x, z)
    theta = angle_of(a, b, c)
    slope = _unit_slope(degree, theta)
    if degree > 0:
        slope -= degree**2 * mp.sin(theta) * arc_cosine(degree - 1, theta)
        slope += degree**2 * mp.cos(theta) * _unit_slope(degree - 1, theta)
    return mp.sqrt(a * b) ** degree * slope


Dual = Callable[[mpf, mpf, mpf], mpf]


def layers(trainable: Any, depth: int) -> frozenset[int]:
    """The trained layers, 0 the first and ``depth`` the output."""
    words = {"all": range(depth + 1), "hidden": range(depth), "output": (depth,)}
    return frozenset(words[trainable] if isinstance(trainable, str) else trainable)


@precise
def deep(duals: tuple[Dual, Dual], x: Sequence[float], z: Sequence[float], **options: Any) -> tuple[mpf, mpf]:
    """NNGP and NTK of two rows: the last step of `recursion`."""
    return recursion(duals, x, z, **options)[-1]


@functools.lru_cache(maxsize=2**12)
def _variances(dual: Dual, a: mpf, weight: mpf, bias: mpf, depth: int, precision: int) -> list[mpf]:
    """A row's own variances after each layer from that before the first; all of its pairs have them."""
    out = []
    for _ in range(depth):
        a = weight * dual(a, a, a) + bias
        out.append(a)
    return out


@precise
def recursion(
    duals: tuple[Dual, Dual],
    x: Sequence[float],
    z: Sequence[float],
    *,
    depth: int = 1,
    weight_std: Any = 1,
    bias_std: Any = 0,
    input_scaling: str = "none",
    trainable: Any = "all",
) -> list[tuple[mpf, mpf]]:
    """(S^l, T^l) for l = 2, ..., depth + 1, with ``duals`` E[s(u)s(v)] and E[s'(u)s'(v)] functions
    of (a, b, c).

    With all layers trained, the l-th is the NNGP and the NTK of a network with l - 1 hidden layers.
    """
    dual, derivative_dual = duals
    weight, bias = mpf(weight_std) ** 2, mpf(bias_std) ** 2
    scale = len(x) if input_scaling == "fan_in" else 1
    trained = layers(trainable, depth)
    a, b, c = (weight * s / scale + bias for s in covariance(x, z))
    own_x = _variances(dual, a, weight, bias, depth, mp.prec)
    own_z = own_x if a == b else _variances(dual, b, weight, bias, depth, mp.prec)
    itself = a == b == c
    tangent = c if 0 in trained else mpf(0)
    steps = []
    for layer in range(1, depth + 1):
        slope = weight * derivative_dual(a, b, c) if tangent != 0 else mpf(0)
        above = own_x[layer - 1] if itself else weight * dual(a, b, c) + bias
        a, b, c = own_x[layer - 1], own_z[layer - 1], above
        tangent = slope * tangent + (c if layer in trained else 0)
        steps.append((c, tangent))
    return steps


@precise
def deep_gradient(
    duals: tuple[Dual, Dual], x: Sequence[float], z: Sequence[float], *, step: str = STEP, **options: Any
) -> dict[str, tuple[mpf, mpf]]:
    """Derivatives of (NNGP, NTK) in log weight_std and, where it is not zero, in log bias_std."""
    gradients = {}
    for name in ("weight_std", "bias_std"):
        value = mpf(options.get(name, 1 if name == "weight_std" else 0))
        if value == 0:
            continue
        h = mpf(step)
        ends = [deep(duals, x, z, **{**options, name: value * mp.exp(sign * h)}) for sign in (1, -1)]
        gradients[name] = tuple((up - down) / (2 * h) for up, down in zip(*ends, strict=True))
    return gradients
