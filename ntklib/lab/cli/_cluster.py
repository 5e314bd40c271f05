"""The option ``--dask``: where a table is read and its sums are made."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ntklib.lab.tables import Table, TableStream
    from ntklib.lab.tables.cluster import ClusterTable

SECONDS = 10
"""Longest wait for the answer of a scheduler."""


@contextmanager
def open_cluster(address: str | None, table: Table | TableStream) -> Iterator[ClusterTable | None]:
    """Open a table where Dask reads it: with "" in threads of this process; None without the option.

    Raises
    ------
    DataError
        If Dask is not installed, or the scheduler or its workers cannot be used; it names the way out.
    """
    if address is None:
        yield None
        return
    from ntklib._core.threads import get_threads
    from ntklib.lab.tables import DataError

    try:
        import dask

        from ntklib.dask import check_workers
        from ntklib.lab.tables.cluster import ClusterTable
    except ImportError as error:
        raise DataError(f"--dask needs Dask ({error}): pip install 'ntklib[dask]'") from None
    if not address:
        with dask.config.set(scheduler="threads", num_workers=get_threads()):
            yield ClusterTable(table)
        return
    from distributed import Client

    try:
        client = Client(address, timeout=SECONDS, set_as_default=True)
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(
            f"the Dask scheduler at {address} does not answer ({reason}): see if it runs (dask scheduler "
            "starts one) and this machine reaches it"
        ) from None
    with client:
        try:
            check_workers(client)
        except (ConnectionError, RuntimeError) as error:
            raise DataError(str(error)) from None
        try:
            yield ClusterTable(table, client)
        except ConnectionError:
            raise DataError(
                f"the Dask scheduler at {address} was lost on the way: see if it runs and this machine "
                "reaches it, then fit again"
            ) from None
