"""Gradient descent on tangent models, as slowly and plainly as it can be written."""

import numpy as np


def slopes(name, f, y):
    """Gradient of the loss of each sample in its outputs; y is (n, k), one-hot for classes, or 0 and 1."""
    if name == "squared_error":
        return f - y
    if name == "huber":
        return np.where(abs(f - y) <= 1, f - y, np.sign(f - y))
    if name == "absolute_error":
        return np.sign(f - y)
    if f.shape[1] == 1:
        return 1 / (1 + np.exp(-f)) - y
    e = np.exp(f)
    return e / e.sum(1, keepdims=True) - y


def losses(name, f, y):
    """Loss of each sample."""
    r = f - y
    if name == "squared_error":
        return (r**2 / 2).sum(1)
    if name == "huber":
        return np.where(abs(r) <= 1, r**2 / 2, abs(r) - 0.5).sum(1)
    if name == "absolute_error":
        return abs(r).sum(1)
    if f.shape[1] == 1:
        return np.log(1 + np.exp(np.where(y == 1, -f, f))).sum(1)
    return np.log(np.exp(f).sum(1)) - (f * y).sum(1)


def train_network(network, params, X, y, X_new, *, loss, steps, rate, momentum=0.0, weights=None):
    """Outputs at X_new, displacement and losses of gradient descent with the Jacobian written out."""
    n, k = y.shape
    weights = np.ones(n) if weights is None else weights
    J, J_new = (network.jacobian(params, rows).reshape(len(rows) * k, -1) for rows in (X, X_new))
    f_0, f_new = (network.apply(params, rows).reshape(-1, k) for rows in (X, X_new))
    multipliers = network.ravel(
        params.replace(
            **{name: np.full(params[name].shape, m) for name, m in network.step_multipliers.items()}
        )
    )
    moved = before = np.zeros(J.shape[1])
    curve = []
    for _ in range(steps):
        f = f_0 + (J @ moved).reshape(n, k)
        curve.append(weights @ losses(loss, f, y))
        gradient = J.T @ (weights[:, None] * slopes(loss, f, y)).ravel()
        moved, before = moved - rate * multipliers * gradient + momentum * (moved - before), moved
    curve.append(weights @ losses(loss, f_0 + (J @ moved).reshape(n, k), y))
    return f_new + (J_new @ moved).reshape(-1, k), moved, np.array(curve)


def train_kernel(K, K_new, y, *, loss, steps, rate, momentum=0.0, weights=None):
    """Outputs at new points and losses of gradient descent from f = 0, followed at all points at once."""
    n = len(y)
    weights = np.ones(n) if weights is None else weights
    both = np.vstack([K, K_new])
    f = before = np.zeros((len(both), y.shape[1]))
    curve = []
    for _ in range(steps):
        curve.append(weights @ losses(loss, f[:n], y))
        step = both @ (weights[:, None] * slopes(loss, f[:n], y))
        f, before = f - rate * step + momentum * (f - before), f
    curve.append(weights @ losses(loss, f[:n], y))
    return f[n:], np.array(curve)
