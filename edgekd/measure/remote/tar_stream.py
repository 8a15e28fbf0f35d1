"""Files as a tar stream, and the digest that says whether they arrived.

Standard library only: it also runs on the device. Links are followed, so that a folder of links arrives as
the files that they stand for.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import IO, Protocol, cast

from edgekd.errors import BadInputError

_BLOCK_BYTES = 1 << 18


class Sink(Protocol):
    """What a tar stream is written to."""

    def write(self, data: bytes) -> int:
        """Take some bytes."""


class Source(Protocol):
    """What a tar stream is read from."""

    def read(self, size: int) -> bytes:
        """Give up to `size` bytes, none at the end."""


def pack(sink: Sink, entries: Mapping[str, Path]) -> None:
    """Write files and folders as a tar stream, each under its name.

    Raises:
        BadInputError: for a path that is neither a file nor a folder.
    """
    with tarfile.open(
        fileobj=cast("IO[bytes]", sink),
        mode="w|",
        bufsize=_BLOCK_BYTES,
        format=tarfile.PAX_FORMAT,
        encoding="utf-8",
        errors="surrogateescape",
    ) as tar:
        for start, root in entries.items():
            for name, path in _walk(root, start):
                member = tarfile.TarInfo(name)
                if path.is_dir():
                    member.type, member.mode = tarfile.DIRTYPE, 0o700
                    tar.addfile(member)
                    continue
                with path.open("rb") as file:
                    status = os.fstat(file.fileno())
                    member.size, member.mode = status.st_size, 0o600 | (status.st_mode & 0o100)
                    tar.addfile(member, file)


def unpack(source: Source, folder: Path, allowed: Collection[str] | None = None) -> set[str]:
    """Write a tar stream's files below `folder`; return their names.

    Args:
        source: the stream; it may go on behind the archive's end.
        folder: exists; files of the same name are replaced.
        allowed: folders that files may lie directly in, where the sender is not trusted with more.

    Raises:
        ValueError: for a member that is no plain file or folder below `folder`.
        OSError: where it cannot be written; the stream is then read in part.
    """
    found = set()
    with tarfile.open(
        fileobj=cast("IO[bytes]", source),
        mode="r|",
        bufsize=_BLOCK_BYTES,
        encoding="utf-8",
        errors="surrogateescape",
    ) as tar:
        for member in tar:
            path = PurePosixPath(member.name)
            if path.is_absolute() or ".." in path.parts or not (member.isreg() or member.isdir()):
                raise ValueError(f"{member.name!r} is not a file below the folder")
            if allowed is not None and not (
                str(path) in allowed if member.isdir() else len(path.parts) == 2 and path.parts[0] in allowed
            ):
                raise ValueError(f"{member.name!r} is not one of the files that were asked for")
            target = folder / path
            if member.isdir():
                target.mkdir(parents=True, exist_ok=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            content = tar.extractfile(member)
            assert content is not None
            with content, target.open("wb") as file:
                shutil.copyfileobj(content, file, _BLOCK_BYTES)
            if member.mode & 0o100:
                target.chmod(target.stat().st_mode | 0o100)
            found.add(str(path))
    return found


def digest(path: Path) -> str:
    """Return the SHA-256 over the names, kinds, sizes and contents of a file, or of all below a folder."""
    whole = hashlib.sha256()
    for name, part in _walk(path, ""):
        whole.update(_encode(name) + b"\0")
        if part.is_dir():
            whole.update(b"folder\0")
            continue
        with part.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").digest()
        whole.update(b"file %d\0" % part.stat().st_size + content)
    return whole.hexdigest()


def _encode(name: str) -> bytes:
    """Encode a name alike at both ends, whatever their locales."""
    return name.encode("utf-8", "surrogateescape")


def _walk(
    path: Path, name: str, above: frozenset[tuple[int, int]] = frozenset()
) -> Iterator[tuple[str, Path]]:
    """Yield a path and all below it, each with its name in the archive, in an order that names decide."""
    if path.is_file():
        yield name, path
        return
    if not path.is_dir():
        raise BadInputError(f"{path}: neither a file nor a folder; only these can be sent to a device")
    status = path.stat()
    here = (status.st_dev, status.st_ino)
    if here in above:
        raise BadInputError(f"{path}: a link to a folder that it lies in; remove it, it has no end")
    yield name, path
    for child in sorted(path.iterdir(), key=lambda child: _encode(child.name)):
        yield from _walk(child, f"{name}/{child.name}" if name else child.name, above | {here})
