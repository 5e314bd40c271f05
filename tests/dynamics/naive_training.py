"""Slow, plain twins: the parameters of a linear model, trained step by step."""

import numpy as np


def descend(J, gradient, f0, steps, *, learning_rate, momentum=0.0, ridge=0.0):
    """All iterates w_0 = 0, ..., w_steps of heavy ball on R(f_0 + J w) + (ridge/2)|w|^2."""
    w = np.zeros((J.shape[1], *f0.shape[1:]))
    path, velocity = [w], np.zeros_like(w)
    for _ in range(steps):
        slope = J.T @ gradient(f0 + J @ w) + ridge * w
        velocity = momentum * velocity - learning_rate * slope
        w = w + velocity
        path.append(w)
    return np.stack(path)


def runge_kutta(J, gradient, f0, time, *, ridge=0.0, steps=4000):
    """w at a time of the gradient flow from w_0 = 0, by the classical method of order 4."""

    def velocity(w):
        return -(J.T @ gradient(f0 + J @ w) + ridge * w)

    w, h = np.zeros((J.shape[1], *f0.shape[1:])), time / steps
    for _ in range(steps if time else 0):
        a = velocity(w)
        b = velocity(w + h / 2 * a)
        c = velocity(w + h / 2 * b)
        w = w + h / 6 * (a + 2 * b + 2 * c + velocity(w + h * c))
    return w


def linear_model(n=20, m=7, p=50, n_outputs=None, seed=0):
    """Tangent features of n training and m test samples, outputs at initialisation and targets."""
    rng = np.random.default_rng(seed)
    tail = () if n_outputs is None else (n_outputs,)
    return (
        rng.standard_normal((n, p)),
        rng.standard_normal((m, p)),
        rng.standard_normal((n, *tail)),
        rng.standard_normal((m, *tail)),
        rng.standard_normal((n, *tail)),
    )
