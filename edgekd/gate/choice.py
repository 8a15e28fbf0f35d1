"""Choose among variants that all pass: by the objective, and only as far as noise allows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edgekd.config.target import Objective
from edgekd.evaluate.result import Drop
from edgekd.gate.evidence import VariantEvidence
from edgekd.stats.interval import Interval
from edgekd.units import format_bytes, format_ms


@dataclass(frozen=True)
class Comparison:
    """What better means; see `judge_target` for the two callables."""

    objective: Objective
    incumbent: str | None
    ratio: Callable[[str, str], Interval] | None
    quality_drop: Callable[[str, str], Drop] | None

    def cost(self, entry: VariantEvidence) -> float:
        """Return the figure to minimise."""
        if self.objective == "artifact_bytes":
            return entry.artifact_bytes
        interval = {
            "quality": _overall(entry),
            "cold_start_ms": entry.usable_cold_start_ms,
            "p95_ms": entry.usable_p95_ms,
        }[self.objective]
        assert interval is not None  # check_variant passes no variant without its objective's figure
        return -interval.estimate if self.objective == "quality" else interval.estimate

    def beats(self, entry: VariantEvidence, other: VariantEvidence) -> bool:
        """Say whether `entry` is better than `other` by more than noise.

        Asks for the better estimate too, so that no ring of variants can beat one another.
        """
        if self.cost(entry) >= self.cost(other):
            return False
        if self.objective == "artifact_bytes":
            return True
        return self._is_truer(entry, other) if self.objective == "quality" else self._is_faster(entry, other)

    def _is_faster(self, entry: VariantEvidence, other: VariantEvidence) -> bool:
        if self.ratio is not None:
            return self.ratio(entry.artifact_digest, other.artifact_digest).high < 1
        if self.objective == "cold_start_ms":
            a, b = entry.usable_cold_start_ms, other.usable_cold_start_ms
        else:
            a, b = entry.usable_p95_ms, other.usable_p95_ms
        return a is not None and b is not None and a.high < b.low

    def _is_truer(self, entry: VariantEvidence, other: VariantEvidence) -> bool:
        if self.quality_drop is not None:
            return self.quality_drop(other.artifact_digest, entry.artifact_digest).high < 0
        overall = entry.overall
        if other.artifact_digest == self.incumbent and overall is not None:
            drop = overall.drop_from("incumbent")
            if drop is not None:
                return drop.high < 0
        a, b = _overall(entry), _overall(other)
        return a is not None and b is not None and a.low > b.high


@dataclass(frozen=True)
class Choice:
    """The variant chosen, and those that noise cannot tell from it."""

    winner: VariantEvidence
    tie_with: tuple[str, ...]
    reason: str


def choose(passing: Sequence[VariantEvidence], comparison: Comparison) -> Choice:
    """Choose one of the variants, at least one of which must be given.

    Those that none beats by more than noise are tied. Of these the incumbent stays; without it the
    smaller artifact wins, then the name that sorts first.
    """
    tied = [entry for entry in passing if not any(comparison.beats(other, entry) for other in passing)]
    kept = [entry for entry in tied if entry.artifact_digest == comparison.incumbent]
    winner = min(kept or tied, key=lambda entry: (entry.artifact_bytes, entry.variant))
    others = tuple(sorted(entry.variant for entry in tied if entry is not winner))
    return Choice(winner, others, _reason(winner, others, bool(kept), len(passing), comparison))


def _reason(
    winner: VariantEvidence, tied: tuple[str, ...], is_incumbent: bool, passing: int, comparison: Comparison
) -> str:
    figure = {
        "p95_ms": lambda: f"p95 {format_ms(comparison.cost(winner))}",
        "cold_start_ms": lambda: f"cold start {format_ms(comparison.cost(winner))}",
        "artifact_bytes": lambda: f"artifact {format_bytes(comparison.cost(winner))}",
        "quality": lambda: f"quality {-100 * comparison.cost(winner):.2f} %",
    }[comparison.objective]()
    if passing == 1:
        return f"{figure}; the only variant that passes" + (", and the incumbent" if is_incumbent else "")
    if is_incumbent:
        tie = f"; a tie with {', '.join(tied)}" if tied else ""
        return f"{figure}; the incumbent stays: none of {passing - 1} others beats it by more than noise{tie}"
    if tied:
        return f"{figure}; a tie with {', '.join(tied)}, broken by the smaller artifact, then by name"
    return f"{figure}; best of {passing} that pass, by more than noise"


def _overall(entry: VariantEvidence) -> Interval | None:
    return None if entry.overall is None else entry.overall.value
