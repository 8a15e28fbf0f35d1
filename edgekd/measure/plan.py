"""How much is measured."""

from __future__ import annotations

from dataclasses import dataclass

from edgekd.errors import BadInputError


@dataclass(frozen=True)
class MeasurePlan:
    """The size of a measurement.

    Attributes:
        rounds: fresh processes per subject. The process is the sampling unit: each has a lasting bias from
            where its pages lie, so more seconds in one process do not replace more processes.
        seconds: timed seconds per subject and round.
        warmup_seconds: what each process runs before, recorded apart; longer until a text of each length (in
            characters) was answered, but by no more than `seconds`.
        block_ms: how long one subject runs before the next takes over.
        threads: thread budget of every subject, and the number of cores they are pinned to.
        confidence: of all intervals, two-sided.
        seed: of the order of inputs.
        timeout_seconds: how long a process may take to load, to warm up, or to finish a block.
        precision: add rounds until the p95 ratio is known within this share of itself; None adds none.
        budget_seconds: no round is added that would probably end later than this.
    """

    rounds: int = 6
    seconds: float = 0.6
    warmup_seconds: float = 0.1
    block_ms: float = 20.0
    threads: int = 1
    confidence: float = 0.95
    seed: int = 0
    timeout_seconds: float = 120.0
    precision: float | None = None
    budget_seconds: float = 60.0

    def __post_init__(self) -> None:
        if self.rounds < 2:
            raise BadInputError(
                f"rounds must be at least 2 for an interval over processes, got {self.rounds}"
            )
        for name in ("seconds", "block_ms", "timeout_seconds", "budget_seconds"):
            if not getattr(self, name) > 0:
                raise BadInputError(f"{name} must be > 0, got {getattr(self, name)}")
        if self.precision is not None and not self.precision > 0:
            raise BadInputError(f"precision must be > 0, got {self.precision}")
        if not self.warmup_seconds >= 0:
            raise BadInputError(f"warmup_seconds must be >= 0, got {self.warmup_seconds}")
        if self.threads < 1:
            raise BadInputError(f"threads must be at least 1, got {self.threads}")
        if not 0 < self.confidence < 1:
            raise BadInputError(f"confidence must lie between 0 and 1, got {self.confidence}")
        if self.seed < 0:
            raise BadInputError(f"seed must be >= 0, got {self.seed}")
