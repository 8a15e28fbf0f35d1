"""The folders of one target in the registry: whole copies of artifacts, and the pointer to one.

Callers hold the target's lock. `place` is registry/<project>/<target>.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from edgekd.errors import ArtifactError

SHORT = 12
"""Digits of a digest that name a version's folder."""


def version_folder(place: Path, digest: str) -> Path:
    """Return where an artifact's copy is, or would be."""
    return place / "versions" / digest[:SHORT]


def pointed_version(place: Path) -> str | None:
    """Return the name of the version that `current` points at."""
    try:
        return (place / "current").readlink().name
    except FileNotFoundError:
        return None


def require_version(place: Path, digest: str) -> Path:
    """Return a version's folder.

    Raises:
        ArtifactError: if it is gone.
    """
    folder = version_folder(place, digest)
    if not folder.is_dir():
        raise ArtifactError(
            f"{folder}: the ledger promoted this artifact, but its folder is gone; restore it"
        )
    return folder


def add_version(
    place: Path, source: Path, digest: str, digest_of: Callable[[Path], str] | None = None
) -> Path:
    """Copy an artifact folder to its version, unless it is there; it appears whole, by one rename.

    Raises:
        ArtifactError: if the source is no folder or holds a link, or the copy has another digest.
    """
    final = version_folder(place, digest)
    if final.is_dir():
        _check_digest(final, digest, digest_of)
        return final
    if not source.is_dir():
        raise ArtifactError(f"{source}: no such artifact folder; compile it first")
    links = sorted(path for path in source.rglob("*") if path.is_symlink())
    if links:
        raise ArtifactError(f"{links[0]}: an artifact may hold no links; compile it again")
    partial = final.with_name(f".partial.{final.name}")
    final.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(source, partial)
    _check_digest(partial, digest, digest_of)
    for path in (*partial.rglob("*"), partial):
        flush(path)
    partial.rename(final)
    flush(final.parent)
    return final


def point_at(place: Path, digest: str) -> None:
    """Switch `current` in one step; a reader finds the version before or this one."""
    temporary = place / f".current.{os.getpid()}"
    temporary.symlink_to(Path("versions") / digest[:SHORT])
    temporary.replace(place / "current")
    flush(place)


def point_nowhere(place: Path) -> None:
    """Take `current` away, in one step; nothing happens where there is none."""
    try:
        (place / "current").unlink()
    except FileNotFoundError:
        return
    flush(place)


def clear_leftovers(place: Path) -> None:
    """Remove what killed calls left: parts of copies, and links not yet renamed."""
    for link in place.glob(".current.*"):
        link.unlink()
    for folder in (place / "versions").glob(".partial.*"):
        shutil.rmtree(folder)


def flush(path: Path) -> None:
    """Have the kernel write a file or folder to the disk now."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _check_digest(folder: Path, digest: str, digest_of: Callable[[Path], str] | None) -> None:
    found = digest if digest_of is None else digest_of(folder)
    if found != digest:
        raise ArtifactError(
            f"{folder}: expected artifact {digest[:SHORT]}, found {found[:SHORT]}; "
            "the artifact was changed or its copy damaged: compile it again, or remove this folder"
        )
