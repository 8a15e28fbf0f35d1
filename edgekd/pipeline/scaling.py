"""Rates of a report as counts and costs of a day's requests, as the project says how many there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from edgekd.config.project import Traffic
from edgekd.config.routing import Routing
from edgekd.data.slices import select_traffic, slice_masks
from edgekd.data.taskdata import TaskData
from edgekd.errors import BadInputError
from edgekd.evaluate.scorer import JudgedRows
from edgekd.impact.fallback import BILLINGS, Prices, compare_fallback
from edgekd.impact.saving import save
from edgekd.pipeline.context import Context
from edgekd.report.variants import DailyCost, DailyCosts, VariantRow
from edgekd.report.view import TargetReport

_BILLED = {
    "accepted": "billed for what the student answers",
    "cascade": "billed for every request, as each runs the student",
}


def scale_target(context: Context, test: TaskData, found: TargetReport) -> TargetReport:
    """Give a target's rates the requests of a day that they are of, and its variants their costs."""
    traffic = context.project.traffic
    if traffic is None:
        return found
    requests = _count_requests(context, test, traffic)
    slices = (
        replace(row, requests_per_day=requests.judged.get(row.name) if row.name in requests.hits else None)
        for row in found.slices
    )
    variants = (_scale_variant(context, traffic, row, requests) for row in found.variants)
    return replace(found, slices=tuple(slices), variants=tuple(variants))


@dataclass(frozen=True)
class _Requests:
    """Requests of a day.

    Attributes:
        judged: how many each slice judges, by the name of its row in a table.
        hits: names of the slices in which each answer is right or wrong.
        of_row: how many a test row of a slice stands for, by the slice's own name.
    """

    judged: Mapping[str, float]
    hits: frozenset[str]
    of_row: Mapping[str, float]


def _count_requests(context: Context, test: TaskData, traffic: Traffic) -> _Requests:
    """Count how many of a day's requests each slice judges.

    A part of a slice has its share of the slice. Which rows precision judges depends on the answers: it has
    no count.
    """
    slices = context.project.slices
    masks, drawn = slice_masks(test, slices), select_traffic(test, context.project.data.sample)
    drawn = np.ones(len(test), np.bool_) if drawn is None else drawn
    day, judged, of_row = traffic.requests_per_day, {}, {}
    hits: set[str] = set()
    for part in context.task.scorer.select(JudgedRows(test.targets, test.outputs, slices, masks, drawn)):
        name, whole = part.slice.name, float(masks[part.slice.name][drawn].mean())
        asked = traffic.slices.get(name, whole)
        of_row[name] = day * (asked / whole if whole else 1.0) / int(drawn.sum())
        if part.is_paired:
            judged[part.name] = min(day, of_row[name] * int(part.rows[drawn].sum()))
            hits |= {part.name} if part.are_hits else set()
    return _Requests(judged, frozenset(hits), of_row)


def _scale_variant(context: Context, traffic: Traffic, row: VariantRow, requests: _Requests) -> VariantRow:
    return replace(
        row,
        routing=tuple(replace(part, requests_per_day=requests.judged.get(part.name)) for part in row.routing),
        reliability=tuple(
            replace(part, requests_per_day=part.n * requests.of_row[part.name]) for part in row.reliability
        ),
        daily_costs=_find_costs(traffic, context.project.routing, row),
    )


def _find_costs(traffic: Traffic, routing: Routing | None, row: VariantRow) -> DailyCosts | None:
    """Price a day's requests: by the teacher, by the student alone, and by both as the policy routes them."""
    student, day = row.cost_per_1000_usd, traffic.requests_per_day
    teacher = traffic.teacher_per_1k or (None if routing is None else routing.teacher_per_1k)
    if student is None:
        return None
    if teacher is None:
        return DailyCosts((DailyCost("the student alone", day / 1000 * student),))
    alone = save(day, teacher, student)
    ways = [
        DailyCost("the teacher alone", alone.teacher_daily),
        DailyCost("the student alone", alone.student_daily, alone.daily),
    ]
    overall = next((part for part in row.routing if part.name == "overall"), None)
    if routing is None or overall is None:
        return DailyCosts(tuple(ways))
    rate = overall.fallback.estimate
    for billing in BILLINGS:
        daily = Prices(teacher, student, billing).daily(rate, day)
        ways.append(DailyCost(f"both, {_BILLED[billing]}", daily, alone.teacher_daily - daily))
    prices = Prices(teacher, student, routing.billing)
    try:
        alert = compare_fallback(prices, routing.planned_fallback, rate, day).alert
    except BadInputError as error:
        alert = str(error)
    return DailyCosts(tuple(ways), alert)
