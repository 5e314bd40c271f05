"""Dask tokens of objects that are their parameters."""

from __future__ import annotations

from typing import Any


class Tokened:
    """An object with `get_params`, whose Dask token follows from its class and parameters alone.

    What it keeps for speed has no part in it. Dask need not be there.
    """

    def __dask_tokenize__(self) -> tuple[str, str, list[tuple[str, Any]]]:
        kind, parameters = type(self), self.get_params(deep=False)  # type: ignore[attr-defined]
        return kind.__module__, kind.__qualname__, sorted(parameters.items())
