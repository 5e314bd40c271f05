"""Tests run in several processes: one thread each costs the least, and gives the same bytes."""

from collections.abc import Iterator

import pytest

from ntklib import set_threads


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """Leave one thread to tests that do not ask for more."""
    with set_threads(1):
        yield
