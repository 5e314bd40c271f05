"""Model files: a zip archive of a JSON header and a skops dump of the fitted pipeline.

The header says who wrote the file before anything of the dump is looked at; the dump is built by skops from a
closed list of types, so that a file from a stranger cannot run code. Nothing is pickled. What was read is a
model only if it is the pipeline that ``fit`` makes for these columns and predicts a row.
"""

from __future__ import annotations

import io
import json
import math
import warnings
import zipfile
from collections.abc import Callable
from copy import copy
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.pipeline import Pipeline

from ntklib import __version__
from ntklib._core.files import open_regular
from ntklib.lab.report.output import write_atomically
from ntklib.lab.tables import KINDS, DataError, Schema
from ntklib.lab.tables.table import check_names, show, silent

from ._archive import ArchiveError, read_archive, write_archive
from ._model import TablePredictor
from ._trusted import make_internal, make_public, strangers, trusted_types

FORMAT = "ntklib-model"
FORMAT_VERSION = 2
HEADER = "ntklib.json"
DUMP = "schema.json"
MAX_PARTS = 4_000_000
"""Items in the JSON of a file: each costs a hundred bytes of memory. A column takes two, a category six."""


def save_model(model: TablePredictor, path: Path) -> None:
    """Write a model file, whole or not at all.

    Raises
    ------
    DataError
        If the file cannot be written, or the model has too many categories or columns.
    """
    import skops.io

    header = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "ntklib_version": __version__,
        "target": model.target,
        "task": model.task,
        "reason": model.reason,
        "columns": list(model.schema.columns),
        "kinds": list(model.schema.kinds),
        "impute": model.schema.impute,
        "max_categories": model.schema.max_categories,
        "squash": model.schema.squash,
        "left_out": dict(model.schema.left_out),
        "scores": dict(model.scores),
    }
    dump = io.BytesIO(skops.io.dumps(_light(model.pipeline)))
    members = read_archive(dump)
    types = json.loads(members[DUMP])
    make_public(types)
    if unknown := strangers(types):  # better now than when it is to be read
        raise TypeError(f"the model holds types that could not be read back: {', '.join(unknown)}")
    members[DUMP] = json.dumps(types).encode()
    members[HEADER] = json.dumps(header, indent=1).encode()
    if max(_count_parts(members[DUMP]), _count_parts(members[HEADER])) > MAX_PARTS:
        raise DataError(f"{path}: the model has too many categories or columns to be kept in a file")
    write_atomically(path, write_archive(members))


def _light(pipeline: Pipeline) -> Pipeline:
    """The same pipeline with its column numbers in arrays: a dump has a node for each item of a list."""
    preprocessor = copy(pipeline[0])
    indices = preprocessor._transformer_to_input_indices
    preprocessor._transformer_to_input_indices = {name: np.array(js, int) for name, js in indices.items()}
    return Pipeline([(pipeline.steps[0][0], preprocessor), pipeline.steps[1]])


