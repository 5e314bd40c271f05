"""Versions and machine, for the foot of a report."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version

PACKAGES = ("ntklib", "numpy", "scipy", "scikit-learn", "numba", "matplotlib")


def library_version() -> str:
    """Return the version of ntklib, "unknown" where it runs from a folder that was not installed."""
    try:
        return version("ntklib")
    except PackageNotFoundError:
        return "unknown"


def collect_versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that matter, and the machine in words."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    found["machine"] = f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}"
    return found
