"""Results of studies: frozen records that print as tables, draw themselves, save themselves and compare."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, TypeVar, dataclass_transform

import numpy as np

from ntklib._core.drawing import axes_and_figure
from ntklib._core.files import csv_text, new_folder, plain, write_together
from ntklib._core.text import text_table

__all__ = ["CSV", "RESULTS", "Draw", "StudyResult", "column", "entry", "result"]

RESULTS, CSV = "results.json", "results.csv"
_ROWS_SHOWN = 41

Draw = Callable[..., None]
"""A picture: a function that draws on given axes what a result holds."""

T = TypeVar("T", bound="type[StudyResult]")


def column(description: str) -> Any:
    """Return the field of a result that is a column of its table: a one-dimensional array."""
    return field(metadata={"description": description, "column": True})


def entry(description: str) -> Any:
    """Return the field of a result that is no column: a setting, a summary, raw draws."""
    return field(metadata={"description": description, "column": False})


@dataclass_transform(frozen_default=True, eq_default=False, field_specifiers=(column, entry))
def result(study: str, pictures: Mapping[str, Draw]) -> Callable[[T], T]:
    """Declare the class of a study's results.

    It becomes a frozen dataclass, whose docstring describes its fields.

    Parameters
    ----------
    study : str
        Name of the study.
    pictures : mapping of str to callable
        Functions ``(ax, result)``, by the name of the file that `StudyResult.save` makes; the main one first.

    Returns
    -------
    callable
        The decorator.
    """

    def declare(cls: T) -> T:
        made = dataclass(frozen=True, repr=False, eq=False)(cls)
        made.study, made._pictures = study, dict(pictures)
        described = fields(made)  # type: ignore[arg-type]
        made._columns = tuple(item.name for item in described if item.metadata["column"])
        if "columns" not in vars(cls):  # a result may leave some out
            made.columns = made._columns
        lines = [
            f"    {item.name} : {_type_name(item.type)}\n        {item.metadata['description']}"
            for item in described
        ]
        text = (cls.__doc__ or "").rstrip()
        made.__doc__ = "\n".join([text, "", "    Attributes", "    ----------", *lines])
        return made  # type: ignore[return-value]

    return declare


def _type_name(annotation: Any) -> str:
    return str(getattr(annotation, "__name__", annotation)).replace("NDArray", "ndarray")


class StudyResult(ABC):
    """Base of the results of all studies; `result` declares one.

    Two results are equal if they are of one type and hold the same numbers.
    """

    study: ClassVar[str]
    """Name of the study."""

    columns: ClassVar[tuple[str, ...]]
    """Fields that make up the table."""

    _columns: ClassVar[tuple[str, ...]]
    _pictures: ClassVar[dict[str, Draw]]

    @abstractmethod
    def headline(self) -> str:
        """Return the outcome in a few lines, shown above the table."""

    @property
    def pictures(self) -> tuple[str, ...]:
        """Names of the pictures of this result, the main one first."""
        return tuple(self._pictures)

    def plot(self, ax: Any = None, *, picture: str | None = None, **options: Any) -> Any:
        """Draw a picture.

        Parameters
        ----------
        ax : matplotlib axes or None, default=None
            Where to draw; new axes if None.
        picture : str or None, default=None
            One of `pictures`; None is the first.
        **options
            Of some pictures, such as which run to draw; see the class.

        Returns
        -------
        matplotlib axes

        Raises
        ------
        ValueError
            If there is no such picture.
        """
        if picture is None:
            picture = self.pictures[0]
        if picture not in self.pictures:
            known = ", ".join(map(repr, self.pictures))
            raise ValueError(f"picture must be one of {known}; got {picture!r}.")
        axes, _ = axes_and_figure(ax)
        self._draw(axes, picture, **options)
        return axes

    def _draw(self, ax: Any, picture: str, **options: Any) -> None:
        """Draw one of `pictures`; a result with a picture for each of its parts overrides both."""
        self._pictures[picture](ax, self, **options)

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
                "frame() needs pandas: pip install pandas; records() and to_dict() do without it."
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
        names = [CSV, *(f"{name}.png" for name in self.pictures), RESULTS]
        there = [name for name in names if (folder / name).exists()]
        if there and not overwrite:
            raise FileExistsError(
                f"{folder} holds {', '.join(there)} already; pass overwrite=True or another folder."
            )
        content: list[bytes | str] = [
            csv_text(self.table()),
            *(self._png(name) for name in self.pictures),
            json.dumps(self.to_dict(), indent=1, allow_nan=False) + "\n",
        ]
        with new_folder(folder):
            write_together(folder, dict(zip(names, content, strict=True)))
        return folder

    def _png(self, picture: str) -> bytes:
        """A picture drawn without pyplot: no window and no global state, whatever the user's backend is."""
        import io

        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        figure = Figure(figsize=(7.0, 4.5), dpi=150, layout="constrained")
        canvas = FigureCanvasAgg(figure)
        self.plot(figure.add_subplot(), picture=picture)
        buffer = io.BytesIO()
        canvas.print_png(buffer)  # `savefig` draws twice
        return buffer.getvalue()

    def __str__(self) -> str:
        table = self.table()
        head, rows = [name.replace("_", " ") for name in table], zip(*table.values(), strict=True)
        return f"{self.headline()}\n\n{text_table(head, rows, limit=_ROWS_SHOWN)}"

    __repr__ = __str__

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.to_dict() == other.to_dict()  # type: ignore[attr-defined]

    __hash__ = None  # type: ignore[assignment]
