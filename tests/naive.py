"""Slow, readable twins of the fast kernels: plain Python loops over pairs of rows, one formula a function.

They follow the definitions and know no closed form of a dual: every Gaussian expectation is one
quadrature in polar
coordinates.  Good to about 1e-12 on rows of moderate size; `tests.oracles` is the place for the last digits.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

Function = Callable[[np.ndarray], np.ndarray]

_R, _R_WEIGHT = np.polynomial.legendre.leggauss(64)
_T, _T_WEIGHT = np.polynomial.legendre.leggauss(48)
_REACH = 9.5
_R, _R_WEIGHT = _REACH * (_R + 1) / 2, _REACH * _R_WEIGHT / 2
_R_WEIGHT = _R_WEIGHT * _R * np.exp(-(_R**2) / 2) / (2 * np.pi)


def angle(x: np.ndarray, z: np.ndarray) -> float:
    """The angle between two rows, 2 atan2(|u - v|, |u + v|) on unit vectors; 0 where one of them is zero."""
    norms = math.hypot(*x), math.hypot(*z)
    if 0.0 in norms:
        return 0.0
    u, v = x / norms[0], z / norms[1]
    return 2 * math.atan2(math.hypot(*(u - v)), math.hypot(*(u + v)))


def expectation(function: Function, a: float, b: float, theta: float) -> float:
    """E[f(u) f(v)] for Gaussian u, v of variances a, b and correlation cos(theta).

    u = sqrt(a) r cos t and v = sqrt(b) r cos(t - theta): kinks and jumps of f at 0 are rays, and
    the sum over t
    stops at each of them.
    """
    rays = [math.pi / 2, 3 * math.pi / 2, theta + math.pi / 2, theta + 3 * math.pi / 2]
    edges = [0.0, *sorted(ray % (2 * math.pi) for ray in rays), 2 * math.pi]
    total = 0.0
    for low, high in itertools.pairwise(edges):
        t = low + (high - low) * (_T + 1) / 2
        u = math.sqrt(a) * np.outer(np.cos(t), _R)
        v = math.sqrt(b) * np.outer(np.cos(t - theta), _R)
        total += float((high - low) / 2 * _T_WEIGHT @ (function(u) * function(v)) @ _R_WEIGHT)
    return total


def arc_cosine_of_angle(theta: float, degree: int) -> float:
    """kappa_n of unit vectors by its all-positive integral."""
    rest = math.pi - theta
    q = rest * (_T + 1) / 2
    integral = rest / 2 * _T_WEIGHT @ (np.sin(q) * np.sin(rest - q)) ** degree
    return float(2**degree * math.factorial(degree) / (2 * math.pi) * integral)


def arc_cosine_kernel(X: np.ndarray, Y: np.ndarray, degree: int) -> np.ndarray:
    """|x|^n |z|^n times kappa_n of the angle; rows must not be zero."""
    return np.array(
        [
            [
                (math.hypot(*x) * math.hypot(*z)) ** degree * arc_cosine_of_angle(angle(x, z), degree)
                for z in Y
            ]
            for x in X
        ]
    )


def layers(trainable: Any, depth: int) -> set[int]:
    """The trained layers of a network with ``depth`` hidden ones."""
    if trainable == "all":
        return set(range(depth + 1))
    if trainable == "hidden":
        return set(range(depth))
    if trainable == "output":
        return {depth}
    return set(trainable)


def deep_kernels(
    X: np.ndarray,
    Y: np.ndarray,
    function: Function,
    derivative: Function,
    *,
    depth: int = 1,
    weight_std: float = 1.0,
    bias_std: float = 0.0,
    input_scaling: str = "none",
    trainable: Any = "all",
) -> tuple[np.ndarray, np.ndarray]:
    """NNGP and NTK matrices: the recursion layer by layer, the NTK as a sum over the trained layers."""
    weight, bias = weight_std**2, bias_std**2
    scale = X.shape[1] if input_scaling == "fan_in" else 1
    nngp, ntk = np.empty((len(X), len(Y))), np.empty((len(X), len(Y)))
    for i, x in enumerate(X):
        for j, z in enumerate(Y):
            a, b, c = (weight * float(s @ t) / scale + bias for s, t in ((x, x), (z, z), (x, z)))
            terms, gains = [c], []
            for _ in range(depth):
                theta = math.acos(min(1.0, max(-1.0, c / math.sqrt(a * b))))
                gains.append(weight * expectation(derivative, a, b, theta))
                c = weight * expectation(function, a, b, theta) + bias
                a = weight * expectation(function, a, a, 0.0) + bias
                b = weight * expectation(function, b, b, 0.0) + bias
                terms.append(c)
            nngp[i, j] = c
            ntk[i, j] = sum(terms[k] * math.prod(gains[k:]) for k in layers(trainable, depth))
    return nngp, ntk


def relu_angle_maps(theta: float) -> tuple[float, float]:
    """2 E[relu(u) relu(v)] and 2 E[relu'(u) relu'(v)] for unit variances, as most codes write them."""
    return (math.sin(theta) + (math.pi - theta) * math.cos(theta)) / math.pi, (math.pi - theta) / math.pi


def scikit_ntk(X: np.ndarray, Y: np.ndarray, depth: int, bias: float = 0.0) -> np.ndarray:
    """The kernel of the package scikit-ntk: its bias enters the tangent recursion and never the covariance"""
    out = np.empty((len(X), len(Y)))
    for i, x in enumerate(X):
        for j, z in enumerate(Y):
            norms, s = math.hypot(*x) * math.hypot(*z), float(x @ z)
            t = s + bias**2
            for _ in range(depth):
                value, slope = relu_angle_maps(math.acos(min(1.0, max(-1.0, s / norms))))
                s = norms * value
                t = s + bias**2 + t * slope
            out[i, j] = t / ((depth + 1) * (bias**2 + 1))
    return out


def arora(X: np.ndarray, Y: np.ndarray, depth: int, fixed: int) -> np.ndarray:
    """K[depth][fixed] of the UCI experiments: weight_std 1, the terms of the first ``fixed``
    layers dropped."""
    out = np.empty((len(X), len(Y)))
    for i, x in enumerate(X):
        for j, z in enumerate(Y):
            a, b, s = float(x @ x), float(z @ z), float(x @ z)
            t = s if fixed == 0 else 0.0
            for layer in range(1, depth + 1):
                value, slope = relu_angle_maps(math.acos(min(1.0, max(-1.0, s / math.sqrt(a * b)))))
                s, t = math.sqrt(a * b) * value / 2, t * slope / 2
                a, b = a / 2, b / 2
                t += s if layer >= fixed else 0.0
            out[i, j] = t
    return out
