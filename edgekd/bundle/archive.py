"""One zip file with the same bytes whenever it holds the same files."""

from __future__ import annotations

import zipfile
from pathlib import Path

_EPOCH = (1980, 1, 1, 0, 0, 0)
_READABLE = 0o100644 << 16  # the platform runs the function as another user


def write_zip(folder: Path, path: Path) -> None:
    """Pack a folder's files, sorted, without times, owners or anything else of this machine."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for file in sorted(folder.rglob("*")):
            if not file.is_file():
                continue
            entry = zipfile.ZipInfo(file.relative_to(folder).as_posix(), _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # Unix, whatever packs
            entry.external_attr = _READABLE
            archive.writestr(entry, file.read_bytes(), compresslevel=9)
