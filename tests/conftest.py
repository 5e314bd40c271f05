"""Markers shared by all tests."""

import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "compiled: small data through every compiled loop, fast enough for NUMBA_DISABLE_JIT=1"
    )
