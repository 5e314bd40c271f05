"""Studies by name."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .study import Declaration

__all__ = ["STUDIES", "load_study"]

STUDIES = (
    "width",
    "linearization",
    "lazy-accuracy",
    "lazy-decay",
    "scale",
    "criterion",
    "homogeneity",
    "landscapes",
    "valley",
    "parameterization",
    "rescaling",
    "implicit-bias",
    "feature-learning",
    "learning-curve",
    "phase-diagram",
    "kernel-evolution",
)
"""Names of all studies, in the order of the help.

The study ``some-name`` is the function ``some_name_study`` of the package ``ntklib.lab.studies.some_name``.
"""


def load_study(name: str) -> Declaration:
    """Return the declaration of a study.

    Examples
    --------
    >>> from ntklib.lab.registry import load_study
    >>> load_study("width").arguments["n_draws"]
    Integer(minimum=2)
    """
    from .study import declaration_of

    folder = name.replace("-", "_")
    return declaration_of(getattr(import_module(f"ntklib.lab.studies.{folder}"), f"{folder}_study"))
