"""Adversaries of bounds on second derivatives: two-layer networks by explicit formulas, many points at once.

Nothing is taken from the library but activations: a network is its neurons, each with its own block of
parameters (output weights, weights that read the row and the bias's multiplier), displaced from the start.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import minimize

from tests import naive_networks as naive


class Twin:
    """The neurons of a two-layer network on rows X, their parameters in blocks of b numbers each."""

    def __init__(self, net: Any, params: Any, X: np.ndarray) -> None:
        first, last = naive.factors(net, X.shape[1])
        prefixes = ("", "mirror_") if net.symmetric else ("",)
        theta, v = [], []
        for prefix in prefixes:
            weights = np.asarray(params[f"{prefix}W0"], float)
            if net.bias_std > 0:
                weights = np.column_stack([weights, params[f"{prefix}b0"]])
            theta.append(weights)
            v.append(np.asarray(params[f"{prefix}W1"], float).T)
        self.net, self.start = net, params
        self.X = first["weight"] * X
        if net.bias_std > 0:
            self.X = np.column_stack([self.X, np.full(len(X), first["bias"])])
        self.sigma = naive.activation_of(net)
        self.theta, self.v = np.concatenate(theta), np.concatenate(v)  # (M, q), (M, k)
        signs = np.repeat([1.0, -1.0], net.width) / np.sqrt(2) if net.symmetric else np.ones(net.width)
        self.c = signs * last["weight"]
        k, q = self.v.shape[1], self.theta.shape[1]
        trained = {"all": (True, True), "hidden": (False, True), "output": (True, False)}[net.trainable]
        self.mask = np.repeat(np.array(trained, float), [k, q])
        self.k, self.block = k, k + q

    def params(self, displacement: np.ndarray) -> Any:
        """The parameters of the library's network, at a displacement (M, b)."""
        moved, arrays = displacement * self.mask, {}
        for i, prefix in enumerate(("", "mirror_") if self.net.symmetric else ("",)):
            part = slice(i * self.net.width, (i + 1) * self.net.width)
            theta = (self.theta + moved[:, self.k :])[part]
            arrays[f"{prefix}W1"] = (self.v + moved[:, : self.k])[part].T
            arrays[f"{prefix}W0"] = theta[:, :-1] if self.net.bias_std > 0 else theta
            if self.net.bias_std > 0:
                arrays[f"{prefix}b0"] = theta[:, -1]
        return self.start.replace(**arrays)

    def _at(self, r: Any, moved: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of one neuron for each point (K, b): output weights (K, k) and preactivations (K, n)."""
        moved = moved * self.mask
        return self.v[r] + moved[:, : self.k], (self.theta[r] + moved[:, self.k :]) @ self.X.T, self.c[r]

    def jacobian(self, r: Any, moved: np.ndarray) -> np.ndarray:
        """The columns of one neuron in the Jacobian, (K, n, k, b)."""
        v, z, c = self._at(r, moved)
        J = np.zeros((*z.shape, self.k, self.block))
        for o in range(self.k):
            J[:, :, o, o] = self.sigma(z)
            J[:, :, o, self.k :] = (v[:, o, None] * self.sigma.derivative(z))[..., None] * self.X
        return c * J * self.mask

    def hessian(self, r: Any, moved: np.ndarray) -> np.ndarray:
        """The block of one neuron in the Hessians, (K, n k, b, b)."""
        v, z, c = self._at(r, moved)
        slope, bend = self.sigma.derivative(z), self.sigma.second_derivative(z)
        H = np.zeros((*z.shape, self.k, self.block, self.block))
        squares = np.einsum("na,nb->nab", self.X, self.X)
        for o in range(self.k):
            H[:, :, o, o, self.k :] = H[:, :, o, self.k :, o] = slope[..., None] * self.X
            H[:, :, o, self.k :, self.k :] = (v[:, o, None] * bend)[..., None, None] * squares
        H *= c * self.mask[:, None] * self.mask
        return H.reshape(len(z), -1, self.block, self.block)


def bilinear_norm(H: np.ndarray, rng: np.random.Generator, sweeps: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Norms of (u, s) -> (u^T H_i s)_i from below, and the s, by alternating maximisation; H (K, N, b, b)."""
    s = rng.normal(size=(len(H), H.shape[-1]))
    for _ in range(sweeps):
        s /= np.linalg.norm(s, axis=1, keepdims=True)
        _, values, directions = np.linalg.svd(np.einsum("kiab,kb->kia", H, s))
        s = directions[:, 0]
    return values[:, 0], s


def in_ball(points: np.ndarray, radius: float) -> np.ndarray:
    """Nearest points of the ball."""
    lengths = np.linalg.norm(points, axis=-1, keepdims=True)
    return points * np.minimum(1.0, radius / np.maximum(lengths, 1e-300))


def largest_second_derivative(
    twin: Twin, radius: float, rng: np.random.Generator, *, points: int = 48, generations: int = 6
) -> tuple[float, int, np.ndarray, np.ndarray]:
    """The largest |D^2h| found in the ball, its neuron, point, direction: random points, the best varied."""
    best = (-1.0, 0, np.zeros(twin.block), np.zeros(twin.block))
    for r in range(len(twin.v)):
        where = rng.normal(size=(points, twin.block)) * twin.mask
        where *= radius * rng.uniform(0, 1, (points, 1)) ** 0.2 / np.linalg.norm(where, axis=1, keepdims=True)
        where[0] = 0
        for generation in range(generations):
            values, directions = bilinear_norm(twin.hessian(r, where), rng)
            order = np.argsort(-values)
            if values[order[0]] > best[0]:
                best = (float(values[order[0]]), r, where[order[0]].copy(), directions[order[0]].copy())
            parents = where[order[: points // 8]]
            step = 0.5 * radius * 0.4**generation
            where = parents.repeat(8, axis=0) + step * rng.normal(size=(8 * len(parents), twin.block))
            where = in_ball(where * twin.mask, radius)
    return best


def pair_ratio(twin: Twin, r: int, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """|Dh(w) - Dh(w')| / |w - w'| for pairs (K, b) that differ in one neuron."""
    gap = (twin.jacobian(r, one) - twin.jacobian(r, other)).reshape(len(one), -1, twin.block)
    return np.linalg.norm(gap, 2, axis=(1, 2)) / np.linalg.norm((one - other) * twin.mask, axis=1)


def whole_pair_ratios(twin: Twin, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The same for pairs (K, M, b) that differ in all neurons."""
    gram = 0.0
    for r in range(len(twin.v)):
        gap = (twin.jacobian(r, one[:, r]) - twin.jacobian(r, other[:, r])).reshape(len(one), -1, twin.block)
        gram = gram + gap @ gap.transpose(0, 2, 1)
    return np.sqrt(np.linalg.eigvalsh(gram)[:, -1]) / np.linalg.norm((one - other) * twin.mask, axis=(1, 2))


def attack(twin: Twin, radius: float, rng: np.random.Generator) -> tuple[float, float]:
    """The largest |D^2h| and the largest ratio of a pair found in the ball.

    Pairs: random ones that differ in one neuron, far apart and close together, and one that is led uphill by
    its gradient from the point and direction of the largest |D^2h|.
    """
    second, r, where, direction = largest_second_derivative(twin, radius, rng)
    found = 0.0
    for neuron in range(len(twin.v)):
        pairs = in_ball(radius * rng.normal(size=(2, 200, twin.block)) * twin.mask, radius)
        pairs[1, ::2] = pairs[0, ::2] + 0.05 * (pairs[1, ::2] - pairs[0, ::2])
        found = max(found, float(pair_ratio(twin, neuron, *pairs).max()))

    def both(x: np.ndarray) -> np.ndarray:
        return in_ball(x.reshape(2, 1, twin.block) * twin.mask, radius)

    def loss(x: np.ndarray) -> float:
        one, other = both(x * radius)
        if np.linalg.norm(one - other) < 1e-4 * radius:  # rounding would decide
            return 0.0
        return -float(pair_ratio(twin, r, one, other)[0])

    start = np.stack([where - 0.02 * radius * direction, where + 0.02 * radius * direction]) / radius
    climbed = minimize(loss, start.ravel(), method="L-BFGS-B", options={"maxiter": 10})
    return second, max(found, -loss(start.ravel()), -float(climbed.fun))
