"""Memory that Linux' control groups leave to this process: the limits of containers and of batch jobs."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

__all__ = ["group_memory", "limited_groups"]

_UNLIMITED = 2**60  # version 1 writes a number near 2^63 where there is no limit

_FILES = {
    1: ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    2: ("memory.max", "memory.current", "inactive_file"),
}


def group_memory() -> int | None:
    """Bytes below the nearest limit of a control group, file caches counted as free; None without a limit."""
    return min((free for free in map(_free, _own_groups()) if free is not None), default=None)


@cache
def _own_groups() -> tuple[tuple[Path, int], ...]:
    return tuple(limited_groups(Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")))


def limited_groups(root: Path, own: Path) -> Iterator[tuple[Path, int]]:
    """Folders of the groups of this process that have a limit, with the version of their files.

    Parameters
    ----------
    root : Path
        Where control groups are mounted.
    own : Path
        File that says which groups the process is in.

    Yields
    ------
    tuple of Path and int
    """
    try:
        lines = own.read_text().splitlines()
    except (OSError, ValueError):
        return
    for line in lines:
        _, controllers, place = [*line.split(":", 2), "", ""][:3]
        if not controllers:
            version, tops = 2, [root, root / "unified"]
        elif "memory" in controllers.split(","):
            version, tops = 1, [root / "memory"]
        else:
            continue
        # in a container its own group may be at the top, while the place is that on the host
        inner = Path(place.lstrip("/"))
        for top in tops:
            for group in dict.fromkeys([top / inner, *(top / parent for parent in inner.parents), top]):
                limit = _number(group / _FILES[version][0])
                if limit is not None and limit < _UNLIMITED:
                    yield group, version


def _free(found: tuple[Path, int]) -> int | None:
    group, version = found
    limit, used, cached = _FILES[version]
    most, now = _number(group / limit), _number(group / used)
    if most is None or now is None:
        return None
    return max(most - now + (_number(group / "memory.stat", cached) or 0), 0)


def _number(path: Path, name: str = "") -> int | None:
    """The number in a file, or in its line of that name; None where there is none, as in "max"."""
    try:
        words = (line.split() for line in path.read_text().splitlines())
        return next((int(line[-1]) for line in words if line and (not name or line[0] == name)), None)
    except (OSError, ValueError):
        return None
