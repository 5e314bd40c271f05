"""Progress of long work, on standard error: one mechanism for estimators, studies, report and commands.

A `Progress` is a job under way in a context.  What is called within its steps may open steps of its own by
:func:`step` and count what is done in them; where no job is under way nothing is counted or written.  A
thread of the job's own writes, so that those who count never wait: on a terminal a line that is renewed five
times a second, elsewhere a line every half minute, also while a long call of LAPACK lasts.
"""

from __future__ import annotations

import io
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TextIO

__all__ = [
    "SILENT",
    "Gauge",
    "Progress",
    "about",
    "counted",
    "current_step",
    "resume",
    "seconds_text",
    "step",
    "talk",
]

REFRESH, INTERVAL = 0.2, 30.0
"""Seconds between two renewals of the line on a terminal, and between two lines elsewhere."""

_BAR = 20
_ENOUGH = 1.0  # seconds of a step after which its rate is known
_UNSAID = 5.0  # seconds up to which nobody asks how long a step has taken

_current: ContextVar[Gauge | None] = ContextVar("step", default=None)


class Gauge:
    """A part of a job, and how much of it is done; any thread may count.

    Parameters
    ----------
    job : Progress
    title : str
    total : float
        All that there is to do; 0 if that is not known.
    unit : str
        Name of what is counted; with none progress is shown in percent.
    parent : Gauge or None
    """

    def __init__(self, job: Progress, title: str, total: float, unit: str, parent: Gauge | None) -> None:
        self.job, self.title, self.total, self.unit, self.parent = job, title, total, unit, parent
        self.done, self.note = 0.0, ""
        self.start = time.monotonic()

    def advance(self, amount: float = 1) -> None:
        """Count so much more as done."""
        with self.job.lock:
            self.done += amount
        self.job.newest = self

    def reach(self, done: float, note: str = "") -> None:
        """Count so much as done, with a word on how it goes."""
        self.done, self.note = done, note
        self.job.newest = self
        if note and self.job.detailed:
            self.job.say(self.text())

    def say(self, line: str) -> None:
        """Write a line that stays."""
        self.job.say(line)

    def share(self, inner: float = 0.0) -> float | None:
        """Share of the step that is done, None if that is not known.

        The share of a step inside counts where this one counts steps.
        """
        return min((self.done + (0.0 if self.unit else inner)) / self.total, 1.0) if self.total else None

    def text(self, inner: float = 0.0) -> str:
        """Say what is done, and about how long the rest will take; `inner` is the share of a step inside."""
        parts, elapsed, share = [self.title], time.monotonic() - self.start, self.share(inner)
        if self.unit:
            of = f" of {self.total:,.0f}" if self.total else ""
            parts[0] += f": {self.unit} {self.done:,.0f}{of}"
        elif share is not None:
            parts[0] += f" {100 * share:.0f} %"
        if self.note:
            parts.append(self.note)
        if share and share < 1 and elapsed > _ENOUGH:
            parts.append(f"about {about(elapsed * (1 - share) / share)} left")
        elif share is None and elapsed > _UNSAID and self.job.newest is self:
            parts.append(f"{about(elapsed)} so far")
        return ", ".join(parts)


class Silent:
    """A step of no job: it counts nothing, and is false, so that no words need be made for it."""

    def __bool__(self) -> bool:
        return False

    def advance(self, amount: float = 1) -> None:
        """Do nothing."""

    def reach(self, done: float, note: str = "") -> None:
        """Do nothing."""

    def say(self, line: str) -> None:
        """Do nothing."""


SILENT = Silent()


