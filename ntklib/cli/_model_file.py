"""Model files: a zip archive of a JSON header and a skops dump of the fitted pipeline.

The header says who wrote the file before anything of the dump is looked at; the dump is read by skops with
the types below and no others, so that a file from a stranger cannot run code. Nothing is pickled.
"""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

from sklearn.pipeline import Pipeline

from ntklib.cli._model import Model
from ntklib.cli._trusted import TRUSTED_TYPES
from ntklib.datasets import DataError, Schema
from ntklib.report._output import write_atomically
from ntklib.report._versions import library_version

FORMAT = "ntklib-model"
FORMAT_VERSION = 1
HEADER = "ntklib.json"


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
    if strangers := _strangers(buffer.getvalue()):  # better now than when it is to be read
        raise TypeError(f"the model holds types that could not be read back: {', '.join(strangers)}")
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
            f"{path}: written by a newer ntklib ({writer}, this is {library_version()}); upgrade ntklib to "
            "read it"
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


def _strangers(data: bytes) -> list[str]:
    """Return the types in a dump that are not trusted."""
    import skops.io

    return sorted(set(skops.io.get_untrusted_types(data=data)) - set(TRUSTED_TYPES))


def _read_pipeline(path: Path, data: bytes, writer: str) -> Pipeline:
    import skops.io

    try:
        if strangers := _strangers(data):
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
