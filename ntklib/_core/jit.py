"""Compile policy of all Numba loops of the library, and the cache of machine code.

Loops run without the GIL in threads of our own (``threads.py``), never in a Numba threading layer: the
``omp`` layer dies after a fork and ``workqueue`` aborts under two Python threads.

Machine code is cached on disk, so a new process pays for loading it and not for compiling it (``ntklib
warmup`` fills the cache). It is kept in the user's cache folder and never beside the sources: files that pip
does not know stay behind when a package is removed. A cache that cannot be read or written costs time and
nothing else.

A formula that loops call is part of each loop's machine code (``forceinline``). As a function of its own it
would be compiled twice, in the loop's module and by itself; the process that compiles runs one of the two, a
process that loads the cache the other, and their last bits differ.

``contract`` lets the compiler fuse a multiplication and an addition.  Nothing else of fast-math is on,
since the sign of zero tells opposite rows from equal ones (``kernels/gram/gaps.py``), but for loops that do
nothing but add (`compiled_sums`).
"""

from __future__ import annotations

import hashlib
import os
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import numba
from numba.core import caching
from platformdirs import user_cache_dir

# Wrappers take an eighth of the time to compile: none for C, and for formulas none for Python either.
_POLICY: dict[str, Any] = {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True}
_INSIDE: dict[str, Any] = {**_POLICY, "forceinline": True, "no_cpython_wrapper": True}


def compiled(function: Callable[..., Any]) -> Any:
    """Compile ``function`` with the library's policy."""
    return _kept(function, {"contract"})


def compiled_sums(function: Callable[..., Any]) -> Any:
    """Compile ``function`` with sums in any order, which vectorise then; a test bounds its errors."""
    return _kept(function, {"contract", "nsz", "reassoc"})


def _kept(function: Callable[..., Any], fastmath: set[str]) -> Any:
    loop: Any = numba.njit(fastmath=fastmath, **_POLICY)(function)
    if not numba.config.DISABLE_JIT:  # type: ignore[attr-defined]
        try:
            loop._cache = _Cache(function)  # as `cache=True` would, with a place and a care of our own
        except OSError as error:  # no source file to be told from an earlier one: in a zip archive, say
            _warn_uncached(error)
    return loop


def inlined(function: Callable[..., Any]) -> Any:
    """Compile a scalar or row formula for use inside `compiled` loops, and nowhere else."""
    return numba.njit(fastmath={"contract"}, **_INSIDE)(function)


def exact(function: Callable[..., Any]) -> Any:
    """Compile a formula like `inlined`, each operation rounded by itself, so that errors can be computed."""
    return numba.njit(**_INSIDE)(function)


def cache_folder() -> str:
    """Folder of the machine code.

    ``NTKLIB_CACHE_DIR``, else ``NUMBA_CACHE_DIR``, else ``ntklib`` in the user's cache folder as the platform
    has it.
    """
    chosen = os.environ.get("NTKLIB_CACHE_DIR") or numba.config.CACHE_DIR  # type: ignore[attr-defined]
    return (
        os.path.abspath(os.path.expanduser(chosen)) if chosen else user_cache_dir("ntklib", appauthor=False)
    )


class _Locator(caching._SourceFileBackedLocatorMixin, caching._CacheLocator):
    """A place in `cache_folder`, which is made when it is first written to."""

    def __init__(self, py_func, py_file):
        self._py_file = py_file
        self._lineno = py_func.__code__.co_firstlineno
        self._cache_path = os.path.join(cache_folder(), self.get_suitable_cache_subpath(py_file))

    def get_cache_path(self):
        return self._cache_path

    @classmethod
    def from_function(cls, py_func, py_file):
        return cls(py_func, py_file)

    def ensure_cache_path(self):
        if not os.path.isabs(self._cache_path):  # "~/.cache" of a user without a home
            raise FileNotFoundError("this user has no home folder")
        super().ensure_cache_path()


class _Place(caching.CompileResultCacheImpl):
    _locator_classes: list[type[object]] = [_Locator]  # noqa: RUF012 (as Numba declares it)


class _Checked:
    """Bytes that are unpickled only if they are what was pickled: damaged machine code would crash."""

    def __init__(self, payload: bytes):
        self.payload = payload

    def __reduce__(self):
        return _unpickle, (hashlib.sha256(self.payload).digest(), self.payload)


def _unpickle(digest: bytes, payload: bytes) -> Any:
    if hashlib.sha256(payload).digest() != digest:
        raise pickle.UnpicklingError("the checksum does not agree")
    return pickle.loads(payload)


class _File(caching.IndexDataCacheFile):
    """Numba's files, with a checksum each, and in each piece of machine code what it was compiled from.

    Numba writes the index first. A process that stops then, or another that writes at the same time, leaves
    an index that leads to the code of other types, or of an earlier version of the source.
    """

    def _origin(self, key):
        return self._version, self._index_name, self._source_stamp, key

    def save(self, key, data):
        super().save(key, (self._origin(key), data))

    def load(self, key):
        origin, data = super().load(key) or (None, None)
        return data if origin == self._origin(key) else None

    def _dump(self, obj):
        return pickle.dumps(_Checked(super()._dump(obj)))


class _Cache(caching.FunctionCache):
    """Numba's cache, except that no file, folder or disk can make a call fail."""

    _impl_class = _Place

    def __init__(self, py_func):
        super().__init__(py_func)
        self._cache_file = _File(
            self._cache_path, self._impl.filename_base, self._impl.locator.get_source_stamp()
        )

    def _index_key(self, sig, codegen):
        checked = bool(numba.config.BOUNDSCHECK)  # type: ignore[attr-defined]
        return (*super()._index_key(sig, codegen), checked)

    def load_overload(self, sig, target_context):
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # unpickling what is damaged raises nearly anything
            return None  # compiled again, and saved over it

    def save_overload(self, sig, data):
        try:
            try:
                super().save_overload(sig, data)
            except OSError:
                raise
            except Exception:  # a damaged index
                self.flush()
                super().save_overload(sig, data)
        except OSError as error:
            _warn_uncached(error)


_warned = False


def _warn_uncached(error: OSError) -> None:
    global _warned
    if not _warned:
        _warned = True
        place = f"{error.filename}: " if error.filename else ""
        warnings.warn(
            f"compiled code cannot be kept in {cache_folder()} ({place}{error.strerror or error}), so every "
            "process compiles its loops again, which takes seconds to minutes. NTKLIB_CACHE_DIR can name "
            "another folder.",
            stacklevel=2,
        )