def load_model(path: str | Path, note: Callable[[str], None] = silent) -> TablePredictor:
    """Read a model file.

    Parameters
    ----------
    path : str or Path
        Written by :func:`save_model`.
    note : callable, default: nothing
        Receives one line if the file was written with another version of scikit-learn.

    Returns
    -------
    TablePredictor

    Raises
    ------
    DataError
        If the file is missing, no regular file, truncated or damaged, no model file, would expand beyond what
        its size allows, was written by a newer ntklib, holds a type that is not trusted, or is put together
        from parts that do not belong together.
    """
    path = Path(path)
    members = _read_members(path)
    if HEADER not in members:
        raise DataError(f"{path}: no ntklib model file (an archive without {HEADER})")
    header = _read_header(path, members.pop(HEADER))
    schema = Schema(
        tuple(header["columns"]),
        tuple(header["kinds"]),
        header["impute"],
        header["max_categories"],
        header["squash"],
        header["left_out"],
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        pipeline = _read_pipeline(path, members, header["ntklib_version"])
        answer = (header[name] for name in ("target", "task", "reason", "scores"))
        model = TablePredictor(pipeline, schema, *answer)
        _check_model(path, model)
    other = [w.message for w in caught if isinstance(w.message, InconsistentVersionWarning)]
    if other:
        note(
            f"{path}: written with scikit-learn {show(other[0].original_sklearn_version)}, this is "
            f"{other[0].current_sklearn_version}; predictions may differ"
        )
    return model


def _read_members(path: Path) -> dict[str, bytes]:
    try:
        with open_regular(path) as file:
            start = file.read(2)
            if not start:
                raise DataError(f"{path}: the file is empty")
            if start != b"PK":
                raise DataError(f"{path}: no ntklib model file (ntklib fit writes one)")
            return read_archive(file)
    except ArchiveError as error:
        raise DataError(f"{path}: {error}") from None
    except (OSError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from None
    except MemoryError:
        raise DataError(f"{path}: does not fit in memory") from None


def _count_parts(text: bytes) -> int:
    """Bound the number of items in a JSON text, before any of them takes memory."""
    return text.count(b",") + text.count(b"[") + text.count(b"{")


def _parse(path: Path, name: str, text: bytes) -> dict[str, Any]:
    """Parse a JSON object that anybody may have written."""
    try:
        if _count_parts(text) > MAX_PARTS:
            raise ValueError
        value = json.loads(text)
        if not isinstance(value, dict):
            raise ValueError
    except (ValueError, RecursionError, MemoryError):
        raise DataError(f"{path}: damaged ({name} in it makes no sense)") from None
    return value


def _read_header(path: Path, text: bytes) -> dict[str, Any]:
    header = _parse(path, HEADER, text)
    if header.get("format") != FORMAT:
        raise DataError(f"{path}: no ntklib model file (its format is {show(header.get('format'))})")
    version, writer = header.get("format_version"), header.get("ntklib_version")
    senseless = DataError(f"{path}: damaged ({HEADER} in it makes no sense)")
    if type(version) is not int or version < 1 or not isinstance(writer, str):
        raise senseless
    if version > FORMAT_VERSION:
        raise DataError(
            f"{path}: written by a newer ntklib ({writer[:40]}, this is {__version__}); upgrade ntklib "
            "to read it"
        )
    if version == 1:
        header |= {"max_categories": None, "squash": False, "left_out": {}, "scores": {}}
    columns, kinds, left_out = header.get("columns"), header.get("kinds"), header.get("left_out")
    most, scores = header.get("max_categories", ""), header.get("scores")
    sound = (
        isinstance(columns, list)
        and isinstance(kinds, list)
        and len(columns) == len(kinds)
        and all(isinstance(name, str) for name in columns)
        and all(isinstance(kind, str) and kind in KINDS for kind in kinds)
        and header.get("task") in ("regression", "classification")
        and isinstance(header.get("target"), str)
        and isinstance(header.get("reason"), str)
        and header.get("impute", "") in (None, "median")
        and (most is None or type(most) is int)
        and isinstance(header.get("squash"), bool)
        and isinstance(left_out, dict)
        and all(isinstance(reason, str) for reason in left_out.values())
        and isinstance(scores, dict)
        and all(type(value) in (int, float) and abs(value) < math.inf for value in scores.values())
    )
    if not sound:
        raise senseless
    check_names(str(path), header["columns"])
    return header


def _read_pipeline(path: Path, members: dict[str, bytes], writer: str) -> Pipeline:
    import skops.io

    types = _parse(path, DUMP, members.get(DUMP, b""))
    if unknown := strangers(types):
        names = ", ".join(unknown[:5]) + (", ..." if len(unknown) > 5 else "")
        raise DataError(f"{path}: refused, it holds types that ntklib does not write: {names}")
    dump = io.BytesIO()
    try:
        make_internal(types)
        with zipfile.ZipFile(dump, "w") as archive:  # anew, so that skops expands nothing
            for name, data in (members | {DUMP: json.dumps(types).encode()}).items():
                archive.writestr(name, data)
        for name, data in members.items():
            if name != DUMP:
                _check_array(name, data)
        pipeline = skops.io.loads(dump.getvalue(), trusted=trusted_types())
    except Exception as error:  # a dump edited by hand can fail anywhere
        raise DataError(
            f"{path}: cannot be rebuilt, it is damaged or needs another ntklib than {__version__} "
            f"(written by {writer[:40]}): {_reason(error)}"
        ) from None
    if not isinstance(pipeline, Pipeline):
        raise DataError(f"{path}: no ntklib model file (it holds a {type(pipeline).__name__})")
    return pipeline


def _check_array(name: str, data: bytes) -> None:
    """Raise an error unless an ``.npy`` file holds numbers or text, and is as long as its header says."""
    file = io.BytesIO(data)
    if npy.read_magic(file) != (1, 0):
        raise ValueError(f"{name} is no array")
    shape, _, dtype = npy.read_array_header_1_0(file)
    size = math.prod(shape) * dtype.itemsize
    if dtype.kind not in "biufU" or not dtype.itemsize or size != len(data) - file.tell():
        raise ValueError(f"{name} is not the array it says")


def _check_model(path: Path, model: TablePredictor) -> None:
    try:
        model.check()
    except Exception as error:  # as above
        raise DataError(f"{path}: damaged, its parts do not fit together ({_reason(error)})") from None


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
