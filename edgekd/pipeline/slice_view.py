"""Turn what was judged of each slice into what the report shows."""

from __future__ import annotations

from collections.abc import Sequence

from edgekd.evaluate.result import Drop, SliceResult
from edgekd.gate.above import describe_gain, describe_limit
from edgekd.gate.check import Status
from edgekd.pipeline.deriving import quality_checks
from edgekd.pipeline.judging import Judged
from edgekd.report.slices import SliceRow, SliceValue
from edgekd.stats.interval import Interval
from edgekd.stats.proportion import wilson_interval
from edgekd.stats.tally import Tally

_LEVEL = 0.95


def slice_rows(judged: Judged) -> tuple[SliceRow, ...]:
    """Return every slice with every variant that was scored on it."""
    both = zip(judged.evidence, judged.verdict.variants, strict=True)
    scored = [(evidence, verdict) for evidence, verdict in both if evidence.evaluation is not None]
    if not scored:
        return ()
    rows = []
    for place, first in enumerate(scored[0][0].judged):
        values = []
        for evidence, verdict in scored:
            checks = quality_checks(verdict)
            status = _worst([check.status for check in checks if check.slice == first.name])
            found = _slice_value(evidence.variant, evidence.judged[place], status)
            if found is not None:
                values.append(found)
        rows.append(
            SliceRow(
                name=first.name,
                tier=first.tier,
                metric=first.metric,
                n=first.n,
                margin=first.margin,
                at_least=first.at_least,
                at_most=first.at_most,
                above=tuple(describe_limit(above) for above in first.above),
                left_out=first.left_out,
                sampling=first.sampling,
                teacher=_teacher_value(first),
                variants=tuple(values),
            )
        )
    return tuple(rows)


def _teacher_value(result: SliceResult) -> Interval | None:
    """Work the teacher's value out of a variant's: its hits plus what was lost, less what was gained."""
    drop = result.drop_from("teacher")
    if known := result.reference_values.get("teacher"):
        return known
    if not isinstance(result.tally, Tally) or drop is None:
        return None
    right = round(result.tally.right) + drop.lost - drop.gained
    return wilson_interval(result.n - right if result.metric == "false_alarm" else right, result.n)


def _worst(statuses: Sequence[Status]) -> Status:
    """Return the status of a slice that has several checks; a warning counts more than a pass."""
    order: tuple[Status, ...] = ("fail", "inconclusive", "not measured", "warning")
    return next((status for status in order if status in statuses), "pass")


def _slice_value(variant: str, result: SliceResult, status: Status) -> SliceValue | None:
    drop, compiled = result.drop_from("teacher"), result.drop_from("fp32")
    if result.value is None:
        return None
    return SliceValue(
        variant=variant,
        value=result.value,
        drop_vs_teacher=_interval(drop) if drop else None,
        drop_vs_fp32=_interval(compiled) if compiled else None,
        bound=_bound(result),
        gains=tuple(
            describe_gain(found, above)
            for above in result.above
            if (found := result.drop_from(above.reference)) is not None
        ),
        status=status,
    )


def _bound(result: SliceResult) -> float | None:
    """Return the one-sided 95 % bound that a floor or a limit on false alarms is judged by."""
    if result.floor is None or result.tally is None:
        return None
    low = result.tally.at(_LEVEL).low
    return 1 - low if result.at_most is not None else low


def _interval(drop: Drop) -> Interval:
    """Two one-sided bounds at 95 % are the ends of a two-sided interval at 90 %."""
    return Interval(drop.estimate, drop.low, drop.high, 2 * drop.confidence - 1)
