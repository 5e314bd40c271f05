"""Thread limits: one number rules the BLAS library and the compiled loops together.

Work is cut into tiles whose content does not depend on the number of threads; each thread takes the next
tile, multiplies with a single-threaded BLAS and runs compiled loops without the GIL.  Results are
therefore the same bytes at any thread count, and nothing here survives a fork or aborts under two threads.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterable
from functools import cache
from numbers import Integral
from types import TracebackType
from typing import Any

import joblib
import sklearn
import threadpoolctl

from .progress import current_step, resume

__all__ = ["get_threads", "parallel_for", "set_threads", "single_threaded"]


class _BLASThreads:
    """Owner of the number of BLAS threads: nothing else changes it.

    It is 1 while a pool of ours runs, else what the newest `set_threads` still in force asks for, else what
    the user had before any of them began.  Pools and blocks of several Python threads may begin and end in
    any order: each adds or removes its own claim, and the number follows from the claims that are left.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()  # reentrant: a signal or finaliser may run a call of ours in between
        self.pools: set[object] = set()
        self.claims: list[tuple[weakref.ref[set_threads], int | None, int]] = []  # handle, number, its thread
        self.before: list[tuple[Any, int]] = []  # libraries and their threads before the first claim
        self.limited = False  # BLAS has one thread, for the pools that run

    def chosen(self) -> int | None:
        """Number that `set_threads` asks for, or None."""
        return self.claims[-1][1] if self.claims else None

    def threads(self) -> int:
        """Threads for a pool: what was chosen, else those of the BLAS library outside our pools.

        A library that was told no number takes all processors of the machine, and not those of a container.
        """
        with self.lock:
            if (chosen := self.chosen()) is not None:
                return chosen
            counts = [count for _, count in self.before or self._now()]
        told = any(os.environ.get(name) for name in _TOLD)
        allowed = _processors(os.environ.get("LOKY_MAX_CPU_COUNT"))
        return max(counts, default=allowed) if told else min(max(counts, default=allowed), allowed)

    def enter_pool(self, pool: object) -> None:
        with self.lock:
            self.pools.add(pool)
            if not self.limited:  # a pool within a pool finds it done
                self._apply()

    def leave_pool(self, pool: object) -> None:
        """Leave a pool that was entered, if only in part: Ctrl-C may come at any moment."""
        with self.lock:
            self.pools.discard(pool)
            if not self.pools:
                self._apply()

    def claim(self, handle: set_threads, threads: int | None) -> None:
        """Put a claim on top.

        Of claims whose handle is gone, which nobody can withdraw any more, only the newest counts.
        """
        with self.lock:
            if not self.before:
                _libraries(afresh=True)
            gone = [claim for claim in self.claims if claim[0]() is None][:-1]
            self.claims = [claim for claim in self.claims if claim not in gone]
            self.claims.append((weakref.ref(handle), threads, threading.get_ident()))
            self._apply()

    def withdraw(self, handle: set_threads) -> None:
        with self.lock:
            self.claims = [claim for claim in self.claims if claim[0]() is not handle]
            self._apply()

    def _now(self) -> list[tuple[Any, int]]:
        return [(library, library.num_threads) for library in _libraries()]

    def _apply(self) -> None:
        self.limited = False
        wanted = 1 if self.pools else self.chosen()
        if wanted is not None:
            self.before = self.before or self._now()
            for library, _ in self.before:
                _limit(library, wanted)
        else:
            for library, count in self.before:
                _limit(library, count)
            self.before = []
        self.limited = bool(self.pools)

    def after_fork(self) -> None:
        """In a forked child the parent's other threads are gone, with their pools and blocks."""
        self.lock = threading.RLock()
        self.pools = set()
        here = threading.get_ident()
        self.claims = [claim for claim in self.claims if claim[0]() is None or claim[2] == here]
        self._apply()


_TOLD = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


@cache
def _processors(limit: str | None) -> int:
    """Processors that this process may use, by its affinity, its container and joblib's limit."""
    return joblib.cpu_count()


