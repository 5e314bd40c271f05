"""The client that an estimator computes with."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from typing import Any

import dask

import ntklib
from ntklib._core.warning import warn

__all__ = ["ClientMixin", "check_workers", "current_client", "named_loss"]

AFRESH = (
    "see if it runs and this machine reaches it, make a new client, client = "
    "dask.distributed.Client(address), and set it, model.client = client."
)
"""The way out where a scheduler is gone."""


class ClientMixin:
    """An estimator with a client that is no parameter: it is neither cloned nor pickled."""

    @property
    def client(self) -> Any:
        """Client that `fit` computes with.

        That is the one that was set, else Dask's current client, else None: the local scheduler. Set it to
        None to leave the choice to Dask again.
        """
        given = self.__dict__.get("_client")
        return current_client() if given is None else given

    @client.setter
    def client(self, client: Any) -> None:
        if client is not None and not hasattr(client, "scheduler_info"):
            raise TypeError(
                f"client must be a dask.distributed.Client or None, got {type(client).__name__}: "
                "Client(address) makes one."
            )
        self.__dict__["_client"] = client

    @property
    def _scheduler(self) -> Any:
        """Scheduler of `dask.compute`: the client that was set or is current, or None for Dask's own choice.

        The current client is looked up once: it is one of this context, and passes may run in others.
        """
        given = self.__dict__.get("_client")
        named = dask.config.get("scheduler", None)
        client = given or (self.client if named in (None, "dask.distributed", "distributed") else None)
        if client is not None:
            check_workers(client)
        return client

    def __getstate__(self) -> Any:
        state = dict(super().__getstate__())  # type: ignore[call-overload]
        state.pop("_client", None)
        return state


def check_workers(client: Any) -> None:
    """Refuse a scheduler that does not answer, and machines of a cluster without this version of ntklib.

    Estimators do this before every fit. A scheduler without workers is warned about.

    Parameters
    ----------
    client : dask.distributed.Client

    Raises
    ------
    ConnectionError
        If the scheduler does not answer.
    RuntimeError
        Naming a worker, or the scheduler, that cannot import ntklib, or has another version.
    """
    if client.status != "running":
        raise ConnectionError(
            f"the client of the Dask scheduler is {client.status}: start a new one, client = "
            "dask.distributed.Client(address), and set it, model.client = client; or set model.client = None "
            "and compute on this machine."
        )

    def version() -> tuple[str, str]:  # in words, since classes may be unknown in the other process
        try:
            import ntklib
        except Exception as error:  # whatever a broken installation raises
            return "", f"{type(error).__name__}: {error}"
        return ntklib.__version__, ""

    try:
        versions = client.run(version, on_error="return")
        scheduler = _answer(client.run_on_scheduler, version)
    except OSError as error:
        raise ConnectionError(
            f"the Dask scheduler at {client.scheduler.address} does not answer ({error}): {AFRESH}"
        ) from error
    answers = {f"scheduler {client.scheduler.address}": scheduler}
    for place, answer in (answers | {f"worker {name}": one for name, one in versions.items()}).items():
        if isinstance(answer, OSError):  # a worker that has just left
            continue
        version_there, fault = (
            answer if isinstance(answer, tuple) else ("", f"{type(answer).__name__}: {answer}")
        )
        if fault:
            raise RuntimeError(
                f"the {place} cannot import ntklib ({fault}): install ntklib[dask]=={ntklib.__version__} "
                "there, with the same versions of Python and Dask as here."
            )
        if version_there != ntklib.__version__:
            raise RuntimeError(
                f"the {place} has ntklib {version_there}, and this process {ntklib.__version__}: install "
                "the same version on all machines."
            )
    if not versions:
        warn(
            f"the Dask scheduler at {client.scheduler.address} has no workers as yet, and what is computed "
            f"waits for them: dask worker {client.scheduler.address} starts one.",
            UserWarning,
        )


def _answer(function: Callable[..., Any], *arguments: Any) -> Any:
    """Answer of a function, or the error it raises, but for one of the connection."""
    try:
        return function(*arguments)
    except OSError:
        raise
    except Exception as error:
        return error


@contextmanager
def named_loss(client: Any) -> Iterator[None]:
    """Name the loss of a scheduler during a computation, and the way out; without a client do nothing.

    Raises
    ------
    ConnectionError
    """
    try:
        yield
    except (CancelledError, OSError) as error:
        if client is None or (isinstance(error, OSError) and client.status == "running"):
            raise
        raise ConnectionError(
            f"the Dask scheduler at {client.scheduler.address} was lost during the computation, or cancelled "
            f"it ({type(error).__name__}): {AFRESH} Then begin again: nothing of it is kept."
        ) from error


def current_client() -> Any:
    """Return Dask's current client, or None."""
    distributed = sys.modules.get("distributed")  # without it there is none
    if distributed is None:
        return None
    try:
        return distributed.get_client()
    except ValueError:
        return None
