"""What counting instructions found, and how two counts compare."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import Literal

from edgekd.errors import BadInputError

# What is a change, as a share of the instructions; docs/results/counting.jsonl has the spread it stands on.
COUNT_EFFECT = 0.005

CountVerdict = Literal["more", "fewer", "no change"]


@dataclass(frozen=True)
class InstructionCount:
    """The instructions that calls of one subject took, in one process; loading and warm-up are not in them.

    Attributes:
        tool: what counted, with its version.
        reason: why that tool.
        isa: the instruction sets that the counted process was told to have.
        hidden: those that it has when it runs alone, and did not have when it was counted.
        inputs_sha256: digest of the counted texts, in order.
        calls: instructions of each call as counted, in user mode, those of the loop included.
        loop: instructions of the loop for a callable that does nothing (median); part of every call above.
        seconds: how long the counted process took.
        native_seconds: how long the same process took without the tool; None where the tool does not slow
            it down.
        python: version of the interpreter, whose instructions are in the count.
    """

    subject: str
    tool: str
    reason: str
    isa: tuple[str, ...]
    hidden: tuple[str, ...]
    inputs_sha256: str
    calls: tuple[int, ...]
    loop: int
    seconds: float
    native_seconds: float | None
    threads: int
    python: str
    hash_seed: str

    @property
    def total(self) -> int:
        """Instructions of all calls, without the loop's."""
        return sum(self.calls) - self.loop * len(self.calls)

    @property
    def per_call(self) -> int:
        """Instructions of the median call, without the loop's."""
        return round(statistics.median(self.calls)) - self.loop

    @property
    def slowdown(self) -> float:
        """How many times as long the process took because it was counted."""
        return 1.0 if self.native_seconds is None else self.seconds / self.native_seconds

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the figures must know, a sentence each."""
        hidden = (
            f"; it hides {', '.join(self.hidden)}, so kernels for them did not run" if self.hidden else ""
        )
        return (
            f"{self.subject}: instructions in user mode, counted by {self.tool} because {self.reason}",
            f"{self.subject}: counted with {', '.join(self.isa) or 'unknown instruction sets'}{hidden}",
            f"{self.subject}: it took {self.seconds:.1f} s, {self.slowdown:.0f} times as long as uncounted",
            f"{self.subject}: Python {self.python}, hash seed {self.hash_seed}, {self.threads} threads",
        )


@dataclass(frozen=True)
class CountChange:
    """The candidate's instructions over the baseline's; a share of `effect` more or fewer is a change."""

    ratio: float
    verdict: CountVerdict
    effect: float


def compare_counts(candidate: InstructionCount, baseline: InstructionCount) -> CountChange:
    """Compare two counts of the same texts: the ratio of their totals, and whether that is a change.

    Raises:
        BadInputError: if they were counted in unlike ways; the message names each difference.
    """
    found = [
        f"{name}: {getattr(candidate, name)} / {getattr(baseline, name)}"
        for name in ("tool", "isa", "inputs_sha256", "threads", "python", "hash_seed")
        if getattr(candidate, name) != getattr(baseline, name)
    ]
    if len(candidate.calls) != len(baseline.calls):
        found.append(f"calls: {len(candidate.calls)} / {len(baseline.calls)}")
    if found:
        raise BadInputError(
            f"counts of {candidate.subject} and {baseline.subject} do not compare, count both alike: "
            + "; ".join(found)
        )
    ratio = candidate.total / max(1, baseline.total)
    verdict: CountVerdict = "no change"
    if ratio > 1 + COUNT_EFFECT:
        verdict = "more"
    elif ratio < 1 / (1 + COUNT_EFFECT):
        verdict = "fewer"
    return CountChange(ratio, verdict, COUNT_EFFECT)
