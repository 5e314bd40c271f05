"""Model files: a zip archive of a JSON header and a skops dump of the fitted pipeline.

The header says who wrote the file before anything of the dump is looked at; the dump is read by skops with
the types below and no others, so that a file from a stranger cannot run code. Nothing is pickled.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline, make_pipeline

from ntklib.cli._trusted import TRUSTED_TYPES
from ntklib.datasets import DataError, Schema, Table, make_preprocessor, read_target
from ntklib.report._output import write_atomically
from ntklib.report._versions import library_version

FORMAT = "ntklib-model"
FORMAT_VERSION = 1
HEADER = "ntklib.json"


def _silent(message: str) -> None:
    pass


@dataclass(frozen=True)
class Model:
    """A fitted pipeline with the schema of the tables it reads.

    Parameters
    ----------
    pipeline : sklearn.pipeline.Pipeline
        Preprocessing and estimator, fitted.
    schema : Schema
        The columns.
    target : str
        What is predicted.
    task : {"regression", "classification"}
        What predicting it is.
    reason : str
        Why that task.
    """

    pipeline: Pipeline
    schema: Schema
    target: str
    task: str
    reason: str

    @classmethod
    def fit(
        cls,
        table: Table,
        *,
        target: str | None = None,
        task: str = "auto",
        categorical: tuple[str, ...] = (),
        impute: str | None = None,
        note: Callable[[str], None] = _silent,
    ) -> Model:
        """Fit the default CV estimator on all rows of a table.

        Raises
        ------
        DataError
            If the table does not suit.
        """
        from ntklib.estimators import NTKClassifierCV, NTKRegressorCV

        chosen = read_target(table, target, task=task, categorical=(target or table.target) in categorical)
        schema = Schema.infer(table, target=chosen.name, categorical=categorical, impute=impute)
        X = schema.encode(table, note)
        estimator = NTKClassifierCV() if chosen.task == "classification" else NTKRegressorCV()
        pipeline = make_pipeline(make_preprocessor(schema), estimator).fit(X, chosen.values)
        return cls(pipeline, schema, chosen.name, chosen.task, chosen.reason)

    def predict(
        self, table: Table, *, proba: bool = False, note: Callable[[str], None] = _silent
    ) -> dict[str, NDArray]:
        """Return the columns of the answer: ``prediction``, and ``probability_<class>`` if asked for.

        Raises
        ------
        DataError
            If the table lacks a column or has a cell that cannot be used.
        """
        X = self.schema.encode(table, note)
        unused = [name for name in table.columns if name not in {*self.schema.columns, self.target}]
        if unused:
            note(f"{table.name}: columns the model does not use: {', '.join(unused)}")
        self._note_new_categories(table, X, note)
        columns = {"prediction": self.pipeline.predict(X)}
        if proba:
            shares = self.pipeline.predict_proba(X)
            columns |= {f"probability_{c}": shares[:, j] for j, c in enumerate(self.pipeline.classes_)}
        return columns

    def _note_new_categories(self, table: Table, X: NDArray, note: Callable[[str], None]) -> None:
        text = [j for j, kind in enumerate(self.schema.kinds) if kind == "text"]
        if not text:
            return
        encoder = self.pipeline[0].named_transformers_["text"]
        for j, known in zip(text, encoder.categories_, strict=True):
            new = np.flatnonzero(~np.isin(X[:, j].astype(str), known.astype(str)))
            if len(new):
                place = table.place(new[0], self.schema.columns[j])
                more = f" (and {len(new) - 1} more in this column)" if len(new) > 1 else ""
                note(
                    f"{place}: {X[new[0], j]!r} was not met in training{more}; treated as none of its categories"
                )


def save_model(model: Model, path: Path) -> None:
    """Write a model file, whole or not at all.

    Raises
    ------
    DataError
        If the file cannot be written.
    """
    import skops.io

    header = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "ntklib_version": library_version(),
        "target": model.target,
        "task": model.task,
        "reason": model.reason,
        "columns": list(model.schema.columns),
        "kinds": list(model.schema.kinds),
        "impute": model.schema.impute,
    }
    buffer = io.BytesIO(skops.io.dumps(model.pipeline, compression=zipfile.ZIP_DEFLATED))
    with zipfile.ZipFile(buffer, "a", compression=zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(HEADER, json.dumps(header, indent=1))
    write_atomically(path, buffer.getvalue())


def load_model(path: str | Path) -> Model:
    """Read a model file.

    Parameters
    ----------
    path : str or Path
        Written by :func:`save_model`.

    Returns
    -------
    Model

    Raises
    ------
    DataError
        If the file is missing, truncated or damaged, no model file, written by a newer ntklib, or holds a
        type that is not trusted.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from None
    header = _read_header(path, data)
    pipeline = _read_pipeline(path, data, header["ntklib_version"])
    kinds = tuple(header["kinds"])
    schema = Schema(tuple(header["columns"]), kinds, header["impute"])
    return Model(pipeline, schema, header["target"], header["task"], header["reason"])


