"""Progress of long jobs on standard error, written if that is a terminal."""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO


class Progress:
    """Counter and clock of the steps of a job.

    Parameters
    ----------
    n_steps : int
        Number of calls of :meth:`step`.
    stream : text stream or None, default=None
        Stream to write to; None is standard error. Nothing is written unless it is a terminal.

    Attributes
    ----------
    seconds : dict of str to float
        Wall time of each finished step.
    """

    def __init__(self, n_steps: int, stream: TextIO | None = None) -> None:
        self.n_steps = n_steps
        self.stream = stream or sys.stderr or io.StringIO()  # a program without a console has none
        self.seconds: dict[str, float] = {}

    def say(self, line: str) -> None:
        """Write a line that stays, if the stream is a terminal."""
        if self.stream.isatty():
            self.stream.write(f"{line}\n")
            self.stream.flush()

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Write the name of a step and time the block."""
        visible = self.stream.isatty()
        if visible:
            self.stream.write(f"\r\x1b[K[{len(self.seconds) + 1}/{self.n_steps}] {title} ...")
            self.stream.flush()
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[title] = time.perf_counter() - start
            if visible:  # the line is erased: what remains on screen is the result
                self.stream.write("\r\x1b[K")
                self.stream.flush()


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


class Ticker:
    """Line that is overwritten while a loop runs, ten times a second at most.

    Parameters
    ----------
    total : int
        Number of rounds.
    what : str
        Name of the rounds.
    stream : text stream or None, default=None
        Where to write; None is standard error. Nothing is written unless it is a terminal.
    """

    def __init__(self, total: int, what: str, stream: TextIO | None = None) -> None:
        self.total, self.what = total, what
        self.stream = stream or sys.stderr or io.StringIO()  # a program without a console has none
        self.visible, self.last = self.stream.isatty(), -1.0

    def tick(self, done: int, note: str = "") -> None:
        """Write how many rounds are done."""
        now = time.monotonic()
        if self.visible and now - self.last >= 0.1:
            self.last = now
            self.stream.write(f"\r\x1b[K{self.what} {done}/{self.total}{note}")
            self.stream.flush()

    def close(self) -> None:
        """Erase the line."""
        if self.visible and self.last >= 0:
            self.stream.write("\r\x1b[K")
            self.stream.flush()
