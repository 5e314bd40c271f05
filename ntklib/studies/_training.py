"""Training within a study, where half a run is no result."""

from __future__ import annotations

from typing import Any

from ntklib.dynamics import History, train

__all__ = ["train_whole"]


def train_whole(*arguments: Any, **options: Any) -> History:
    """Train as `ntklib.dynamics.train` does, except that Ctrl-C ends the study instead of the run.

    Raises
    ------
    KeyboardInterrupt
        If training was interrupted.
    """
    history = train(*arguments, **options)
    if history.status == "interrupted":
        raise KeyboardInterrupt
    return history
