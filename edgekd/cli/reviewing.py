"""What the verbs of `edgekd review` do and print."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

import yaml

from edgekd.cli.outcome import Outcome
from edgekd.cli.review_files import (
    check_known,
    find_level,
    read_filled,
    read_item_file,
    read_judgments,
    rows_to_learn,
)
from edgekd.cli.review_words import make_routing, say_agreement, say_drift, say_health, say_proposal, some
from edgekd.curate.review.backlog import capacity_to_clear, forecast_backlog
from edgekd.curate.review.decide import decide_rows, measure_agreement
from edgekd.curate.review.health import Health, measure_health
from edgekd.curate.review.item import read_time
from edgekd.curate.review.label_studio import write_config, write_tasks
from edgekd.curate.review.proposals import Corrected, list_repeated, propose_rules
from edgekd.curate.review.queue import plan_queue
from edgekd.curate.review.rater_drift import find_drift
from edgekd.curate.review.sheet import write_sheet
from edgekd.distill.logs.events import read_events
from edgekd.distill.logs.live_events import ReviewHealth
from edgekd.errors import BadInputError
from edgekd.store import write_atomic

_AHEAD = 4  # weeks of a forecast


def write_queue(
    rows: Path, capacity: int, twice: float, seed: int, answers: str | None, out: Path
) -> Outcome:
    """Choose the week's rows and write them for raters."""
    if out.suffix not in (".csv", ".json"):
        raise BadInputError(f"--out {out}: expected .csv for a sheet, or .json for Label Studio")
    if answers is not None and out.suffix == ".csv":
        raise BadInputError(
            "--answers is what raters choose from in Label Studio; a sheet takes any; remove it"
        )
    items = read_item_file(rows)
    queue = plan_queue(items, capacity, twice, seed)
    written = [out]
    if out.suffix == ".csv":
        write_atomic(out, write_sheet(queue))
    else:
        choices = answers.split(",") if answers else sorted({item.answer for item in items})
        write_atomic(out, write_tasks(queue))
        written.append(out.with_suffix(".xml"))
        write_atomic(written[1], write_config(choices))
    document = {
        "rows": len(queue.items),
        "judgments": queue.judgments,
        "waiting": queue.waiting,
        "gain": queue.gain,
        "gain_left": queue.gain_left,
        "written": [str(path) for path in written],
    }
    share = queue.gain / (queue.gain + queue.gain_left) if queue.gain else 0.0
    lines = (
        f"{len(queue.items):,} rows, {queue.judgments:,} judgments; {queue.waiting:,} rows wait",
        f"{share:.1%} of the gain that is expected of all rows; written: {', '.join(map(str, written))}",
    )
    return Outcome(lines, document)


def tell_agreement(files: Sequence[Path], raters: Path | None, level: str, order: str | None) -> Outcome:
    """Say how far raters agree."""
    ordered = order.split(",") if order else ()
    found = measure_agreement(read_judgments(files, raters), find_level(level), ordered)
    lines = [f"Krippendorff's alpha ({level}): {say_agreement(found.alpha)}"]
    lines += [
        f"{one} and {other}: kappa {say_agreement(kappa)}" for (one, other), kappa in found.pairs.items()
    ]
    pairs = [{"raters": list(names), **asdict(kappa)} for names, kappa in found.pairs.items()]
    document = {"alpha": asdict(found.alpha), "level": level, "kappa": pairs, "answers": list(found.answers)}
    return Outcome(tuple(lines), document)


