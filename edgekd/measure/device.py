"""Where rounds run: this machine, or one that is reached over a wire."""

from __future__ import annotations

from typing import Protocol

from edgekd.measure.environment import Environment, quiet_cores, read_environment
from edgekd.measure.process_bench import Conditions, ProcessBench
from edgekd.measure.round import Bench, measure_round


class Device(Protocol):
    """A machine that runs rounds."""

    def read_environment(self, threads: int) -> Environment:
        """Read the machine and its libraries."""

    def quiet_cores(self, count: int) -> tuple[int, ...]:
        """Return the `count` cores that are least busy."""

    def run_round(self, bench: Bench, number: int) -> tuple[tuple[ProcessBench, ...], Conditions]:
        """Run one round; afterwards its files lie in `bench.folder` on this machine."""


class ThisMachine:
    """Runs rounds in processes of this machine."""

    def read_environment(self, threads: int) -> Environment:
        """Read this machine."""
        return read_environment(threads)

    def quiet_cores(self, count: int) -> tuple[int, ...]:
        """Watch this machine's cores."""
        return quiet_cores(count)

    def run_round(self, bench: Bench, number: int) -> tuple[tuple[ProcessBench, ...], Conditions]:
        """Run one round here."""
        return measure_round(bench, number)
