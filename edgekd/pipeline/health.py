"""The health of a project: its service's log, its events, its targets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from edgekd.config import Target as Device
from edgekd.curate.logs.read import list_days, read_log
from edgekd.distill.logs.events import AnyEvent, read_events
from edgekd.errors import DataError
from edgekd.gate.evidence import VariantEvidence
from edgekd.gate.history import find_place
from edgekd.gate.settling import current
from edgekd.health.figure import WHOLE, Figure, Target
from edgekd.health.from_events import figures_from_events, figures_from_training
from edgekd.health.from_evidence import figures_from_evidence
from edgekd.health.minimum import Release, check_release
from edgekd.health.traffic import COLUMNS, Traffic, count_traffic
from edgekd.impact.fallback import Prices, compare_fallback
from edgekd.pipeline.bundling import find_documents
from edgekd.pipeline.context import Context

Figures = dict[tuple[str, str], Figure]
"""By name and slice."""
_NO_CLAIMS = "its answers are no claims of fact: no gate and no records ask for it"


@dataclass(frozen=True)
class Health:
    """What is known of a project in service.

    Attributes:
        figures: All of them, each with its target.
        release: Whether the minimum set is there and holds.
        alerts: What an operator must hear of the teacher's share.
    """

    figures: tuple[Figure, ...]
    release: Release
    alerts: tuple[str, ...]


def find_health(
    context: Context, logs: Path | None, events: Sequence[Path], days: int, device: Device | None
) -> Health:
    """Gather figures, set their targets, and hold the minimum set against them.

    What is promoted for the device (for any target, without one) comes with what its training logged. What
    the gate saw of it stands above that, events above both, and what is counted in the service's log above
    all. A figure that has no period before is told beside what the gate saw.

    Args:
        context: The project's.
        logs: The `hot` folder of the service's log.
        events: Logs of events.
        days: Length of the recent period and of the one before it.
        device: Whose promoted version it is about, and whose limit on p95 is the latency's target.

    Raises:
        DataError: a log is damaged, or there is none at all.
    """
    evidence = _find_promoted(context, device)
    offline = {} if evidence is None else _by_name(figures_from_evidence(evidence))
    found = _by_name(figures_from_training(_training(context, evidence))) | offline
    told = [event for path in events for event in read_events(path)]
    found |= _by_name(figures_from_events(told), offline)
    if logs is not None:
        found |= _by_name(_count(logs, days).figures(), offline)
    if not found:
        raise DataError("nothing is known of this project's health: give --logs, --events, or run it first")
    targets = _targets(context, device)
    figures = tuple(_aim(figure, targets) for figure in found.values())
    gates, project = context.project.gates, context.project
    asks_facts = gates.hallucination_rate is not None or project.claims is not None
    has_facts = any(name == "hallucination_rate" for name, _ in found)
    left_out = {} if asks_facts or has_facts else {"hallucination_rate": _NO_CLAIMS}
    return Health(figures, check_release(figures, left_out), tuple(_alerts(context, found)))


def _by_name(figures: Iterable[Figure], before: Mapping[tuple[str, str], Figure] | None = None) -> Figures:
    found = {}
    for figure in figures:
        key = (figure.name, figure.slice)
        was = (before or {}).get(key)
        if was is not None and figure.before is None:
            figure = replace(figure, before=was.value, target=figure.target or was.target)
        found[key] = figure
    return found


def _aim(figure: Figure, targets: Mapping[str, Target]) -> Figure:
    """Give a figure its target; a limit on what goes to the teacher is of all traffic."""
    is_of_all = figure.slice == WHOLE or figure.name != "fallback_rate"
    return replace(figure, target=figure.target or (targets.get(figure.name) if is_of_all else None))


def _find_promoted(context: Context, device: Device | None) -> VariantEvidence | None:
    names = context.project.targets if device is None else (device.name,)
    for name in names:
        held = current(context.registry, context.project.name, name)
        if held is None:
            continue
        _, kept = find_documents(find_place(context.registry, context.project.name, name), held[0])
        if kept is not None:
            return VariantEvidence.from_json(kept)
    return None


def _training(context: Context, evidence: VariantEvidence | None) -> Iterator[AnyEvent]:
    """Read what the training of the promoted student logged."""
    if evidence is not None:
        for path in sorted((context.run_folder / "logs" / evidence.student).rglob("*.jsonl")):
            yield from read_events(path)


def _count(logs: Path, days: int) -> Traffic:
    """Count the log's last days and as many before them; its last day is the one that it ends with."""
    end = max(list_days(logs)) + timedelta(days=1)
    first, recent = end - timedelta(days=2 * days), end - timedelta(days=days)
    midnight = datetime(recent.year, recent.month, recent.day, tzinfo=UTC).timestamp()
    return count_traffic((piece.table for piece in read_log(logs, COLUMNS, first)), midnight)


def _targets(context: Context, device: Device | None) -> dict[str, Target]:
    gates, routing = context.project.gates, context.project.routing
    planned = None if routing is None else routing.planned_fallback
    found: Mapping[str, tuple[float | None, bool]] = {
        "teacher_preference_match": (gates.teacher_preference_match, False),
        "human_win_rate": (gates.human_win_rate, False),
        "hallucination_rate": (gates.hallucination_rate, True),
        "confident_error_rate": (gates.confident_error_rate, True),
        "ece": (gates.ece, True),
        "brier": (gates.brier, True),
        "data_age_p50_days": (gates.data_age_p50_days, True),
        "data_age_p95_days": (gates.data_age_p95_days, True),
        "fallback_rate": (planned if gates.fallback_rate is None else gates.fallback_rate, True),
        "p95_ms": (None if device is None else device.limits.p95_ms, True),
    }
    return {name: Target(limit, at_most) for name, (limit, at_most) in found.items() if limit is not None}


def _alerts(context: Context, found: Mapping[tuple[str, str], Figure]) -> Iterator[str]:
    """Say where the teacher's share eats the saving; the student's own price is left out."""
    routing, traffic = context.project.routing, context.project.traffic
    rate = found.get(("fallback_rate", WHOLE))
    if routing is None or traffic is None or rate is None:
        return
    prices = Prices(routing.teacher_per_1k, 0.0, routing.billing)  # what the student costs is not known here
    drift = compare_fallback(prices, routing.planned_fallback, rate.value, traffic.requests_per_day)
    if drift.alert:
        yield drift.alert
