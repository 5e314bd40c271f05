"""Child processes of the tests import the very package that is under test."""

import os
import signal
from pathlib import Path

import pytest

import ntklib


def pytest_configure() -> None:
    """Keep the source tree from shadowing an installed ntklib in children that start in the tree's root."""
    under_test, root = Path(ntklib.__file__).parents[1], Path(__file__).parents[1]
    os.environ["PYTHONPATH"] = os.pathsep.join(map(str, dict.fromkeys([under_test, root])))
    os.environ["PYTHONSAFEPATH"] = "1"
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell started the tests in the background
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Give scikit-learn's checks a fixture that nothing else needs: one for all tests takes seconds."""
    names = getattr(item, "fixturenames", [])
    if "estimator" in names and "check" in names and "dispatch_allowed" not in names:
        names.insert(0, "dispatch_allowed")


@pytest.fixture
def dispatch_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let scikit-learn's checks switch its dispatch on, which they skip without this variable."""
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")
