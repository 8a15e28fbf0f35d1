"""A reader with its inputs, and what becomes of one of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from edgekd.cli.faults import explain_fault
from edgekd.errors import EdgekdError

SLOW_SECONDS, HUNG_SECONDS = 5.0, 10.0


@dataclass(frozen=True)
class Input:
    """Files to lay into an empty folder, and values that are no files.

    `broken` says why no reader may take it; where it is empty the input may be right or wrong.
    """

    files: Mapping[str, bytes] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)
    broken: str = ""


@dataclass(frozen=True)
class Reader:
    """What reads a kind of input: `make` draws an input, `read` is given it in a folder where its files lie.

    `codes` are the exit codes of refusals: 2, and of what a registry keeps 1.
    """

    name: str
    make: Callable[[Random], Input]
    read: Callable[[Input, Path], Any]
    codes: tuple[int, ...] = (2,)


@dataclass(frozen=True)
class Outcome:
    """What became of an input: `result`, `refused`, or one of the faults, and the words that were said."""

    kind: str
    words: str
    seconds: float

    @property
    def is_fault(self) -> bool:
        """Whether it should not have happened."""
        return self.kind not in ("result", "refused")


def _waited_seconds() -> float:
    """Return how long this thread has waited for a core: on a busy machine that is no time of a reader's."""
    try:
        return int(Path("/proc/thread-self/schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return 0.0


def ask(reader: Reader, given: Input, folder: Path) -> Outcome:
    """Have an input read, and say what the command line would have ended with."""
    for name, data in given.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    began = time.monotonic() - _waited_seconds()
    kind, words = "result", ""
    try:
        reader.read(given, folder)
    except Exception as error:  # noqa: BLE001  every error is told apart here
        known = error if isinstance(error, EdgekdError) else explain_fault(error)
        words = " ".join(str(known or f"{type(error).__name__}: {error}").split())
        kind = "refused" if known is not None and known.exit_code in reader.codes else "defect"
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
        kind, words = "defect", f"{type(error).__name__}: {error}"
    seconds = time.monotonic() - _waited_seconds() - began
    if kind == "result" and given.broken:
        kind, words = "silent success", given.broken
    if kind == "refused" and (not words or len(words) > 2000):
        kind = "no line"
    if seconds > SLOW_SECONDS:
        kind = "hang" if seconds > HUNG_SECONDS else "slow"
    return Outcome(kind, words, seconds)
