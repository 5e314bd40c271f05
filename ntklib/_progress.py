"""One line on standard error that says what is being done; nothing where nobody is looking."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO


class Progress:
    """Counts the steps of a job and times them.

    Parameters
    ----------
    n_steps : int
        How many calls of :meth:`step` there will be.
    stream : text stream or None, default=None
        Where to write; None is standard error. Nothing is written unless it is a terminal.

    Attributes
    ----------
    seconds : dict of str to float
        Wall time of each finished step.
    """

    def __init__(self, n_steps: int, stream: TextIO | None = None) -> None:
        self.n_steps = n_steps
        self.stream = sys.stderr if stream is None else stream
        self.seconds: dict[str, float] = {}

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Announce a step, and time the block under it."""
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
