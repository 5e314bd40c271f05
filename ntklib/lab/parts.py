"""Studies in parts: each part is kept as soon as it is finished, so that a study killed midway goes on."""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from ntklib._core.files import new_folder, open_regular, plain, write_atomically
from ntklib._core.progress import Progress

__all__ = ["PARTS", "announcing", "digest", "replacing_parts", "run_parts"]

PARTS = "parts"
"""The folder, inside a study's own, that finished parts are kept in."""

_SETTINGS = "_settings"

_replacing: ContextVar[bool] = ContextVar("replacing", default=False)
_announce: ContextVar[Callable[[str], None] | None] = ContextVar("announce", default=None)


@contextmanager
def replacing_parts() -> Iterator[None]:
    """Let studies in the block replace damaged parts and those of other settings, and not refuse them."""
    token = _replacing.set(True)
    try:
        yield
    finally:
        _replacing.reset(token)


@contextmanager
def announcing(announce: Callable[[str], None]) -> Iterator[None]:
    """Let studies in the block say by a function how long they will take, not where progress is written."""
    token = _announce.set(announce)
    try:
        yield
    finally:
        _announce.reset(token)


def run_parts(
    study: str,
    settings: Mapping[str, Any],
    parts: Mapping[str, Callable[[], Mapping[str, Any]]],
    *,
    out: str | Path | None = None,
    progress: Progress | None = None,
    forecast: Callable[[Sequence[str]], str] | None = None,
) -> dict[str, dict[str, np.ndarray]]:
    """Compute the parts of a study that are not kept in ``out`` yet, and return the values of all.

    Parameters
    ----------
    study : str
        Short name of the study.
    settings : mapping
        All that the values depend on besides a part's name, JSON-able: `digest` of the data, parameters,
        seed.  A folder with parts of other settings is refused, except inside `replacing_parts`.
    parts : mapping of str to callable
        For each part its name and a function of nothing that returns named arrays of numbers.
    out : str, Path or None, default=None
        The study's folder; finished parts are kept in the folder ``parts`` inside it.  None keeps nothing.
    progress : Progress or None, default=None
        Told about each part; None writes to standard error, or as a part of the job under way.
    forecast : callable or None, default=None
        Receives the names of the parts that are to be computed, if there are any, and returns a line that
        says how long it will take.  It is written where progress is, except inside `announcing`.

    Returns
    -------
    dict of str to dict of str to ndarray
        In the order of ``parts``; the same numbers whether a part was computed now or read, but the names
        within a part in any order.

    Raises
    ------
    ValueError
        If ``out`` holds parts of other settings, or a file in it is no finished part.
    """
    settings = json.loads(json.dumps(plain(settings)))
    folder = None if out is None else Path(out) / PARTS
    kept: dict[str, Any] = {}
    for name in parts:  # all are looked at before an hour is spent on the first
        if folder is not None and (values := _read(folder / _file(study, name), settings)) is not None:
            kept[name] = values
    progress = progress or Progress(len(parts) - len(kept))
    left = [name for name in parts if name not in kept]
    if forecast is not None and left:
        (_announce.get() or progress.say)(f"{study}: {forecast(left)}")
    for name in left:
        with progress.step(f"{study}: {name}"):
            kept[name] = {key: np.asarray(value) for key, value in parts[name]().items()}
        if folder is not None:
            with new_folder(folder):
                _write(folder / _file(study, name), settings, kept[name])
    return {name: kept[name] for name in parts}


def digest(*arrays: Any) -> str:
    """Return a fingerprint of arrays and CSR matrices, to tell one study's data from another's."""
    total = hashlib.sha256()
    for array in arrays:
        if sparse.issparse(array):
            total.update(
                digest(array.data, array.indices.astype(np.int64), array.indptr.astype(np.int64)).encode()
            )
            array = np.array(array.shape)
        array = np.ascontiguousarray(array)
        total.update(f"{array.dtype.str}{array.shape}".encode())
        total.update(array.tobytes())
    return total.hexdigest()[:32]


def _file(study: str, name: str) -> str:
    return re.sub(r"[^A-Za-z0-9.+-]+", "-", f"{study} {name}") + ".npz"  # 1e+20 is not 1e-20


def _write(path: Path, settings: Mapping[str, Any], values: Mapping[str, np.ndarray]) -> None:
    for name, value in values.items():  # objects would be pickled, and not read back
        if value.dtype.hasobject:
            raise TypeError(f"{name} of a part must be numbers or strings, got dtype {value.dtype}.")
    # sorted: threads may have finished the values in any order
    arrays: dict[str, Any] = {**dict(sorted(values.items())), _SETTINGS: np.array(json.dumps(settings))}
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    write_atomically(path, buffer.getvalue())


def _read(path: Path, settings: Mapping[str, Any]) -> dict[str, np.ndarray] | None:
    """Return the values of a finished part, None if there is none."""
    if not path.exists():
        return None
    try:
        with open_regular(path) as file, np.load(io.BytesIO(file.read()), allow_pickle=False) as archive:
            values = {name: archive[name] for name in archive.files}
        kept = dict(json.loads(str(values.pop(_SETTINGS))))
    except OSError:
        raise
    except Exception as error:  # zipfile, zlib, struct and numpy each have their own
        if _replacing.get():
            return None
        raise ValueError(
            f"{path} is no finished part of a study ({error}); delete it or choose another folder."
        ) from None
    differing = [key for key in {**kept, **settings} if kept.get(key) != settings.get(key)]
    if differing and _replacing.get():
        return None
    if differing:
        changes = "; ".join(f"{key} was {kept.get(key)!r}, is {settings.get(key)!r}" for key in differing)
        raise ValueError(
            f"{path.parent} holds parts of another study ({changes}); delete it or choose another folder."
        )
    return values
