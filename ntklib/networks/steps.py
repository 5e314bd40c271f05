"""Step multipliers: by what to multiply the learning rate of each array, for each family of optimisers.

One idea makes the whole table.  Let a layer's weights be multiplied by c in the forward pass, have i inputs
and o outputs, and let the loss's derivative in one of its outputs have size s.  What passes through a layer
should change by the order of 1.  Steps are aligned with the layer's inputs, so that they add up over all of
these: an entry should move by 1 / (c i).  Entries of the gradient have size g = c s.  If the entries of an
optimiser's step have size g^q N^(r/2) for a gradient with N = i o entries, the multiplier is

    1 / (c i) / (g^q N^(r/2)).
"""

from __future__ import annotations

from math import sqrt
from typing import NamedTuple

from ntklib._core.validation import check_option

__all__ = ["ArrayScale", "StepFamily", "as_family"]


class StepFamily(NamedTuple):
    """Powers of the gradient's entries' size, and of the root of their number, in the entries of a step."""

    gradient: int
    root_entries: int


STEP_FAMILIES = {
    "gradient": StepFamily(1, 0),  # in proportion to the gradient
    "entrywise": StepFamily(0, 0),  # every entry by the learning rate, about
    "orthogonal": StepFamily(0, -1),  # every singular value by the learning rate
    "max_norm": StepFamily(1, 2),  # every entry by the sum of the gradient's
}


def as_family(name: str) -> StepFamily:
    """Return the powers of a family.

    Raises
    ------
    ValueError
        If there is none of that name.
    """
    return STEP_FAMILIES[check_option(name, "step_family", STEP_FAMILIES)]


class ArrayScale(NamedTuple):
    """Size of an array and of its gradient, in powers of the widths; constants are left out.

    Whole numbers, so that multipliers that are whole come out exactly.  All 1 for arrays whose steps do not
    depend on the width.
    """

    forward: int = 1
    """1 / c^2, where c multiplies the array in the forward pass."""
    signal: int = 1
    """1 / s, where s is the size of the loss's derivative in one of the layer's outputs."""
    inputs: int = 1
    outputs: int = 1

    @property
    def gradient(self) -> float:
        """Size of an entry of the gradient."""
        return 1 / (sqrt(self.forward) * self.signal)

    def multiplier(self, family: str) -> float:
        """Return the factor of the learning rate for steps of a family."""
        q, r = as_family(family)
        entries = self.inputs * self.outputs
        above = self.forward ** (1 + q) * self.signal ** (2 * q) * entries ** max(-r, 0)
        below = self.inputs**2 * entries ** max(r, 0)
        return sqrt(above) / sqrt(below)
