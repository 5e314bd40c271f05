"""Versions and machine, for the foot of a report and the head of a model file."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def library_version() -> str:
    """Return the version of ntklib, as ``ntklib.__version__`` has it."""
    try:
        return version("ntklib")
    except PackageNotFoundError:  # a source tree that is not installed
        return "0+unknown"


def collect_versions() -> dict[str, str]:
    """Return versions, threads and BLAS as ``ntklib info`` prints them, but for folders of this machine."""
    from ntklib._info import versions

    return {name: text for name, text in versions().items() if name != "compiled code"}
