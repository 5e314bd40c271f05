"""Zip archives from strangers: their size is known, and allowed, before anything of them is expanded.

Deflate can expand a file a thousandfold. How much is allowed follows from the size of the file: 64 MiB and
twenty times its size. The writer keeps to the same bound: large members that would expand by more are stored
as they are. So every model that was written can be read, however large, and reading costs memory in
proportion to the file that was received.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Mapping
from typing import BinaryIO

SPARE = 64 * 2**20
RATIO = 20

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_CHUNK = 2**16


class ArchiveError(ValueError):
    """An archive that is damaged, or that is not to be expanded."""


def allowed(size: int) -> int:
    """Return how many bytes a file of some size may expand to."""
    return SPARE + RATIO * size


def write_archive(members: Mapping[str, bytes]) -> bytes:
    """Return an archive that expands to no more than :func:`allowed`.

    The smallest members, 64 MiB in all, are deflated; of the others those that shrink to no less than a
    twentieth.
    """
    buffer, total = io.BytesIO(), 0
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in sorted(members.items(), key=lambda item: len(item[1])):
            total += len(data)
            keeps = total <= SPARE or RATIO * len(zlib.compress(data)) >= len(data)
            archive.writestr(name, data, zipfile.ZIP_DEFLATED if keeps else zipfile.ZIP_STORED)
    return buffer.getvalue()


def read_archive(file: BinaryIO) -> dict[str, bytes]:
    """Read every member of an archive, after a look at what it would expand to.

    Raises
    ------
    ArchiveError
        If the archive is damaged, encrypted, compressed in another way than by deflate, names a member twice
        or by a path, or would expand to more than :func:`allowed`.
    """
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            _check(members, size)
            return {member.filename: _expand(archive, member) for member in members}
    except ArchiveError:
        raise
    except Exception as error:  # zipfile, zlib, struct and the text codecs each have their own
        raise ArchiveError(f"truncated or damaged ({error or type(error).__name__})") from None


def _check(members: list[zipfile.ZipInfo], size: int) -> None:
    seen = set()
    for member in members:
        name = member.filename
        if not _NAME.fullmatch(name):
            raise ArchiveError(f"refused, a member has the name {name[:80]!r}")
        if name in seen:
            raise ArchiveError(f"refused, it holds {name} twice")
        seen.add(name)
        if member.flag_bits & 0x1:
            raise ArchiveError(f"refused, {name} in it is encrypted")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ArchiveError(f"refused, {name} in it is compressed in a way that ntklib does not use")
    total = sum(member.file_size for member in members)
    if total > allowed(size):
        raise ArchiveError(
            f"refused, its {size} bytes would expand to {total} (at most {allowed(size)} for a file of this "
            "size; ntklib fit writes none that expand by more)"
        )


def _expand(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """Expand a member in small steps: a size that the archive lies about costs one step, no more."""
    data = bytearray()
    with archive.open(member) as source:
        while chunk := source.read(_CHUNK):
            data += chunk
    if len(data) != member.file_size:
        raise ArchiveError(f"damaged ({member.filename} in it ends too early)")
    return bytes(data)
