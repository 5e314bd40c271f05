"""The laboratory: studies, tables of data, the report and the command line.

It uses the library's public names; the library knows nothing of it.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

__all__ = ["cli", "landscapes", "mean_field", "report", "studies", "tables"]


def __getattr__(name: str) -> ModuleType:
    """Import a module when it is first asked for."""
    if name in __all__:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
