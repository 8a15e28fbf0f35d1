"""sha256 of files, without OpenSSL where that is cheaper."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

# OpenSSL hashes five times as fast as the module that Python has of its own, but has to be loaded (3.5 MiB,
# and 28 ms in the one cold start that was timed): for an artifact of this size or less, the longer way.
_SMALL = 8 << 20
_CHUNK = 1 << 18


def choose_sha256(size: int) -> Callable[..., Any]:
    """Return the constructor to hash `size` bytes with."""
    if size <= _SMALL and "hashlib" not in sys.modules:
        for name in ("_sha2", "_sha256"):  # since Python 3.12, and before
            try:
                found: Callable[..., Any] = __import__(name).sha256
            except ImportError:
                continue
            return found
    import hashlib

    return hashlib.sha256


def digest_file(path: Path, sha256: Callable[..., Any]) -> str:
    """Return the sha256 of a file in hexadecimal."""
    digest = sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return str(digest.hexdigest())
