"""Files of JSON lines that one process appends to, in the background, and never waits for."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

EVERY = 0.25
"""Seconds between two writes: what a killed process loses."""
_MOST_BYTES = 64 << 20  # of a file, then another begins
_MOST_WAITING = 20_000  # records; more are dropped, and counted
_IDLE = 30.0
"""Seconds without a line after which another file begins: one that rests for a minute may be packed away."""


class Segments:
    """Appends lines to files in a folder for each day, `day=2026-11-30/`, of at most 64 MiB each.

    `put` takes what makes the lines, so that all that costs time happens in the background. It never raises
    and never waits: where the disk is full or slow, records are dropped and counted in `dropped`.
    """

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        self._refused = self._lost = 0  # each is changed under one lock
        self._folder, self._clock = folder, clock
        self._waiting: list[Callable[[], bytes]] = []
        self._lock, self._writing = threading.Lock(), threading.Lock()  # of what waits, and of the file
        self._wakes, self._is_over = threading.Event(), False
        self._file: int | None = None
        self._day, self._size, self._number, self._wrote = "", 0, 0, 0.0
        self._owner = os.getpid()
        self._thread = threading.Thread(target=self._run, name="edgekd-log", daemon=True)
        self._thread.start()

    @property
    def dropped(self) -> int:
        """How many lines were not written."""
        return self._refused + self._lost

    def put(self, make: Callable[[], bytes]) -> None:
        """Have a line written soon; `make` is called in the background and returns it with its end."""
        if os.getpid() != self._owner:  # after a fork the lock may be held by a thread that is not here
            self._refused += 1
            return
        with self._lock:
            if len(self._waiting) < _MOST_WAITING and not self._is_over:
                self._waiting.append(make)
            else:
                self._refused += 1

    def flush(self) -> None:
        """Write what waits, now."""
        with self._writing:
            with self._lock:
                taken, self._waiting = self._waiting, []
            self._write(taken)

    def close(self) -> None:
        """Write what waits and end."""
        with self._lock:
            if self._is_over:
                return
            self._is_over = True
        self._wakes.set()
        self._thread.join()
        self.flush()
        self._close_file()

    def _run(self) -> None:
        while not self._wakes.wait(EVERY):
            self.flush()

    def _write(self, makers: list[Callable[[], bytes]]) -> None:
        if not makers:
            return
        lines: list[bytes] = []
        for make in makers:
            try:
                lines.append(make())
            except Exception:  # noqa: BLE001  a record that cannot be made must not end the log
                self._lost += 1
        try:
            self._append(b"".join(lines))
        except OSError:
            self._lost += len(lines)
            self._close_file()

    def _append(self, data: bytes) -> None:
        day = datetime.fromtimestamp(self._clock(), UTC).strftime("%Y-%m-%d")
        rested = time.monotonic() - self._wrote >= _IDLE
        if self._file is None or rested or day != self._day or self._size >= _MOST_BYTES:
            self._open_file(day)
        self._wrote = time.monotonic()
        assert self._file is not None
        written = 0
        try:
            while written < len(data):
                written += os.write(self._file, data[written:])
        except OSError:
            # A line that is half there would be joined to the next one.
            os.ftruncate(self._file, self._size)
            raise
        self._size += written

    def _open_file(self, day: str) -> None:
        self._close_file()
        folder = self._folder / f"day={day}"
        folder.mkdir(parents=True, exist_ok=True)
        self._number += 1
        name = f"{time.time_ns():x}-{os.getpid()}-{self._number}.jsonl"
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_EXCL
        self._file, self._day, self._size = os.open(folder / name, flags, 0o640), day, 0

    def _close_file(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            with suppress(OSError):  # what was written stands
                os.close(file)
