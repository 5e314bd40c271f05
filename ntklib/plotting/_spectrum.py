"""Eigenvalues of a Gram matrix, largest first, against the ridge penalty."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import eigvalsh

from ntklib._core.drawing import COLORS, axes_and_figure, light_axes
from ntklib._core.sampling import sample_rows, take_rows

from ._fitted import final_step, fitted_kernel, gram_of


class KernelSpectrumDisplay:
    r"""Kernel spectrum: how fast the eigenvalues of the Gram matrix fall.

    Ridge regression with penalty :math:`\alpha` keeps the fraction :math:`\lambda_i/(\lambda_i + \alpha)` of
    direction :math:`i`: what stands above the penalty is learnt, what stands below is shrunk away. The
    fractions sum to the effective number of parameters,

    .. math:: d_\alpha = \sum_i \frac{\lambda_i}{\lambda_i + \alpha}.

    Parameters
    ----------
    eigenvalues : array-like of shape (n_samples,)
        In any order.
    penalty : float or None, default=None
        The ridge penalty, drawn as a line.
    label : str or None, default=None
        For the legend.

    Attributes
    ----------
    effective_dimension : float or None
        The sum above, None without a penalty.
    ax_, figure_ : matplotlib axes and figure
        Where it was drawn.

    Raises
    ------
    ValueError
        If ``eigenvalues`` is empty, not one-dimensional or not finite, or the penalty is negative.

    References
    ----------
    Hastie, Tibshirani, Friedman, *The Elements of Statistical Learning*, 2nd ed., section 3.4.1.

    Examples
    --------
    >>> from ntklib.plotting import KernelSpectrumDisplay
    >>> display = KernelSpectrumDisplay([3.0, 1.0, 0.0], penalty=1.0)
    >>> display.effective_dimension
    1.25
    """

    def __init__(
        self, eigenvalues: ArrayLike, *, penalty: float | None = None, label: str | None = None
    ) -> None:
        values: NDArray = np.asarray(eigenvalues, dtype=float)
        if values.ndim != 1 or values.size == 0 or not np.isfinite(values).all():
            raise ValueError("eigenvalues must be a one-dimensional array of finite numbers, not empty")
        if penalty is not None and not penalty >= 0:
            raise ValueError(f"penalty must be at least 0, got {penalty}")
        self.eigenvalues = np.sort(values)[::-1]
        self.penalty = penalty
        self.label = label
        self.effective_dimension: float | None = None
        if penalty is not None:
            kept = np.clip(self.eigenvalues, 0.0, None)
            shares = np.divide(kept, kept + penalty, out=np.zeros_like(kept), where=kept + penalty > 0)
            self.effective_dimension = float(shares.sum())

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        max_samples: int | None = 2000,
        random_state: Any = 0,
        ax: Any = None,
        **plot_kwargs: Any,
    ) -> KernelSpectrumDisplay:
        """Compute the spectrum of a fitted estimator's kernel on its training rows, and draw it.

        Parameters
        ----------
        estimator : fitted kernel estimator, or a Pipeline that ends with one
            It has ``kernel_`` and ``X_fit_``; its penalty is taken from ``alpha_`` or ``alpha``.
        max_samples : int or None, default=2000
            Use at most so many rows. Eigenvalues grow with the number of rows, so the penalty is scaled by
            the sampled share to stay comparable.
        random_state : int, RandomState or None, default=0
            Draws those rows.
        ax : matplotlib axes or None, default=None
            Where to draw.
        **plot_kwargs
            For matplotlib's ``plot``.

        Returns
        -------
        KernelSpectrumDisplay
        """
        model, _ = final_step(estimator)
        rows = sample_rows(model.X_fit_.shape[0], max_samples, random_state)
        gram = gram_of(fitted_kernel(model), take_rows(model.X_fit_, rows))
        penalty = getattr(model, "alpha_", getattr(model, "alpha", None))
        if penalty is not None and np.ndim(penalty) == 0:
            penalty = float(penalty) * len(rows) / model.X_fit_.shape[0]
        else:  # one penalty a target has no single line
            penalty = None
        return cls(eigvalsh(gram), penalty=penalty).plot(ax=ax, **plot_kwargs)

    @classmethod
    def from_kernel(
        cls, kernel: Any, X: ArrayLike, *, ax: Any = None, **plot_kwargs: Any
    ) -> KernelSpectrumDisplay:
        """Compute the spectrum of a kernel's Gram matrix and draw it.

        Parameters
        ----------
        kernel : callable
            A kernel object, or a function of two arrays of rows.
        X : array-like of shape (n_samples, n_features)
            The rows.
        ax : matplotlib axes or None, default=None
            Where to draw.
        **plot_kwargs
            For matplotlib's ``plot``.

        Returns
        -------
        KernelSpectrumDisplay
        """
        return cls(eigvalsh(gram_of(kernel, X))).plot(ax=ax, **plot_kwargs)

    def plot(self, ax: Any = None, **kwargs: Any) -> KernelSpectrumDisplay:
        """Draw the eigenvalues on two logarithmic axes.

        Eigenvalues below the rounding error of the largest (n eps lambda_max) say nothing and are left out.

        Parameters
        ----------
        ax : matplotlib axes or None, default=None
            Where to draw; new axes if None.
        **kwargs
            For matplotlib's ``plot``.

        Returns
        -------
        KernelSpectrumDisplay
            Itself.
        """
        ax, self.figure_ = axes_and_figure(ax)
        self.ax_ = ax
        floor = len(self.eigenvalues) * np.finfo(float).eps * max(self.eigenvalues[0], 0.0)
        positive = self.eigenvalues > floor
        style = {"color": COLORS[0], "linewidth": 1.8, "label": self.label or "eigenvalues"} | kwargs
        index = np.arange(1, len(self.eigenvalues) + 1)
        ax.plot(index[positive], self.eigenvalues[positive], **style)
        if self.effective_dimension is not None and self.penalty:
            count = f"{self.effective_dimension:.{0 if self.effective_dimension >= 100 else 1}f}"
            label = rf"penalty $\alpha$ = {self.penalty:.3g}: {count} effective parameters"
            ax.axhline(self.penalty, color=COLORS[1], linestyle="--", linewidth=1.4, label=label)
        ax.set(
            xscale="log", yscale="log", xlabel="index, largest first", ylabel="eigenvalue of the Gram matrix"
        )
        light_axes(ax)
        ax.legend(frameon=False, loc="best")
        return self
