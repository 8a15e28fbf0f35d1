"""The log of events, one JSON object a line: written while a model trains, and read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from edgekd.distill.logs.event import VERSION, Event
from edgekd.distill.logs.live_events import (
    CalibrationEval,
    FactSlice,
    FreshnessSlice,
    ReviewHealth,
    RouterHealth,
    ShadowCompare,
)
from edgekd.distill.logs.training_events import (
    CapacityAnalysis,
    ClassSliceEval,
    DominatingExamples,
    EpochSummary,
    SystemProfile,
    TrainStep,
)
from edgekd.errors import DataError
from edgekd.store import parse_json, write_atomic

AnyEvent = Annotated[
    TrainStep
    | EpochSummary
    | ClassSliceEval
    | CapacityAnalysis
    | SystemProfile
    | DominatingExamples
    | ShadowCompare
    | RouterHealth
    | CalibrationEval
    | FreshnessSlice
    | FactSlice
    | ReviewHealth,
    Field(discriminator="event"),
]
_ADAPTER: TypeAdapter[AnyEvent] = TypeAdapter(AnyEvent)
_NEVER = 2**63
_KINDS = {str(kind.model_fields["event"].default) for kind in Event.__subclasses__()}


class EventLog:
    """Appends events to a file; a line is written whole. `also` is told of each event, too.

    A file that a killed run left goes on after its first `epochs` epochs: the others are run again, and
    what follows the last kept epoch is said again. Where the next epoch goes on within itself, its steps up
    to number `steps` are kept, too.
    """

    def __init__(
        self, path: Path, epochs: int = 0, also: Callable[[Event], None] | None = None, steps: int = 0
    ) -> None:
        text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
        lines = text.splitlines(keepends=True)
        places = [_epoch_of(line, steps) for line in lines]
        end = max(
            (i + 1 for i, place in enumerate(places) if place is not None and place <= epochs), default=0
        )
        kept = [line for line, place in zip(lines[:end], places, strict=False) if (place or 0) <= epochs]
        write_atomic(path, "".join(kept))
        self._file = path.open("a", encoding="utf-8")
        self._also = also

    def write(self, event: Event) -> None:
        """Append one event."""
        self._file.write(event.model_dump_json(exclude_none=True, by_alias=True) + "\n")
        self._file.flush()
        if self._also is not None:
            self._also(event)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def read_events(path: Path) -> list[AnyEvent]:
    """Read a log; a last line that a kill cut short is left out, and so is an event of another kind.

    Raises:
        DataError: naming file and line, if there is no such file or a line is not an event.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        raise DataError(f"{path}: no such file; expected a log of events, one JSON object a line") from None
    found = []
    for number, line in enumerate(lines, 1):
        try:
            document = parse_json(line) if line.strip() else None
        except ValueError as error:
            if number == len(lines):  # no line end follows: a kill cut it
                break
            raise DataError(f"{path}: line {number}: is not JSON: {' '.join(str(error).split())}") from None
        if document is not None and (event := _read(document, f"{path}: line {number}")) is not None:
            found.append(event)
    return found


def _read(document: Any, place: str) -> AnyEvent | None:
    if not isinstance(document, dict) or "event" not in document:
        raise DataError(f"{place}: is not an event; expected an object with the key 'event'")
    if document["event"] not in tuple(_KINDS):
        return None
    if None in document.values():
        key = next(key for key, value in document.items() if value is None)
        raise DataError(f"{place}: key '{key}' is null; a field without a meaning must be absent")
    try:
        return _ADAPTER.validate_python(document)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"] if part not in _KINDS)
        if key == "version":
            raise DataError(
                f"{place}: is of version {first['input']!r:.40}, this edgekd reads up to {VERSION}; "
                "upgrade it"
            ) from None
        raise DataError(f"{place}: {document['event']}: {key}: {first['msg']}") from None


def _epoch_of(line: str, steps: int) -> int | None:
    """Return a line's epoch, None where it names none; a line that a kill cut is of no epoch to keep.

    Of a step up to number `steps` it is 0: it is kept, whatever its epoch is.
    """
    try:
        document = parse_json(line) if line.endswith("\n") else None
    except ValueError:
        document = None
    if not isinstance(document, dict):
        return _NEVER
    return 0 if document.get("global_step", steps + 1) <= steps else document.get("epoch")
