"""Versions and machine, for the foot of a report and the head of a model file."""

from __future__ import annotations


def library_version() -> str:
    """Return the version of ntklib."""
    from ntklib import __version__

    return __version__


def collect_versions() -> dict[str, str]:
    """Return versions, threads and BLAS as ``ntklib info`` prints them, but for folders of this machine."""
    from ntklib._info import versions

    found = {name: text for name, text in versions().items() if name != "compiled code"}
    return found | {"ntklib": library_version()}
