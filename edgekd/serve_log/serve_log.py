"""The log of one process of a service."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .policy import LogPolicy
from .record import Asked, make_record
from .segments import Segments

HOT, AUDIT = "hot", "audit"


class ServeLog:
    """Writes compact rows to `hot/`, and rows with texts to `audit/` besides, which few people may read.

    One for each process: after a fork the child makes its own. It never raises once it is made, and an
    answer never waits for it; `dropped` counts rows that could not be written.
    """

    def __init__(self, folder: Path | str, policy: LogPolicy, clock: Callable[[], float] = time.time) -> None:
        self._policy, self._clock = policy, clock
        self._unread = 0  # requests of which nothing can be made, as one without an id
        self._hot = Segments(Path(folder) / HOT, clock)
        self._audit = Segments(Path(folder) / AUDIT, clock)

    @property
    def dropped(self) -> int:
        """How many rows were not written."""
        return self._hot.dropped + self._audit.dropped + self._unread

    def record(self, asked: Asked, said: Mapping[str, Any]) -> None:
        """Keep a request and its answer as far as the policy says; `said` is what `respond` returned."""
        try:
            now = self._clock()
            is_kept = self._policy.mode_of(asked.id, asked.slices) != "compact"
        except Exception:  # noqa: BLE001  an answer must not fail for its log
            self._unread += 1
            return
        self._hot.put(lambda: _line(make_record(asked, said, self._policy, now, compact=True)))
        if is_kept:
            self._audit.put(lambda: _line(make_record(asked, said, self._policy, now)))

    def flush(self) -> None:
        """Write what waits, now."""
        self._hot.flush()
        self._audit.flush()

    def close(self) -> None:
        """Write what waits and end."""
        self._hot.close()
        self._audit.close()


def _line(record: Mapping[str, Any]) -> bytes:
    # Half a character, or NaN, would make the whole file unreadable; with NaN a record is dropped.
    return json.dumps(record, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace") + b"\n"
