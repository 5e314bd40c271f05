r"""Measurements along training that cost a kernel each: drift, alignment, conditioning, flips."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from ntklib.networks import Params

__all__ = ["MONITORS", "Monitors", "flips", "hidden_units"]

MONITORS = ("ntk_drift", "kernel_alignment", "min_eigenvalue", "max_eigenvalue", "sign_changes")


class Monitors:
    r"""Measurements of a model at the parameters it has come to.

    With :math:`\Theta_t = J_t J_t^T` on the training rows (summed over outputs in the first two):

    - ``ntk_drift``: :math:`|\Theta_t - \Theta_0|_F / |\Theta_0|_F`;
    - ``kernel_alignment``: :math:`\langle \Theta_t, Y Y^T \rangle / (|\Theta_t|_F |Y Y^T|_F)` with the
      targets Y as the loss reads them;
    - ``min_eigenvalue``, ``max_eigenvalue``: the extreme eigenvalues of :math:`J_t J_t^T`, (n k, n k);
    - ``sign_changes``: the share of hidden preactivations whose sign differs from the start.

    Raises
    ------
    ValueError
        If the alignment is asked for with targets that are all 0.
    """

    def __init__(self, names: tuple[str, ...], model: Any, params: Params, X: Any, targets: NDArray) -> None:
        self.names = names
        self.model, self.X = model, X
        self.targets = np.asarray(targets, dtype=np.float64).reshape(X.shape[0], -1)
        if "kernel_alignment" in self.names and not self.targets.any():
            raise ValueError("kernel_alignment needs targets that are not all 0.")
        if "ntk_drift" in self.names:
            self.first = model.ntk(params, X)
        if "sign_changes" in self.names:
            self.pattern = model.activation_pattern(params, X)
            self.units = X.shape[0] * hidden_units(params)

    def measure(self, params: Params) -> dict[str, float]:
        """Return a number for each name."""
        values: dict[str, float] = {}
        if "ntk_drift" in self.names or "kernel_alignment" in self.names:
            kernel = self.model.ntk(params, self.X)
            if "ntk_drift" in self.names:
                values["ntk_drift"] = float(_norm(kernel - self.first) / _norm(self.first))
            if "kernel_alignment" in self.names:
                values["kernel_alignment"] = self._alignment(kernel)
        ends = [name for name in ("min_eigenvalue", "max_eigenvalue") if name in self.names]
        if ends:
            order = self.targets.size
            kernel = self.model.ntk(params, self.X, output="full" if self.targets.shape[1] > 1 else "trace")
            for name in ends:
                index = 0 if name == "min_eigenvalue" else order - 1
                values[name] = _eigenvalue(kernel.reshape(order, order), index)
        if "sign_changes" in self.names:
            values["sign_changes"] = (
                flips(self.pattern, self.model.activation_pattern(params, self.X)) / self.units
            )
        return {name: values[name] for name in self.names}

    def _alignment(self, kernel: NDArray) -> float:
        Y = self.targets
        return float(np.sum(Y * (kernel @ Y)) / (_norm(kernel) * _norm(Y.T @ Y)))


def _eigenvalue(kernel: NDArray, index: int) -> float:
    """One of the eigenvalues, in ascending order; NaN if the kernel is not finite, as others are."""
    if not np.isfinite(kernel).all():
        return np.nan
    return float(eigh(kernel, eigvals_only=True, subset_by_index=[index, index])[0])


def _norm(matrix: NDArray) -> float:
    return float(np.linalg.norm(matrix.astype(np.float64, copy=False)))


def flips(first: NDArray, second: NDArray) -> int:
    """Signs in which two activation patterns differ."""
    return int(np.unpackbits(first ^ second).sum())


def hidden_units(params: Params) -> int:
    """Units of all hidden layers: rows of all weight matrices but the output layers'."""
    weights = [name for name in params.names if name.removeprefix("mirror_").startswith("W")]
    last = max(int(name.removeprefix("mirror_")[1:]) for name in weights)
    return sum(len(params[name]) for name in weights if not name.endswith(f"W{last}"))
