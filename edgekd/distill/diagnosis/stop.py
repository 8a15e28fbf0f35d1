"""When to stop training, and which checkpoint may never be promoted; each verdict with its evidence."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, Protocol

from edgekd.distill.diagnosis.score import best_epoch
from edgekd.distill.logs.training_events import EpochSummary
from edgekd.stats.proportion import exact_upper_bound


@dataclass(frozen=True)
class StopVerdict:
    """What a rule says after the last epoch.

    One that `fires` stops training; the business rule's forbids to promote the checkpoint.
    """

    rule: Literal["loss", "quality", "safety", "business"]
    fires: bool
    evidence: str


class StopRule(Protocol):
    """Reads the epochs so far, in order, and judges the last."""

    def check(self, epochs: Sequence[EpochSummary]) -> StopVerdict:
        """Judge the last epoch."""


@dataclass(frozen=True)
class LossRule:
    """Stop where validation loss has not improved by `least` of its best for `patience` epochs in a row."""

    patience: int = 2
    least: float = 0.01

    def check(self, epochs: Sequence[EpochSummary]) -> StopVerdict:
        """Judge the last epoch."""
        if not epochs:
            return StopVerdict("loss", False, "no epoch yet")
        best = epochs[0]
        waited = 0
        for epoch in epochs[1:]:
            if epoch.val_loss <= (1 - self.least) * best.val_loss:
                best, waited = epoch, 0
            else:
                waited += 1
        words = (
            f"validation loss {best.val_loss:.4g} (epoch {best.epoch}) to {epochs[-1].val_loss:.4g} "
            f"(epoch {epochs[-1].epoch}): {waited} epochs in a row without an improvement of "
            f"{100 * self.least:g} %, {self.patience} stop it"
        )
        return StopVerdict("loss", waited >= self.patience, words)


@dataclass(frozen=True)
class QualityRule:
    """Stop where the human win rate has risen by less than `least` over `epochs` epochs."""

    epochs: int = 2
    least: float = 0.005

    def check(self, epochs: Sequence[EpochSummary]) -> StopVerdict:
        """Judge the last epoch."""
        rates = [(e.epoch, rate) for e in epochs if (rate := e.human_win_rate_vs_base) is not None]
        if len(rates) <= self.epochs:
            return StopVerdict("quality", False, f"fewer than {self.epochs + 1} epochs have a human win rate")
        (since, before), (last, rate) = rates[-1 - self.epochs], rates[-1]
        words = (
            f"human win rate {before:.3f} (epoch {since}) to {rate:.3f} (epoch {last}): "
            f"{100 * (rate - before):+.1f} points, {100 * self.least:g} are asked for"
        )
        # Rates of two or three digits: their difference is rounded off what binary adds to it.
        return StopVerdict("quality", round(rate - before, 9) < self.least, words)


@dataclass(frozen=True)
class SafetyRule:
    """Stop at once where the hallucination rate worsens `evaluations` times in a row."""

    evaluations: int = 2

    def check(self, epochs: Sequence[EpochSummary]) -> StopVerdict:
        """Judge the last epoch."""
        rates = [(e.epoch, rate) for e in epochs if (rate := e.hallucination_rate) is not None]
        if len(rates) <= self.evaluations:
            words = f"fewer than {self.evaluations + 1} epochs have a hallucination rate"
            return StopVerdict("safety", False, words)
        last = rates[-1 - self.evaluations :]
        worse = all(after[1] > before[1] for before, after in pairwise(last))
        shown = ", ".join(f"{rate:.3f} (epoch {epoch})" for epoch, rate in last)
        words = f"hallucination rate {shown}: {'worse each time' if worse else 'not worse each time'}"
        return StopVerdict("safety", worse, words)


RULES: tuple[StopRule, ...] = (LossRule(), QualityRule(), SafetyRule())
"""The rules of every task; each is silent where its figure has no meaning."""


def check_rules(epochs: Sequence[EpochSummary], rules: Sequence[StopRule] = RULES) -> tuple[StopVerdict, ...]:
    """Ask every rule about the last epoch."""
    return tuple(rule.check(epochs) for rule in rules)


def ends_training(epochs: Sequence[EpochSummary], planned: int) -> bool:
    """Tell whether to stop after the last epoch, of so many planned.

    The safety rule stops at once. The others wait until the promotion score, too, has not risen for a
    quarter of the planned epochs, at least two: a student's validation loss rises while it grows surer of
    itself, and its answers still gain, most of all where the learning rate falls at the end.
    """
    fired = {verdict.rule for verdict in check_rules(epochs) if verdict.fires}
    best = best_epoch(epochs) or 0
    waited = epochs[-1].epoch - best if epochs else 0
    return "safety" in fired or (bool(fired) and waited >= max(2, math.ceil(planned / 4)))


@dataclass(frozen=True)
class Gate:
    """A limit on one figure of a checkpoint; `bound` reads a rate's pessimistic end, `point` the rate."""

    figure: str
    sense: Literal[">=", "<="]
    limit: float
    read: Literal["point", "bound"] = "bound"


def check_gates(
    figures: Mapping[str, float], gates: Sequence[Gate], rows: Mapping[str, int] | None = None
) -> StopVerdict:
    """The business rule: a checkpoint that fails a gate is never promotable, however good its loss.

    A figure that is missing, and a bound without its n in `rows`, is not shown to be good enough: that
    forbids, too. Bounds are Clopper and Pearson's, one-sided at 95 %.
    """
    found = [_check_gate(figures, gate, rows or {}) for gate in gates]
    failed = [words for holds, words in found if not holds]
    return StopVerdict(
        "business", bool(failed), "; ".join(failed or [words for _, words in found]) or "no gates"
    )


def _check_gate(figures: Mapping[str, float], gate: Gate, rows: Mapping[str, int]) -> tuple[bool, str]:
    asked = f"{'at least' if gate.sense == '>=' else 'at most'} {gate.limit:g}"
    value = figures.get(gate.figure)
    if value is None:
        return False, f"{gate.figure}: not known, {asked} is asked for"
    shown = f"{gate.figure} {value:.4g}"
    if gate.read == "bound":
        n = rows.get(gate.figure)
        if n is None:
            return False, f"{shown}: of how many rows is not known, so it has no bound; {asked} is asked for"
        hits = round(value * n)
        value = exact_upper_bound(hits, n) if gate.sense == "<=" else 1 - exact_upper_bound(n - hits, n)
        shown += f" of {n} rows, 95 % bound {value:.4f}"
    holds = value >= gate.limit if gate.sense == ">=" else value <= gate.limit
    return holds, f"{shown}: {'holds' if holds else 'fails'} {asked}"
