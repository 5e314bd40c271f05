"""What is certified for one network on n rows, and a table of it: from which scale, and which width, on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["DecaySetting", "threshold_lines"]

_REACH = 1e7
"""Beyond this width the weights of a few features take gigabytes."""


@dataclass(frozen=True)
class DecaySetting:
    r"""A network on n rows: what is certified from its start, and what it needed.

    Attributes
    ----------
    width, n : int
    sigma_min, sigma_max : float
        Extreme singular values of the Jacobian at the start.
    thresholds : mapping of str to float
        The least certified scale, by theorem; infinite if there is none.
    certifying_widths : mapping of str to float
        About the width from which on scale 1 is certified; NaN where it is not known.
    kept_down_to : float
        The least scale that was run such that there, and at all larger ones, the loss of the network kept
        below what theorems A and B promise, :math:`L_0 e^{-\alpha^2 \sigma_{\min}^2 t / 2}`; NaN if there
        is none.
    least_scale : float
        The least that was run.
    """

    width: int
    n: int
    sigma_min: float
    sigma_max: float
    thresholds: Mapping[str, float]
    certifying_widths: Mapping[str, float]
    kept_down_to: float
    least_scale: float

    @property
    def condition_number(self) -> float:
        """That of the tangent kernel, the square of the Jacobian's."""
        return (self.sigma_max / self.sigma_min) ** 2


def threshold_lines(settings: Sequence[DecaySetting]) -> list[str]:
    """Return a line a setting: from which scale on the theorems hold, and from which width on at scale 1."""
    theorems = list(settings[0].thresholds)
    printed = [name for name in theorems if name != "B"]  # B asks for more than A, and promises no more
    head = ["width", "n", "condition", *(f"from scale ({name})" for name in theorems)]
    head += ["kept down to", *(f"width for scale 1 ({name})" for name in printed)]
    rows = [
        [
            str(one.width),
            str(one.n),
            f"{one.condition_number:.3g}",
            *(f"{one.thresholds[name]:.4g}" for name in theorems),
            f"{one.kept_down_to:.3g}",
            *(_count(one.certifying_widths[name]) for name in printed),
        ]
        for one in settings
    ]
    sizes = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lowest = all(one.kept_down_to == one.least_scale for one in settings)
    note = "the smallest that was run" if lowest else "that and all larger ones"
    return [
        "from which scale on it is certified, down to which scale the promise of theorem A was kept "
        f"nevertheless ({note}), and the width that scale 1 would take by the theorem:",
        *("  ".join(map(str.rjust, row, sizes)) for row in (head, *rows)),
        _reach(max(settings, key=lambda one: (one.n, one.width))),
    ]


def _reach(one: DecaySetting) -> str:
    """Say what scale 1 would take, and by which theorem that is out of reach."""
    known = [
        f"{_count(width)} by theorem {name}{' (out of reach)' if width > _REACH else ''}"
        for name, width in one.certifying_widths.items()
        if not np.isnan(width)
    ]
    if not known:
        return f"on {one.n} rows no width is known that would certify scale 1"
    return f"on {one.n} rows scale 1 takes a width of about {', '.join(known)}"


def _count(width: float) -> str:
    """Three digits: it is a forecast."""
    return "-" if np.isnan(width) else f"{width:.3g}" if width >= 1e6 else f"{float(f'{width:.3g}'):,.0f}"
