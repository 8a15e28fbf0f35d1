"""Look at logs of live traffic: what has changed, how old the lesson is, and what to label next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgekd.curate.drift.ages import Ages, find_ages, recency_weights
from edgekd.curate.drift.daily import Daily, Stream
from edgekd.curate.drift.plan import RefreshPlan, growth_per_day, plan_refresh, rows_needed
from edgekd.curate.drift.streams import add_up
from edgekd.curate.drift.watch import Change, Watching, name_alarms, watch
from edgekd.curate.sampling.choose import Candidates, Sample, choose, near_failures
from edgekd.curate.sampling.coverage import Coverage, cover
from edgekd.curate.sampling.features import text_features
from edgekd.data.age import ages_in_days
from edgekd.data.normalise import normalise
from edgekd.data.slices import select_rows
from edgekd.data.taskdata import TaskData
from edgekd.distill.logs.live_events import FreshnessSlice
from edgekd.errors import BadInputError, SliceError
from edgekd.pipeline.context import Context
from edgekd.pipeline.learning import load_stage
from edgekd.pipeline.logged import MISS, TEACHER_VALUE, VALUE, Traffic, read_traffic
from edgekd.store import write_atomic

_WATCHED = 90
_MOST_STRATA = 200


@dataclass(frozen=True, eq=False)
class Look:
    """What logs say.

    Attributes:
        today: the last day of the logs.
        alarms, seasons: what has changed, each once; none where the logs are too short (`unwatched` says
            why).
        ages: of the training rows, by slice.
        freshness: one event per slice that logs know.
        coverage: of the test rows, beside the traffic.
        sample: rows of the logs to label; None where no budget is given.
    """

    today: date
    data: TaskData
    traffic: Traffic
    alarms: tuple[Change, ...]
    seasons: tuple[Change, ...]
    unwatched: str
    ages: dict[str, Ages]
    freshness: tuple[FreshnessSlice, ...]
    coverage: Coverage
    plan: RefreshPlan
    sample: Sample | None


def look_at_logs(context: Context, path: Path, since: date | None, budget: int | None) -> Look:
    """Read logs and say what follows; `since` is the first day to watch, `budget` how many rows to choose.

    Raises:
        ConfigError: the project has no column of dates.
        DataError: the logs or the rows are not as they should be.
    """
    data = load_stage(context)
    train = data.split("train")
    traffic = read_traffic(context, path, train)
    settings = context.project.curate
    margin = settings.margin / 100
    today = date.fromordinal(int(traffic.log.days.max()))
    daily = add_up(traffic.log)
    alarms, seasons, unwatched = _watch(
        daily, Watching(margin=margin, false_alarms=settings.false_alarms), since
    )
    train_masks = _masks_of(train, context, traffic)
    ages, weights = _ages(context, train, train_masks, today, settings.half_life_days)
    coverage = _cover(context, data.split("test"), traffic)
    shares = {name: float(mask.mean()) for name, (_, mask) in traffic.log.parts.items()} | {"overall": 1.0}
    needs = {
        name: rows_needed(shares[name], mask, weights, settings.least_rows)
        for name, mask in train_masks.items()
    }
    lacking = {part.name: part.missing for part in coverage.parts if part.missing and part.traffic_share > 0}
    growth = growth_per_day(daily, Stream("new words", "overall", "new words"))
    plan = plan_refresh(alarms, today, growth, margin, needs, lacking)
    freshness = tuple(_freshness(name, mask, traffic, ages) for name, mask in _fresh_parts(traffic).items())
    sample = None if budget is None else _choose(context, train, traffic, budget, today)
    return Look(today, data, traffic, alarms, seasons, unwatched, ages, freshness, coverage, plan, sample)


def _watch(
    daily: Daily, settings: Watching, since: date | None
) -> tuple[tuple[Change, ...], tuple[Change, ...], str]:
    last = daily.first + daily.days - 1
    recent = np.flatnonzero(daily.rows[:, ::-1].sum(0) == 0)
    unbroken = int(recent[0]) if len(recent) else daily.days  # days up to the last without a gap
    start = since or date.fromordinal(max(last - _WATCHED + 1, last + 1 - unbroken + settings.reference))
    try:
        changes = watch(daily, settings, start, date.fromordinal(last))
    except BadInputError as error:
        if since is not None:
            raise
        return (), (), str(error)
    seasons: dict[Stream, Change] = {}
    for change in changes:
        if change.kind == "season":
            seasons.setdefault(change.stream, change)
    return name_alarms(changes), tuple(seasons.values()), ""


def _masks_of(rows: TaskData, context: Context, traffic: Traffic) -> dict[str, npt.NDArray[np.bool_]]:
    """Return the rows of each part of the traffic that these rows can tell, "overall" first."""
    found = {"overall": np.ones(len(rows), bool)}
    asked = {entry.name: entry.where for entry in context.project.slices if entry.name in traffic.log.slices}
    if context.project.curate.fresh is not None and "fresh" in traffic.log.slices:
        asked["fresh"] = context.project.curate.fresh
    for name, where in asked.items():
        try:
            found[name] = select_rows(rows, where, f"slice '{name}'")
        except SliceError:  # of a column that logs alone have
            continue
    for column, masks in traffic.log.columns.items():
        if column in rows.table.column_names:
            values = np.array([str(value) for value in rows.table[column].to_pylist()])
            found |= {f"{column}={value}": values == value for value in masks}
    return found


def _ages(
    context: Context,
    train: TaskData,
    masks: dict[str, npt.NDArray[np.bool_]],
    today: date,
    half_life_days: float,
) -> tuple[dict[str, Ages], npt.NDArray[np.float64]]:
    column = str(context.project.data.columns.date)
    days = ages_in_days(train, column, today)
    found = {name: ages for name, mask in masks.items() if (ages := find_ages(days[mask])) is not None}
    return found, recency_weights(days, half_life_days)


def _cover(context: Context, test: TaskData, traffic: Traffic) -> Coverage:
    settings = context.project.curate
    sample = _masks_of(test, context, traffic)
    live = {name: mask for name, (_, mask) in traffic.log.parts.items()}
    live["overall"] = np.ones(len(traffic.rows), bool)
    live = {name: live[name] for name in sample}
    for name, where in settings.kinds.items():
        sample[name] = select_rows(test, where, f"curate.kinds.{name}")
        try:
            live[name] = select_rows(traffic.rows, where, f"curate.kinds.{name}")
        except SliceError:  # nobody knows of live rows what it asks, as their label
            live[name] = np.zeros(len(traffic.rows), bool)
    per_day = context.project.traffic.requests_per_day if context.project.traffic else None
    return cover(sample, live, least=settings.least_rows, rare=settings.rare, per_day=per_day)


def _fresh_parts(traffic: Traffic) -> dict[str, npt.NDArray[np.bool_]]:
    return {"overall": np.ones(len(traffic.rows), bool), **traffic.log.slices}


def _freshness(
    name: str, mask: npt.NDArray[np.bool_], traffic: Traffic, ages: dict[str, Ages]
) -> FreshnessSlice:
    """Say how good answers are in a slice of the logs; `n` counts rows whose answer is judged."""

    def mean(signal: str) -> tuple[float | None, int]:
        values = traffic.values(signal)
        known = np.zeros(0) if values is None else values[mask & ~np.isnan(values)]
        return (float(known.mean()), len(known)) if len(known) else (None, 0)

    age = ages.get(name)
    student, n = mean(VALUE)
    return FreshnessSlice(
        slice=name,
        teacher_grounded_rate=mean(TEACHER_VALUE)[0],
        student_grounded_rate=student,
        retrieval_miss_rate=mean(MISS)[0],
        dataset_age_days_p50=None if age is None else age.p50,
        dataset_age_days_p95=None if age is None else age.p95,
        share=float(mask.mean()) if len(mask) else 0.0,
        n=n,
    )


def _choose(context: Context, train: TaskData, traffic: Traffic, budget: int, today: date) -> Sample:
    """Choose rows to label; texts that training rows have count as labelled."""
    log = traffic.log
    features = text_features(traffic.words)
    known = {normalise(text) for text in train.texts}
    labelled = np.array([place for place, text in enumerate(traffic.rows.texts) if normalise(text) in known])
    critical = [entry.name for entry in context.project.slices if entry.tier == "prove"]
    risky = [log.slices[name] for name in critical if name in log.slices]
    values, agreement = traffic.values(VALUE), traffic.values("agreement")
    margin = traffic.values("margin")
    failed = None if values is None else features[np.nan_to_num(values, nan=1.0) < 0.5]
    pool = Candidates(
        features,
        strata=_strata(log.parts),
        risk=np.any(risky, axis=0) if risky else None,
        margin=margin if margin is not None else traffic.values("confidence"),
        age=(today.toordinal() - log.days).astype(np.float64),
        disagreement=None if agreement is None else 1 - agreement,
        hard=None if failed is None or not len(failed) else near_failures(features, failed),
        labelled=labelled.astype(np.int64),
    )
    return choose(pool, budget, context.project.seed, half_life_days=context.project.curate.half_life_days)


def _strata(parts: dict[str, tuple[str, npt.NDArray[np.bool_]]]) -> npt.NDArray[np.int64] | None:
    """Number the strata: rows that are of the same parts; the rarest ones together."""
    if not parts:
        return None
    table = np.stack([mask for _, mask in parts.values()], axis=1)
    packed = np.packbits(table, axis=1)
    _, inverse, counts = np.unique(packed, axis=0, return_inverse=True, return_counts=True)
    rank = np.empty(len(counts), np.int64)
    rank[np.argsort(-counts, kind="stable")] = np.arange(len(counts))
    return np.asarray(np.minimum(rank, _MOST_STRATA)[inverse.reshape(-1)])


def due(look: Look) -> date:
    """Return the day of the next refresh: of the plan's first renewal, or after its interval."""
    regular = look.today + timedelta(look.plan.interval_days)
    return min([regular, *(renewal.by for renewal in look.plan.renewals)])


def write_events(context: Context, look: Look) -> Path:
    """Write the events of a look, one JSON object per line, below the workspace; returns the file."""
    path = context.workspace / "refresh" / f"{context.project.name}-{look.today}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = (event.model_dump_json(exclude_none=True) for event in look.freshness)
    write_atomic(path, "".join(f"{line}\n" for line in lines))
    return path
