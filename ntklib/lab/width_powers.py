"""Powers of the width that follow from a network's parameterisation, predicted and fitted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ntklib.dynamics import GradientDescent, Optimizer
from ntklib.lab.draws import power_of_width
from ntklib.lab.power_law import PowerLaw

__all__ = ["ScalingLaw", "find_law", "fit_laws", "predicted_powers", "reference_step"]


def reference_step(optimizer: Optimizer) -> str:
    """Return the name of the step size to begin with: the largest stable one is gradient descent's."""
    return "largest_step" if type(optimizer) is GradientDescent else "unit_step"


@dataclass(frozen=True)
class ScalingLaw:
    """A quantity of networks of one parameterisation against width: the power predicted and the one fitted.

    Attributes
    ----------
    parameterization, quantity : str
    predicted : float
        Power of the width, in the limit.
    fitted : PowerLaw
    """

    parameterization: str
    quantity: str
    predicted: float
    fitted: PowerLaw

    @property
    def z(self) -> float:
        """By how many standard errors the fitted power differs from the predicted one."""
        return (self.fitted.exponent - self.predicted) / self.fitted.standard_error

    def __str__(self) -> str:
        return (
            f"{self.parameterization} {self.quantity}: {self.fitted.exponent:.3f} +- "
            f"{self.fitted.standard_error:.3f}, predicted {self.predicted:g}"
        )


def fit_laws(
    predicted: Mapping[str, Mapping[str, float]],
    width: NDArray,
    quantities: Mapping[str, tuple[NDArray, NDArray]],
    n_draws: int,
) -> tuple[ScalingLaw, ...]:
    """Fit the power of the width in each quantity of networks of each parameterisation.

    Parameters
    ----------
    predicted : mapping of str to mapping of str to float
        By parameterisation the powers of some of the quantities.
    width : ndarray of shape (n_parameterizations * n_widths,)
        The same widths for each parameterisation, one after the other.
    quantities : mapping of str to pair of ndarray
        Means over the draws and their standard errors, shaped like ``width``.
    n_draws : int
    """
    laws = []
    for (name, powers), rows in zip(
        predicted.items(), np.split(np.arange(len(width)), len(predicted)), strict=True
    ):
        for quantity, power in powers.items():
            mean, error = quantities[quantity]
            fitted = power_of_width(width[rows], mean[rows], error[rows], n_draws)
            laws.append(ScalingLaw(name, quantity, power, fitted))
    return tuple(laws)


def find_law(laws: Sequence[ScalingLaw], parameterization: str, quantity: str) -> ScalingLaw:
    """Return the fitted and predicted power of one quantity.

    Raises
    ------
    KeyError
        If there is none of these names.
    """
    for law in laws:
        if (law.parameterization, law.quantity) == (parameterization, quantity):
            return law
    known = ", ".join(dict.fromkeys(law.quantity for law in laws))
    raise KeyError(f"no law of {quantity!r} in {parameterization!r}; there are {known}.")


def predicted_powers(network: Any, optimizer: Optimizer | None = None) -> dict[str, float]:
    r"""Return the powers of the width that describe a network's gradient and steps as it is drawn.

    Let layer l have multiplier :math:`m^{a_l}`, entries of size :math:`m^{b_l}` and steps multiplied by
    :math:`m^{s_l}`.  Hidden layers keep the size of signals (:math:`a_l + b_l = -1/2`), so that the signal
    sent back to each hidden neuron has size :math:`m^{\delta}` with :math:`\delta = a_L + b_L`; the output
    layer's is 1, of fixed size.  An entry of a layer's gradient is multiplier times signal from above times
    value from below; the layer has :math:`m^{k_l}` entries, k = 1, 2, ..., 2, 1.  Its part of the weighted
    kernel has size :math:`m^{s_l}` times the squared norm, and the largest stable step goes with the largest
    part.  Another optimiser's step has entries that go with other powers of the gradient's and of their
    number (its `step_family`); what a step changes of the outputs is, to first order, the sum over all
    entries of gradient times step.

    Parameters
    ----------
    network : TwoLayerNet or MLP
        Its width does not matter.
    optimizer : Optimizer, default=None
        None is gradient descent.

    Returns
    -------
    dict of str to float
        For ``first_entry``, an entry of the first layer's gradient; ``norm_0``, ..., ``norm_L``, the norm of
        each layer's gradient; ``largest_step``, or for optimisers other than `GradientDescent` ``unit_step``,
        whose first move changes the outputs by the targets' size; ``best_step``, which goes with it;
        ``first_change``, what that step changes of an entry of the first layer, relative to its size.

    References
    ----------
    G. Yang and E. J. Hu, "Tensor programs IV: feature learning in infinite-width neural networks", ICML 2021,
    for parameterisations as powers of the width.

    Examples
    --------
    >>> from ntklib.networks import TwoLayerNet
    >>> from ntklib.lab.studies import predicted_powers
    >>> powers = predicted_powers(TwoLayerNet(parameterization="standard"))
    >>> powers["first_entry"], powers["norm_0"], powers["norm_1"], powers["largest_step"]
    (-0.5, 0.0, 0.5, -1.0)
    """
    narrow, wide = (network.with_width(width).spec for width in (1, 4))

    def power(small: float, large: float) -> float:
        return round(2 * log(large / small, 4)) / 2 + 0.0  # -0.0 is 0

    layers = list(zip(narrow.scalings(1), wide.scalings(1), strict=True))
    a = [power(one.weight, other.weight) for one, other in layers]
    b = [power(one.weight_spread, other.weight_spread) for one, other in layers]
    optimizer = GradientDescent() if optimizer is None else optimizer
    family = optimizer.step_powers
    steps = zip(narrow.steps(optimizer.step_family), wide.steps(optimizer.step_family), strict=True)
    s = [power(one, other) for (one, _), (other, _) in steps]
    top = narrow.depth
    entries = [a[layer] + (0.0 if layer == top else a[top] + b[top]) for layer in range(top + 1)]
    counts = [1.0 if layer in (0, top) else 2.0 for layer in range(top + 1)]
    norms = [entry + count / 2 for entry, count in zip(entries, counts, strict=True)]
    moves = [
        step + family.gradient * entry + family.root_entries * count / 2
        for step, entry, count in zip(s, entries, counts, strict=True)
    ]
    # biases never count for more than the weights beside them in any parameterisation
    largest = 0.0 - max(map(sum, zip(counts, entries, moves, strict=True)))
    return {
        "first_entry": entries[0],
        **{f"norm_{layer}": norm for layer, norm in enumerate(norms)},
        reference_step(optimizer): largest,
        "best_step": largest,
        "first_change": moves[0] + largest - b[0],
    }
