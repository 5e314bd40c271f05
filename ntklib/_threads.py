"""Thread limits: one number rules the BLAS library and the compiled loops together.

Work is cut into tiles whose content does not depend on the number of threads; each thread takes the next
tile, multiplies with a single-threaded BLAS and runs compiled loops without the GIL.  Results are
therefore the same bytes at any thread count, and nothing here survives a fork or aborts under two threads.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from functools import lru_cache, partial
from numbers import Integral
from types import TracebackType
from typing import Any

import sklearn
import threadpoolctl

__all__ = ["get_threads", "parallel_for", "set_threads"]


@lru_cache(maxsize=1)
def _blas() -> threadpoolctl.ThreadpoolController:
    # Both NumPy's and SciPy's copies have to be in memory before they are listed.
    import scipy.linalg  # noqa: F401

    return threadpoolctl.ThreadpoolController().select(user_api="blas")


class _SingleThreadedBLAS:
    """Hold BLAS at one thread while any of our thread pools runs; the last one out restores it."""

    def __init__(self) -> None:
        self._reset()

    def _reset(self) -> None:
        self.lock = threading.Lock()
        self.users = 0
        self.outside: list[int] = []

    def __enter__(self) -> None:
        with self.lock:
            if self.users == 0:
                self.outside = [library.num_threads for library in _blas().lib_controllers]
                for library in _blas().lib_controllers:
                    library.set_num_threads(1)
            self.users += 1

    def __exit__(self, *_: object) -> None:
        with self.lock:
            self.users -= 1
            if self.users == 0:
                self._restore()

    def _restore(self) -> None:
        for library, threads in zip(_blas().lib_controllers, self.outside, strict=True):
            library.set_num_threads(threads)

    def threads_outside(self) -> int:
        """The BLAS thread count as the user left it, whatever we hold it at just now."""
        with self.lock:
            counts = self.outside if self.users else [lib.num_threads for lib in _blas().lib_controllers]
        return max(counts, default=os.cpu_count() or 1)

    def after_fork(self) -> None:
        """In a forked child no thread of ours is left: give BLAS back what the parent's pool held."""
        if self.users:
            self._restore()
        self._reset()


_single_threaded_blas = _SingleThreadedBLAS()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_single_threaded_blas.after_fork)

_chosen: int | None = None


def get_threads() -> int:
    """Return the number of threads that the library uses now.

    It is the number given to `set_threads`; before any such call, the number of threads of the BLAS
    library, so that ``OMP_NUM_THREADS``, ``threadpoolctl`` and joblib's workers rule ntklib too.

    Returns
    -------
    int

    Examples
    --------
    >>> import ntklib
    >>> with ntklib.set_threads(1):
    ...     ntklib.get_threads()
    1
    """
    return _chosen if _chosen is not None else _single_threaded_blas.threads_outside()


class set_threads:
    """Set the number of threads of BLAS and of the compiled loops, for good or for a ``with`` block.

    Results do not depend on it: the compiled loops give the same bytes at any thread count.

    Parameters
    ----------
    n : int or None
        Threads, at least 1.  None goes back to following the BLAS library.

    Raises
    ------
    TypeError
        If ``n`` is neither an integer nor None.
    ValueError
        If ``n`` is less than 1.

    Examples
    --------
    >>> import ntklib
    >>> _ = ntklib.set_threads(2)           # from now on
    >>> with ntklib.set_threads(1):         # only inside
    ...     ntklib.get_threads()
    1
    >>> ntklib.get_threads()
    2
    >>> _ = ntklib.set_threads(None)
    """

    def __init__(self, n: int | None) -> None:
        global _chosen
        if n is not None and (not isinstance(n, Integral) or isinstance(n, bool)):
            raise TypeError(f"the number of threads must be an integer or None, got {n!r}.")
        if n is not None and n < 1:
            raise ValueError(f"the number of threads must be at least 1, got {n}.")
        self._before = _chosen
        self._limits = threadpoolctl.threadpool_limits(limits=n, user_api="blas") if n else None
        _chosen = None if n is None else int(n)

    def __enter__(self) -> set_threads:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        global _chosen
        _chosen = self._before
        if self._limits is not None:
            self._limits.restore_original_limits()

    def __repr__(self) -> str:
        return f"<ntklib threads: {get_threads()}>"


def parallel_for(
    function: Callable[[Any], object], items: Iterable[Any], *, threads: int | None = None
) -> None:
    """Call ``function`` on every item, in threads that each take the next one, BLAS single-threaded.

    The threads have scikit-learn's configuration of the caller, which is each thread's own.  The first
    exception, KeyboardInterrupt included, stops what has not begun and is raised.
    """
    items = list(items)
    count = min(threads or get_threads(), len(items))
    with _single_threaded_blas:
        if count <= 1:
            for item in items:
                function(item)
            return
        configure = partial(sklearn.set_config, **sklearn.get_config())
        with ThreadPoolExecutor(count, thread_name_prefix="ntklib", initializer=configure) as pool:
            tasks = [pool.submit(function, item) for item in items]
            try:
                for task in tasks:
                    task.result()
            except BaseException:
                for task in tasks:
                    task.cancel()
                wait(tasks)
                raise
