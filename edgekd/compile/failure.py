"""What a library raises while it makes or runs a build, told as the failure of that build alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from edgekd.config import Build
from edgekd.errors import BuildError, EdgekdError

_WORDS = 300  # characters of what a library said


@contextmanager
def told_in_one_line(student: str, build: Build) -> Iterator[None]:
    """Turn an exception of a library into a `BuildError` with its words, so that other builds go on.

    Errors of edgekd pass as they are, and so does what the machine lacks: memory, space, a file, a library.
    """
    try:
        yield
    except (EdgekdError, MemoryError, OSError, ImportError):
        raise
    except Exception as error:
        raise BuildError(
            f"{student}: {build.runtime}/{build.label} cannot be made: {type(error).__name__}: "
            f"{shorten(str(error))}"
        ) from error


def shorten(words: str) -> str:
    """Put a library's message into one line of at most 300 characters, its end where it has a cause there."""
    line = " ".join(words.split())
    return line if len(line) <= _WORDS else f"{line[: _WORDS // 2]} ... {line[-_WORDS // 2 :]}"