def _limit(library: Any, threads: int) -> None:
    """Set the threads of one BLAS library, from whichever Python thread calls.

    threadpoolctl 3.8 heeds only the first thread that sets a limit and ignores the others in silence. Here a
    lock orders the calls, so control is taken, and given back at once. To ask is cheaper than to set.
    """
    if library.num_threads == threads:
        return
    release = getattr(library, "clear_controlling_thread", None)
    if release is not None:
        release(force=True)
    library.set_num_threads(threads)
    if release is not None:
        release(force=True)


_known: list[Any] = []


def _libraries(afresh: bool = False) -> list[Any]:
    """BLAS libraries in memory, listed once unless `afresh`."""
    if afresh or not _known:
        # Both NumPy's and SciPy's copies have to be in memory before they are listed.
        import scipy.linalg  # noqa: F401

        _known[:] = threadpoolctl.ThreadpoolController().select(user_api="blas").lib_controllers
    return _known


_blas_threads = _BLASThreads()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_blas_threads.after_fork)


def get_threads() -> int:
    """Return the number of threads that the library uses now.

    It is the number given to `set_threads`; before any such call, the number of threads of the BLAS
    library, so that ``OMP_NUM_THREADS``, ``threadpoolctl`` and joblib's workers rule ntklib too.  Unless such
    a variable tells it, it is at most the number of processors that the process may use, by its affinity, the
    limits of its container and ``LOKY_MAX_CPU_COUNT``.

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
    return _blas_threads.threads()


class set_threads:
    """Set the number of threads of BLAS and of the compiled loops, for good or for a ``with`` block.

    Results do not depend on it, but for the last bits of large factorisations by BLAS: the compiled loops
    give the same bytes at any thread count. The number is the process's. Where blocks of several Python
    threads overlap, the one entered last rules; each takes back its own number when it ends, in any order,
    and after the last one everything is as before.

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
        if n is not None and (not isinstance(n, Integral) or isinstance(n, bool)):
            raise TypeError(f"the number of threads must be an integer or None, got {n!r}.")
        if n is not None and n < 1:
            raise ValueError(f"the number of threads must be at least 1, got {n}.")
        _blas_threads.claim(self, None if n is None else int(n))

    def __enter__(self) -> set_threads:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        _blas_threads.withdraw(self)

    def __repr__(self) -> str:
        return f"<ntklib threads: {get_threads()}>"


def parallel_for(
    function: Callable[[Any], object], items: Iterable[Any], *, threads: int | None = None
) -> None:
    """Call ``function`` on every item, in threads that each take the next one, BLAS single-threaded.

    The caller is one of the threads; the others have its configuration of scikit-learn, which is each
    thread's own, and are in its step of a job (`progress`).  An exception, KeyboardInterrupt included, stops
    what has not begun; of several the one of the first item is raised, as it would be in a single thread.
    """
    items = list(items)
    count = min(threads or get_threads(), len(items))
    this = object()
    try:
        _blas_threads.enter_pool(this)
        if count <= 1:
            for item in items:
                function(item)
        else:
            _take_turns(function, items, count)
    finally:
        _blas_threads.leave_pool(this)


def single_threaded(function: Callable[..., Any], *args: Any) -> Any:
    """Call a function while BLAS has one thread.

    For small work, such as triangular solves of a few columns: their last bits depend on the threads that
    share the columns.
    """
    this = object()
    try:
        _blas_threads.enter_pool(this)
        return function(*args)
    finally:
        _blas_threads.leave_pool(this)


def _take_turns(function: Callable[[Any], object], items: list[Any], count: int) -> None:
    waiting = deque(enumerate(items))
    failures: dict[int, BaseException] = {}

    def work() -> None:
        while True:
            try:
                number, item = waiting.popleft()
            except IndexError:
                return
            try:
                function(item)
            except BaseException as error:
                failures[number] = error
                waiting.clear()

    config, step = sklearn.get_config(), current_step()

    def help_out() -> None:
        sklearn.set_config(**config)
        resume(step)
        work()

    helpers = [threading.Thread(target=help_out, name=f"ntklib-{number}") for number in range(1, count)]
    try:
        for helper in helpers:
            helper.start()
        work()
    except BaseException as error:  # Ctrl-C between two items, or no thread to be had
        failures[len(items)] = error
        waiting.clear()
    try:
        for helper in helpers:
            if helper.ident is not None:
                helper.join()
        if failures:
            raise failures[min(failures)]
    finally:
        failures.clear()  # their tracebacks lead here
