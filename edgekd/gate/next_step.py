"""A way forward where nothing is promoted: the variant that comes nearest, and the checks that hold it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edgekd.evaluate.record import Record
from edgekd.evaluate.result import SliceResult
from edgekd.evaluate.teacher_floor import TeacherFloor
from edgekd.gate.binding import Binding, bind_check
from edgekd.gate.check import Check
from edgekd.gate.evidence import VariantEvidence
from edgekd.gate.verdict import GateVerdict, VariantVerdict

_LONGEST = 220
"""Characters of the short form: with the target's name and what became of it, a line has about 250."""


@dataclass(frozen=True)
class NextStep(Record):
    """What would have to pass for a variant to be promoted.

    Attributes:
        variant: the one that comes nearest.
        checks: how many checks it has.
        binding: its checks that do not pass, the hardest first, then those of the quality of variants that
            are tested before it.
        teacher_under: floors that the teacher itself missed on validation rows.
    """

    variant: str
    checks: int
    binding: tuple[Binding, ...]
    teacher_under: tuple[TeacherFloor, ...] = ()

    @property
    def short(self) -> str:
        """One line, of about 220 characters at most: what does not fit is counted."""
        head = f"nearest is {self.variant}; {self._count}: "
        tail = ""
        if self.teacher_under:
            names = [floor.slice for floor in self.teacher_under]
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            tail = f"; the teacher itself misses the floor of {names[0]}{more}"
        parts: list[str] = []
        for entry in self.binding:
            words = entry.short if entry.variant == self.variant else f"{entry.variant}: {entry.short}"
            if parts and len(head) + len(", ".join([*parts, words])) + len(tail) > _LONGEST:
                break
            parts.append(words)
        left = len(self.binding) - len(parts)
        return head + ", ".join(parts) + (f" and {left} more" if left else "") + tail

    @property
    def whole(self) -> tuple[str, ...]:
        """Every sentence: the variant, each check that binds, and the floors that the teacher misses."""
        lines = [f"{self.variant} comes nearest to being promoted: {self._count}."]
        for entry in self.binding:
            before = "" if entry.variant == self.variant else f"{entry.variant}, which is tested before it: "
            lines.append(before + entry.whole)
        return (*lines, *(floor.words for floor in self.teacher_under))

    @property
    def _count(self) -> str:
        own = sum(entry.variant == self.variant for entry in self.binding)
        others = len(self.binding) - own
        words = f"{own} of {self.checks} checks hold{'s' if own == 1 else ''} it" if own else ""
        if others:
            count = f"{others} check{'' if others == 1 else 's'} of variants that are tested before it"
            words += f", and {count}" if own else f"it waits for {count}"
        return words


def find_next_step(
    verdict: GateVerdict, evidence: Sequence[VariantEvidence], order: Sequence[str] = ()
) -> NextStep | None:
    """Choose the variant that comes nearest; None where one is promoted or there is none.

    A variant is promoted once its own checks pass and the quality of all that are tested before it (`order`)
    is proven. The nearest is the one with the fewest proven failures among those checks; of equals, the one
    that exceeds no limit of size by design, then the one with the fewest that no number of rows would prove,
    then the one with the fewest checks that hold it.
    """
    if verdict.promoted is not None or not verdict.variants:
        return None
    by_name = {entry.variant: entry for entry in evidence}
    own = {entry.variant: _bind(entry, by_name[entry.variant]) for entry in verdict.variants}
    needs = {entry.variant: _needs(entry, own, order) for entry in verdict.variants}
    unscored = {entry.variant: by_name[entry.variant].evaluation is None for entry in verdict.variants}
    chosen = min(
        verdict.variants,
        key=lambda entry: (unscored[entry.variant], *_distance(needs[entry.variant])),
    )
    return NextStep(chosen.variant, _count_own(chosen), needs[chosen.variant], verdict.teacher_under)


def _needs(
    entry: VariantVerdict, own: Mapping[str, tuple[Binding, ...]], order: Sequence[str]
) -> tuple[Binding, ...]:
    before = order[: order.index(entry.variant)] if entry.variant in order else ()
    others = (bound for name in before for bound in own.get(name, ()) if bound.is_of_quality)
    return (*own[entry.variant], *others)


def _bind(entry: VariantVerdict, evidence: VariantEvidence) -> tuple[Binding, ...]:
    results = {result.name: result for result in evidence.judged}
    of = max(1, sum(result.claims for result in evidence.judged if result.n > 0))
    held = [
        bind_check(entry.variant, check, _slice_of(check, results), of)
        for check in entry.checks
        if not check.passes and check.name != "order of testing"
    ]
    return tuple(sorted(held, key=_hardness))


def _slice_of(check: Check, results: Mapping[str, SliceResult]) -> SliceResult | None:
    """Return the slice that a margin or a floor is of."""
    return results.get(check.slice) if check.is_of_quality and check.slice else None


def _hardness(bound: Binding) -> tuple[bool, bool, int]:
    return (bound.status != "fail", bound.can_be_proven, -(bound.rows_needed or 0))


def _distance(bound: Sequence[Binding]) -> tuple[int, int, int, int, int]:
    statuses = [entry.status for entry in bound]
    hopeless = sum(not entry.can_be_proven for entry in bound)
    rows = max((entry.rows_needed or 0 for entry in bound), default=0)
    return statuses.count("fail"), statuses.count("not eligible"), hopeless, len(bound), rows


def _count_own(entry: VariantVerdict) -> int:
    return sum(check.name != "order of testing" for check in entry.checks)
