"""Open an artifact by plain strings, as a measuring process is told to."""

from __future__ import annotations

from .loader import Model, load


def open_subject(folder: str, threads: str) -> Model:
    """Open and verify the artifact in `folder` with a number of threads."""
    return load(folder, threads=int(threads))