def _read_header(path: Path, data: bytes) -> dict[str, Any]:
    if not data:
        raise DataError(f"{path}: the file is empty")
    if not data.startswith(b"PK"):
        raise DataError(f"{path}: no ntklib model file (ntklib fit writes one)")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            damaged = archive.testzip()
            text = archive.read(HEADER) if HEADER in archive.namelist() else None
    except (zipfile.BadZipFile, EOFError, OSError, ValueError, NotImplementedError, RuntimeError) as error:
        raise DataError(f"{path}: truncated or damaged ({error})") from None
    except Exception as error:  # zlib.error and whatever else broken bytes lead to
        raise DataError(f"{path}: damaged ({error})") from None
    if damaged is not None:
        raise DataError(f"{path}: damaged ({damaged} in it does not match its checksum)")
    if text is None:
        raise DataError(f"{path}: no ntklib model file (an archive without {HEADER})")
    try:
        header = json.loads(text)
        if header["format"] != FORMAT:
            raise DataError(f"{path}: no ntklib model file (its format is {header['format']!r})")
        newer = int(header["format_version"]) > FORMAT_VERSION
        writer = str(header["ntklib_version"])
    except (ValueError, KeyError, TypeError):
        raise DataError(f"{path}: damaged ({HEADER} in it makes no sense)") from None
    if newer:
        raise DataError(
            f"{path}: written by a newer ntklib ({writer}, this is {library_version()}); upgrade ntklib to read it"
        )
    _check_header(path, header)
    return header


def _check_header(path: Path, header: dict[str, Any]) -> None:
    columns, kinds = header.get("columns"), header.get("kinds")
    sound = (
        isinstance(columns, list)
        and isinstance(kinds, list)
        and len(columns) == len(kinds)
        and all(isinstance(name, str) for name in columns)
        and all(kind in ("numeric", "text") for kind in kinds)
        and header.get("task") in ("regression", "classification")
        and isinstance(header.get("target"), str)
        and isinstance(header.get("reason"), str)
        and header.get("impute") in (None, "median")
    )
    if not sound:
        raise DataError(f"{path}: damaged ({HEADER} in it makes no sense)")


def _read_pipeline(path: Path, data: bytes, writer: str) -> Pipeline:
    import skops.io

    try:
        strangers = sorted(set(skops.io.get_untrusted_types(data=data)) - set(TRUSTED_TYPES))
        if strangers:
            raise DataError(
                f"{path}: refused, it holds types that ntklib does not write: {', '.join(strangers)}"
            )
        pipeline = skops.io.loads(data, trusted=list(TRUSTED_TYPES))
    except DataError:
        raise
    except Exception as error:  # a schema edited by hand can fail anywhere
        reason = " ".join(str(error).split())[:200]
        raise DataError(
            f"{path}: cannot be rebuilt, it is damaged or needs another ntklib than {library_version()} "
            f"(written by {writer}): {type(error).__name__}: {reason}"
        ) from None
    if not isinstance(pipeline, Pipeline) or len(pipeline.steps) != 2:
        raise DataError(f"{path}: no ntklib model file (it holds a {type(pipeline).__name__})")
    return pipeline
