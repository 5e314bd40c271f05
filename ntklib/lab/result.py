"""What all studies return: a frozen record that prints as a table, draws itself and saves itself."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ntklib._core.files import csv_text, new_folder, plain, write_together

__all__ = ["CSV", "RESULTS", "StudyResult"]

RESULTS, CSV = "results.json", "results.csv"
_ROWS_SHOWN = 40


class StudyResult(ABC):
    """Base of the results of all studies.

    A subclass is a dataclass, ``@dataclass(frozen=True, repr=False, eq=False)``.  The fields named in
    ``columns`` are the columns of its table: one-dimensional arrays of one length.  All other fields are
    settings, summaries and raw draws, which go to ``results.json`` only.

    Two results are equal if they are of one type and hold the same numbers.
    """

    study: ClassVar[str]
    """Short name, the one of the command line."""

    columns: ClassVar[tuple[str, ...]]
    """Fields that make up the table."""

    @abstractmethod
    def headline(self) -> str:
        """Return the finding in a line or two, shown above the table."""

    @abstractmethod
    def plot(self, ax: Any = None) -> Any:
        """Draw the main picture on ``ax`` (new axes if None) and return its Display."""

    def pictures(self) -> Mapping[str, Callable[[Any], Any]]:
        """Return functions that draw on given axes, by the name of the picture file that `save` makes."""
        return {"plot": self.plot}

    def table(self) -> dict[str, np.ndarray]:
        """Return the columns by name."""
        return {name: np.asarray(getattr(self, name)) for name in self.columns}

    def records(self) -> list[dict[str, Any]]:
        """Return the rows of the table as dictionaries of plain numbers and strings."""
        rows = zip(*(values.tolist() for values in self.table().values()), strict=True)
        return [dict(zip(self.columns, row, strict=True)) for row in rows]

    def frame(self) -> Any:
        """Return the table as a pandas DataFrame.

        Raises
        ------
        ImportError
            If pandas is not installed; `records` and `to_dict` do without it.
        """
        try:
            import pandas as pd
        except ImportError:
            raise ImportError(
                "frame() needs pandas: pip install 'ntklib[parquet]'; records() and to_dict() do without it."
            ) from None
        return pd.DataFrame(self.table())

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain dictionaries, lists, numbers and strings (NaN as None)."""
        others = [field.name for field in fields(self) if field.name not in self.columns]  # type: ignore[arg-type]
        return {
            "format": "ntklib-study",
            "format_version": 1,
            "study": self.study,
            **{name: plain(getattr(self, name)) for name in others},
            "table": plain(self.table()),
        }

    def save(self, folder: str | Path, *, overwrite: bool = False) -> Path:
        """Write ``results.csv`` (the table), the pictures as PNG and ``results.json`` (everything).

        Every file appears whole or not at all, and ``results.json`` last: the others belong to it.

        Parameters
        ----------
        folder : str or Path
            Made if it is not there.
        overwrite : bool, default=False
            Replace such files; without it they are kept, and nothing is written.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        FileExistsError
            If one of the files exists and ``overwrite`` is False.
        OSError
            If a file cannot be written.
        """
        folder = Path(folder)
        pictures = self.pictures()
        names = [CSV, *(f"{name}.png" for name in pictures), RESULTS]
        there = [name for name in names if (folder / name).exists()]
        if there and not overwrite:
            raise FileExistsError(
                f"{folder} holds {', '.join(there)} already; pass overwrite=True or another folder."
            )
        content: list[bytes | str] = [
            csv_text(self.table()),
            *map(_png, pictures.values()),
            json.dumps(self.to_dict(), indent=1, allow_nan=False) + "\n",
        ]
        with new_folder(folder):
            write_together(folder, dict(zip(names, content, strict=True)))
        return folder

    def __str__(self) -> str:
        return f"{self.headline()}\n\n{_text_table(self.table())}"

    __repr__ = __str__

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.to_dict() == other.to_dict()  # type: ignore[attr-defined]

    __hash__ = None  # type: ignore[assignment]


def _png(draw: Callable[[Any], Any]) -> bytes:
    """Draw without pyplot: no window and no global state, whatever the user's backend is."""
    import io

    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.0, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    draw(figure.add_subplot())
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=150)
    return buffer.getvalue()


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return "-" if np.isnan(value) else f"{value:.4g}"
    return str(value)


def _text_table(table: Mapping[str, np.ndarray]) -> str:
    """Return the columns right-aligned under their names, the middle of a long table left out."""
    rows = [list(map(_cell, row)) for row in zip(*(c.tolist() for c in table.values()), strict=True)]
    if len(rows) > _ROWS_SHOWN:
        half = _ROWS_SHOWN // 2
        rows = [*rows[:half], ["..."] * len(table), *rows[-half:]]
    rows.insert(0, [name.replace("_", " ") for name in table])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(text.rjust(width) for text, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)
