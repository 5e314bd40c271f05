"""The client that an estimator computes with."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import dask

import ntklib

__all__ = ["ClientMixin", "check_workers", "current_client"]


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

    Estimators do this before every fit.

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

    def version() -> str:
        import ntklib

        return ntklib.__version__

    try:
        versions = client.run(version, on_error="return")
        scheduler = {f"scheduler {client.scheduler.address}": _answer(client.run_on_scheduler, version)}
    except OSError as error:
        raise ConnectionError(
            f"the Dask scheduler at {client.scheduler.address} does not answer ({error}): see if it runs and "
            "this machine reaches it, then make a new client, dask.distributed.Client(address)."
        ) from error
    for place, answer in (scheduler | {f"worker {name}": one for name, one in versions.items()}).items():
        if isinstance(answer, ImportError):
            raise RuntimeError(
                f"the {place} cannot import ntklib ({answer}): install ntklib[dask]=="
                f"{ntklib.__version__} there."
            )
        if isinstance(answer, str) and answer != ntklib.__version__:
            raise RuntimeError(
                f"the {place} has ntklib {answer}, and this process {ntklib.__version__}: install "
                "the same version on all machines."
            )


def _answer(function: Callable[..., Any], *arguments: Any) -> Any:
    """Answer of a function, or the import error it raises."""
    try:
        return function(*arguments)
    except ImportError as error:
        return error


def current_client() -> Any:
    """Return Dask's current client, or None."""
    distributed = sys.modules.get("distributed")  # without it there is none
    if distributed is None:
        return None
    try:
        return distributed.get_client()
    except ValueError:
        return None