class Progress:
    """A job in numbered steps, and the clock of each.

    Parameters
    ----------
    n_steps : int, default=0
        Number of calls of :meth:`step`; 0 numbers none.
    stream : text stream or None, default=None
        Stream to write to; None is standard error.
    loud : bool, default=False
        Write lines that stay also where the stream is no terminal: the user asked for them.
    detailed : bool, default=False
        Write a line for every note and every finished step.

    Attributes
    ----------
    seconds : dict of str to float
        Wall time of each finished step.
    """

    def __init__(
        self, n_steps: int = 0, stream: TextIO | None = None, *, loud: bool = False, detailed: bool = False
    ) -> None:
        self.n_steps, self.loud, self.detailed = n_steps, loud, detailed
        self.stream = stream or sys.stderr or io.StringIO()  # a program without a console has none
        self.seconds: dict[str, float] = {}
        self.lock = threading.RLock()
        self.newest: Gauge | None = None  # the one that changed last, which is shown
        self._root = Gauge(self, "", n_steps, "", None)
        self._depth = 0
        self._drawn = False

    def say(self, line: str) -> None:
        """Write a line that stays, on a terminal or if the job is loud; a job within another one does not."""
        outer = _current.get()
        if (outer is None or outer.job is self) and (self.loud or self.stream.isatty()):
            with self.lock:
                self._erase()
                self._write(f"{line}\n")

    @contextmanager
    def step(self, title: str, total: float = 0, unit: str = "") -> Iterator[Gauge]:
        """Time the block and show it as the next step of this job, or inside the job that is under way."""
        number = f"[{len(self.seconds) + 1}/{self.n_steps}] " if self.n_steps else ""
        outer = _current.get()
        job, parent = (self, self._root) if outer is None else (outer.job, outer)
        start = time.perf_counter()
        try:
            with job._show(Gauge(job, f"{number}{title}", total, unit, parent)) as one:
                yield one
        finally:
            self.seconds[title] = time.perf_counter() - start
            self._root.done = len(self.seconds)

    @contextmanager
    def _show(self, one: Gauge) -> Iterator[Gauge]:
        """Make a step the current one of this context, and write as long as there is any."""
        token, self.newest = _current.set(one), one
        try:
            with self._writing():
                yield one
                if self.detailed and one.title:
                    self.say(f"{one.title}: {seconds_text(time.monotonic() - one.start)}")
        finally:
            self.newest = one.parent
            _current.reset(token)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Write in a thread of its own while the outermost block lasts."""
        with self.lock:
            self._depth += 1
            outermost = self._depth == 1
        try:
            if not outermost:
                yield
                return
            over = threading.Event()
            writer = threading.Thread(target=self._keep_writing, args=(over,), name="progress", daemon=True)
            if self.stream.isatty():
                self.renew()
            writer.start()
            try:
                yield
            finally:
                over.set()
                writer.join()
                with self.lock:
                    self._erase()
        finally:
            with self.lock:
                self._depth -= 1

    def _keep_writing(self, over: threading.Event) -> None:
        pause = REFRESH if self.stream.isatty() else INTERVAL
        while not over.wait(pause):
            try:
                self.renew()
            except (OSError, ValueError):  # the stream was closed: nobody listens any more
                return

    def renew(self) -> None:
        """Write the line that says how far the job is."""
        line = self.line()
        with self.lock:
            if not self.stream.isatty():
                self._write(f"{line}\n")
                return
            self._erase()
            self._write(line)
            self._drawn = True

    def line(self) -> str:
        """Return the steps under way, from the outermost to the newest, after a bar on a terminal."""
        words: list[str] = []
        whole: float | None = None
        one = self.newest
        while one is not None:
            if one.title:
                words.insert(0, one.text(whole or 0.0))
            share = one.share(whole or 0.0)
            one, whole = one.parent, whole if share is None else share
        if not self.stream.isatty():
            return " > ".join(words)
        bar = "" if whole is None else f"|{'#' * int(_BAR * whole):{_BAR}}| "
        room = shutil.get_terminal_size().columns - 1
        line = bar + " > ".join(words)
        while len(line) > room and len(words) > 1:  # the newest step is the last to go
            words = words[1:]
            line = bar + " > ".join(["...", *words])
        return line[:room]

    def _erase(self) -> None:
        if self._drawn:
            self._write("\r\x1b[K")
            self._drawn = False

    def _write(self, text: str) -> None:
        self.stream.write(text)
        self.stream.flush()


@contextmanager
def step(title: str, total: float = 0, unit: str = "") -> Iterator[Gauge | Silent]:
    """Show the block as a step of the job that is under way; without one, yield `SILENT`."""
    outer = _current.get()
    if outer is None:
        yield SILENT
        return
    with outer.job._show(Gauge(outer.job, title, total, unit, outer)) as one:
        yield one


@contextmanager
def talk(title: str, verbose: int, total: float = 0, unit: str = "") -> Iterator[Gauge | Silent]:
    """Show the block as a step of the job that is under way, else, if `verbose`, as a job of its own.

    Parameters
    ----------
    title, total, unit
        As of a `Gauge`.
    verbose : int
        0 is silent, 1 writes, 2 or more writes a line for every note and every finished step.
    """
    if _current.get() is not None or not verbose:
        with step(title, total, unit) as one:
            yield one
        return
    job = Progress(loud=True, detailed=verbose > 1)
    with job._show(Gauge(job, title, total, unit, None)) as own:
        yield own


def counted(function: Callable[[Any], object], gauge: Gauge | Silent) -> Callable[[Any], object]:
    """Return a function of one item that also counts it; without a job the function itself."""
    if not gauge:
        return function

    def run(item: Any) -> None:
        function(item)
        gauge.advance()

    return run


def current_step() -> Gauge | None:
    """The step that this context is in, None where no job is under way."""
    return _current.get()


def resume(step: Gauge | None) -> None:
    """Make a step the current one of a new thread."""
    _current.set(step)


if hasattr(os, "register_at_fork"):  # the thread that writes is not in the child
    os.register_at_fork(after_in_child=lambda: resume(None))


def about(seconds: float) -> str:
    """Text of a time in round numbers.

    Examples
    --------
    >>> about(2.7), about(93.0), about(800.0), about(20_000.0)
    ('3 s', '93 s', '13 min', '5.6 h')
    """
    if seconds < 100:
        return f"{max(seconds, 1.0):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def seconds_text(seconds: float) -> str:
    """Text of a time in its natural units.

    Examples
    --------
    >>> seconds_text(0.0123), seconds_text(3.21), seconds_text(75.0), seconds_text(9000.0)
    ('12 ms', '3.2 s', '1 min 15 s', '2 h 30 min')
    """
    if seconds < 1:
        return f"{1000 * seconds:.{1 if seconds < 0.01 else 0}f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    if seconds < 3600:
        return f"{int(seconds) // 60} min {int(seconds) % 60} s"
    return f"{int(seconds) // 3600} h {int(seconds) % 3600 // 60} min"
