"""How long opening an artifact takes, by stage."""

from __future__ import annotations

import time


class Stages:
    """A stopwatch: `mark` books the time since the mark before under a name, in nanoseconds."""

    def __init__(self) -> None:
        self.ns: dict[str, int] = {}
        self._last = time.perf_counter_ns()

    def mark(self, name: str) -> None:
        """Book what passed since the last mark."""
        now = time.perf_counter_ns()
        self.ns[name] = self.ns.get(name, 0) + now - self._last
        self._last = now
