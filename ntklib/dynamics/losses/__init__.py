"""Losses, their derivatives and their names."""

from __future__ import annotations

from ntklib._core.validation import check_option

from .base import Loss, Risk
from .log_loss import LogLoss
from .regression import AbsoluteError, Huber, SquaredError

__all__ = ["LOSSES", "AbsoluteError", "Huber", "LogLoss", "Loss", "Risk", "SquaredError", "as_loss"]

LOSSES: dict[str, type[Loss]] = {kind.name: kind for kind in (SquaredError, LogLoss, Huber, AbsoluteError)}


def as_loss(loss: str | Loss) -> Loss:
    """Return the loss of a name, with its default parameters, or the loss itself.

    Parameters
    ----------
    loss : {"squared_error", "log_loss", "huber", "absolute_error"} or Loss

    Returns
    -------
    Loss

    Raises
    ------
    ValueError
        If there is no loss of that name.

    Examples
    --------
    >>> from ntklib.dynamics import as_loss
    >>> as_loss("huber")
    Huber(delta=1.0)
    """
    return loss if isinstance(loss, Loss) else LOSSES[check_option(loss, "loss", LOSSES)]()
