"""Every error a user can meet.

EdgekdError (exit 1)
├── BadInputError (exit 2)            what was found, what was expected, what to do
│   ├── ConfigError                   project, target or model file
│   ├── DataError                     rows, columns, labels, splits
│   ├── SliceError                    a slice predicate
│   └── ArtifactError                 an artifact that is not what its manifest says
├── MissingRuntimeError (exit 3)      a runtime or hardware that was asked for by name
│   └── MissingExtraError             the pip extra that brings it
├── ParityError (exit 1)              an exported or compiled model answers differently
├── BuildError (exit 1)               a build that a recipe's or a runtime's library cannot make
├── TrainingError (exit 1)            a loss that is not finite
├── TrackerError (exit 1)             TensorBoard, MLflow or W&B cannot be opened
├── MeasurementError (exit 1)         a measured process crashed, hung or answered nothing
│   └── OutOfTimeError                a round was ended by its own limit
├── HarmedError (exit 1)              an artifact that did harm would be promoted again or go out
├── StaleError (exit 1)               another artifact is promoted than the one that was to be replaced
├── LedgerError (exit 1)              the ledger's chain does not hold
└── MachineError (exit 4)             the disk or the memory of this machine is at its end

What is no EdgekdError is a defect, or a fault of the machine that nobody named: exit 4, too.
"""

from __future__ import annotations

import difflib
import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

FULL_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""What a disk says that is full, or broken."""


_LONGEST = 1200  # characters: a name or a value in a file can be megabytes long


class EdgekdError(Exception):
    """Base of all errors; `exit_code` is what the command line ends with."""

    exit_code = 1

    def __str__(self) -> str:
        """Return the message; of a very long one the beginning and the end."""
        words = super().__str__()
        half = _LONGEST // 2
        return words if len(words) <= _LONGEST else f"{words[:half]} ... {words[-half:]}"


class BadInputError(EdgekdError):
    """Something the user gave cannot be used."""

    exit_code = 2


class ConfigError(BadInputError):
    """A project, target or model file is wrong."""


class DataError(BadInputError):
    """The data is wrong: the message names file, row and column."""


class SliceError(BadInputError):
    """A slice predicate is not SQL that may be run."""


class ArtifactError(BadInputError):
    """A folder is not the artifact that its manifest describes."""


class MissingRuntimeError(EdgekdError):
    """A runtime or hardware that was asked for by name is not here."""

    exit_code = 3


class MissingExtraError(MissingRuntimeError):
    """A library is not installed; the message holds the pip command that installs it."""

    def __init__(self, library: str, extra: str) -> None:
        super().__init__(f'{library} is not installed; run: pip install "edgekd[{extra}]"')


class ParityError(EdgekdError):
    """An exported or compiled model does not answer as its source does."""


class BuildError(EdgekdError):
    """A library cannot make or run a build; the message holds what it said."""


class TrainingError(EdgekdError):
    """Training cannot go on."""


class TrackerError(EdgekdError):
    """A tracker that the project asks for cannot be opened."""


class MeasurementError(EdgekdError):
    """A measured process crashed, hung or gave no answer."""


class OutOfTimeError(MeasurementError):
    """A round did not end within its limit, and was ended."""


class HarmedError(EdgekdError):
    """An artifact was taken back or fails its newest verdict, and no person says otherwise."""


class StaleError(EdgekdError):
    """What is promoted is not what the caller expected to replace."""


class LedgerError(EdgekdError):
    """The ledger cannot be read or its chain does not hold."""


class MachineError(EdgekdError):
    """The disk or the memory of this machine is at its end; what was asked for may be right."""

    exit_code = 4


def unknown_name(kind: str, name: str, known: Iterable[str]) -> str:
    """Say that a name is unknown, with near matches and the list of what exists.

    >>> unknown_name("target", "lamda-x86", ["lambda-x86", "gpu"])
    "unknown target 'lamda-x86' (did you mean 'lambda-x86'?); known: gpu, lambda-x86"
    """
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1)
    hint = f" (did you mean '{near[0]}'?)" if near else ""
    return f"unknown {kind} '{name}'{hint}; known: {', '.join(names) or 'none'}"


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Have the error of a full disk name what was written: an open file's own error names nothing."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL_DISK and error.filename is None:
            error.filename = str(path)
        raise
    except Exception as error:
        for number in FULL_DISK:  # libraries that write files themselves have errors of their own
            if os.strerror(number) in str(error):
                raise OSError(number, os.strerror(number), str(path)) from error
        raise
