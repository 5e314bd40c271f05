"""Kernel ridge by plain linear algebra: the bordered normal equations, and one refit per unit left out."""

import numpy as np


def rbf(X, Y=None, gamma=0.5):
    Y = X if Y is None else Y
    return np.exp(-gamma * ((X[:, None] - Y[None]) ** 2).sum(-1))


def fit(K, y, penalty, weights=None, intercept=True):
    """Dual coefficients and intercept of sum_i w_i (y_i - f(x_i) - b)^2 + penalty |f|^2."""
    n = len(K)
    weights = np.ones(n) if weights is None else weights
    size = n + int(intercept)
    A, b = np.zeros((size, size)), np.zeros((size, y.shape[1]))
    A[:n, :n] = K + penalty * np.diag(1 / weights)
    b[:n] = y
    if intercept:
        A[:n, n] = A[n, :n] = 1
    solution = np.linalg.solve(A, b)
    return solution[:n], solution[n] if intercept else np.zeros(y.shape[1])


def left_out(K, y, penalty, weights=None, intercept=True, counts=None):
    """Predictions of every unit by a fit on the others, and on all of its own copies but one."""
    out = np.empty(y.shape)
    counts = np.ones(len(K)) if counts is None else counts
    weights = counts if weights is None else weights
    for i in range(len(K)):
        left = counts - (np.arange(len(K)) == i)
        rest = left > 0
        part = (weights / counts * left)[rest]
        dual, constant = fit(K[np.ix_(rest, rest)], y[rest], penalty, part, intercept)
        out[i] = K[i, rest] @ dual + constant
    return out


def smoother(K, penalty, weights=None, intercept=True):
    """The matrix that maps targets to fitted values, one unit vector at a time."""
    dual, constant = fit(K, np.eye(len(K)), penalty, weights, intercept)
    return K @ dual + constant


def least_norm(features, y, weights=None, intercept=True):
    """Coefficients of the features and the intercept: least squares and, among these, least norm."""
    weights = np.ones(len(y)) if weights is None else weights
    centre, mean = np.zeros(features.shape[1]), np.zeros(y.shape[1])
    if intercept:
        centre = np.average(features, axis=0, weights=weights)
        mean = np.average(y, axis=0, weights=weights)
    root = np.sqrt(weights)[:, None]
    moved = np.where(abs(features - centre) < 1e-13, 0.0, features - centre)
    coef = np.linalg.lstsq(root * moved, root * (y - mean), rcond=1e-11)[0]
    return coef, mean - centre @ coef


def least_norm_left_out(features, y, weights=None, intercept=True, counts=None):
    """Predictions of every unit by such a fit on the others, and on all of its own copies but one."""
    out = np.empty(y.shape)
    counts = np.ones(len(y)) if counts is None else counts
    weights = counts if weights is None else weights
    for i in range(len(y)):
        left = counts - (np.arange(len(y)) == i)
        rest = left > 0
        part = (weights / counts * left)[rest]
        coef, constant = least_norm(features[rest], y[rest], part, intercept)
        out[i] = features[i] @ coef + constant
    return out