def tell_decisions(
    files: Sequence[Path],
    raters: Path | None,
    adjudicators: Sequence[str],
    rows: Path | None,
    out: Path | None,
) -> Outcome:
    """Decide each row and write what was decided."""
    decisions = decide_rows(read_judgments(files, raters), adjudicators)
    counts = Counter(decision.how for decision in decisions)
    open_rows = [decision.row for decision in decisions if decision.answer is None]
    if out is not None:
        lines = rows_to_learn(decisions, rows) if rows is not None else [asdict(one) for one in decisions]
        write_atomic(out, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
    elif rows is not None:
        raise BadInputError("--rows says what decided rows are made of; give --out, where they are written")
    said = [", ".join(f"{how} {count:,}" for how, count in sorted(counts.items()))]
    said += [f"an adjudicator must decide {len(open_rows):,} rows: {some(open_rows)}"] if open_rows else []
    return Outcome(tuple(said), {"decided": dict(counts), "open": open_rows})


def tell_drift(
    files: Sequence[Path], raters: Path | None, since: str, margin: float, known: Path | None
) -> Outcome:
    """Say which raters judge otherwise than before."""
    right = None
    if known is not None:
        right = {str(row["id"]): str(row["answer"]) for row in read_filled(known, ("id", "answer"))}
    found = find_drift(read_judgments(files, raters), read_time(since, "--since"), margin, right)
    drifted = [one.rater for one in found if one.drifted]
    document = {"raters": [asdict(one) for one in found], "drifted": drifted}
    return Outcome(tuple(say_drift(one) for one in found), document, int(bool(drifted)))


def tell_health(
    files: Sequence[Path], raters: Path | None, level: str, at: str, weeks: int, out: Path | None
) -> Outcome:
    """Say how review keeps up, and append it to a log; the first of the files holds the rows."""
    now = read_time(at, "--now")
    found = measure_health(
        read_item_file(files[0]), read_judgments(files[1:], raters), now, weeks, find_level(level)
    )
    event = make_health_event(found, level, now)
    if out is not None:
        before = out.read_text(encoding="utf-8") if out.exists() else ""
        write_atomic(out, before + event.model_dump_json(exclude_none=True) + "\n")
    ahead = forecast_backlog(found.weekly_incoming, found.weekly_reviewed, _AHEAD, found.backlog)
    needed = capacity_to_clear(found.weekly_incoming, found.backlog, _AHEAD)
    lines = [
        *say_health(event),
        f"in {_AHEAD} weeks {ahead[-1].backlog:,.0f} rows wait; {needed:,.0f} a week would leave none",
    ]
    document = {
        "event": event.model_dump(mode="json", exclude_none=True),
        "forecast": [asdict(week) for week in ahead],
        "weekly_to_clear": needed,
    }
    return Outcome(tuple(lines), document)


def tell_rules(
    files: Sequence[Path], raters: Path | None, corrections: int, precision: float, risky: float
) -> Outcome:
    """Propose settings of routing from what people corrected; the first of the files holds the rows."""
    items = {item.id: item for item in read_item_file(files[0])}
    decided = [
        Corrected(one.row, items[one.row].text, items[one.row].answer, one.answer, items[one.row].slice)
        for one in check_known(decide_rows(read_judgments(files[1:], raters)), items, files[0])
        if one.answer is not None
    ]
    found = propose_rules(decided, corrections, precision, risky)
    repeated = list_repeated(decided, corrections)
    lines = [f"{one} corrected to {other}: {count:,} times" for one, other, count in repeated]
    lines += [say_proposal(one) for one in found]
    lines += ["no rule is proposed: no correction was repeated often enough to be sure"] if not found else []
    routing = make_routing(found)
    if routing:
        lines += [
            "for the project file:",
            *yaml.safe_dump({"routing": routing}, allow_unicode=True).splitlines(),
        ]
    document = {
        "rows": len(decided),
        "proposals": [asdict(one) for one in found],
        "confusions": [{"answer": one, "right": other, "count": count} for one, other, count in repeated],
        "routing": routing,
    }
    return Outcome(tuple(lines), document)


def explain_log(path: Path) -> Outcome:
    """Say what events of review mean."""
    events = [event for event in read_events(path) if isinstance(event, ReviewHealth)]
    if not events:
        raise BadInputError(f"{path}: holds no review_pipeline_health event; give a log that does")
    lines = [line for event in events for line in say_health(event)]
    return Outcome(
        tuple(lines), {"events": [event.model_dump(mode="json", exclude_none=True) for event in events]}
    )


def make_health_event(health: Health, level: str, now: datetime) -> ReviewHealth:
    """Return how review keeps up as the event of a log."""
    agreement = health.agreement
    ends = None
    if agreement is not None and agreement.low is not None and agreement.high is not None:
        ends = (agreement.low, agreement.high)
    return ReviewHealth(
        time=now.timestamp(),
        weekly_incoming=health.weekly_incoming,
        weekly_reviewed=health.weekly_reviewed,
        backlog=health.backlog,
        inter_annotator_agreement=None if agreement is None else agreement.value,
        agreement_interval=ends,
        agreement_metric=None if agreement is None else f"krippendorff_alpha_{level}",
        median_review_delay_days=health.waits.median_delay_days,
        median_waiting_days=health.waits.median_waiting_days,
        n=health.waits.reviewed + health.waits.waiting,
    )
