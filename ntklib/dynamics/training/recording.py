"""Contents of the record of a training run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ntklib._core.validation import check_flag, check_integer, check_option

from .monitor import MONITORS

__all__ = ["Recording", "as_recording"]

_RECORDS = 100


@dataclass(frozen=True)
class Recording:
    """Choice of what a training run records, and how often.

    Parameters
    ----------
    every : int, default=None
        Steps between records; None makes about a hundred.  The first and the last step always are recorded.
    monitors : str or iterable of str, default=()
        Measurements that cost a kernel each: "ntk_drift", "kernel_alignment", "min_eigenvalue",
        "max_eigenvalue", "sign_changes".
    monitor_every : int, default=None
        Steps between readings of the monitors, a multiple of the steps between records; None is at every
        record.
    gradient_norms : bool, default=True
        Norms of the gradient of each array.  With minibatches, records take less time without.
    keep_outputs : bool, default=True
        Keep the outputs of every record; False keeps the last ones only.

    Raises
    ------
    TypeError, ValueError
        If a name is unknown or a number out of range.

    Examples
    --------
    >>> from ntklib.dynamics import Recording, train
    >>> from ntklib.networks import TwoLayerNet
    >>> record = Recording(every=5, monitors="ntk_drift", monitor_every=10)
    >>> history = train(TwoLayerNet(64), [[1.0, 0.0], [0.0, 1.0]], [1.0, -1.0], steps=20, record=record)
    >>> history.steps.tolist(), history.monitor_steps.tolist()
    ([0, 5, 10, 15, 20], [0, 10, 20])
    """

    every: int | None = None
    monitors: str | Iterable[str] = ()
    monitor_every: int | None = None
    gradient_norms: bool = True
    keep_outputs: bool = True

    def __post_init__(self) -> None:
        for name in ("every", "monitor_every"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, check_integer(getattr(self, name), name, minimum=1))
        for name in ("gradient_norms", "keep_outputs"):
            check_flag(getattr(self, name), name)
        names = (self.monitors,) if isinstance(self.monitors, str) else self.monitors
        if not isinstance(names, Iterable):
            raise TypeError(f"monitors must be names such as ('ntk_drift',), got {names!r}.")
        names = tuple(dict.fromkeys(check_option(name, "monitors", MONITORS) for name in names))
        object.__setattr__(self, "monitors", names)
        if self.every is not None and self.monitor_every is not None:
            self.intervals(0)

    def intervals(self, steps: int) -> tuple[int, int]:
        """Return the steps between records and between readings, in a run of so many steps.

        Raises
        ------
        ValueError
            If the second is no multiple of the first.
        """
        every = self.every or max(1, steps // _RECORDS)
        reading = self.monitor_every or every
        if reading % every:
            raise ValueError(
                f"monitor_every={reading} must be a multiple of the {every} steps between records."
            )
        return every, reading


def as_recording(record: int | Recording | None) -> Recording:
    """Return a recording; a number is that of the steps between records."""
    if record is None or isinstance(record, Recording):
        return record or Recording()
    return Recording(check_integer(record, "record", minimum=1))
