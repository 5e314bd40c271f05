"""Power laws fitted to what a study measured, with the interval that the draws' scatter allows."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, nan, sqrt

import numpy as np
from scipy.stats import t as student_t

__all__ = ["PowerLaw", "fit_power_law"]


@dataclass(frozen=True)
class PowerLaw:
    """y = exp(log_prefactor) x^exponent, with standard error and confidence interval of the exponent."""

    exponent: float
    standard_error: float
    low: float
    high: float
    log_prefactor: float
    confidence: float = 0.95

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Return the law's values."""
        return np.exp(self.log_prefactor + self.exponent * np.log(np.asarray(x, float)))

    def __str__(self) -> str:
        return f"{self.exponent:.3f} ({100 * self.confidence:g} % interval {self.low:.3f} to {self.high:.3f})"


def fit_power_law(
    x: np.ndarray,
    y: np.ndarray,
    standard_error: np.ndarray,
    *,
    degrees_of_freedom: float = inf,
    confidence: float = 0.95,
) -> PowerLaw:
    """Fit a straight line through (log x, log y) by least squares.

    All points weigh the same, since weights estimated from the draws would favour what came out low; the
    exponent's standard error follows from those of the points, independent of each other.

    Parameters
    ----------
    x, y : ndarray of shape (k,)
        Positive, at least two different x.
    standard_error : ndarray of shape (k,)
        Of y.
    degrees_of_freedom : float, default=inf
        That the standard errors were estimated with; the interval is Student's.
    confidence : float, default=0.95
        Of the interval.

    Returns
    -------
    PowerLaw
        NaN throughout where a y is not positive.

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib.lab.studies import fit_power_law
    >>> x = np.array([10.0, 100.0, 1000.0])
    >>> print(fit_power_law(x, 3 / np.sqrt(x), 0.01 / np.sqrt(x)))
    -0.500 (95 % interval -0.502 to -0.498)
    """
    x, y = np.asarray(x, float), np.asarray(y, float)
    if len(np.unique(x)) < 2:
        raise ValueError("a power law needs at least two different x.")
    if not (y > 0).all():
        return PowerLaw(nan, nan, nan, nan, nan, confidence)
    centred = np.log(x) - np.log(x).mean()
    weights = centred / (centred @ centred)
    exponent = float(weights @ np.log(y))
    spread = sqrt(float(weights**2 @ (np.asarray(standard_error) / y) ** 2))
    reach = float(student_t.ppf((1 + confidence) / 2, degrees_of_freedom)) * spread
    log_prefactor = float(np.log(y).mean() - exponent * np.log(x).mean())
    return PowerLaw(exponent, spread, exponent - reach, exponent + reach, log_prefactor, confidence)
