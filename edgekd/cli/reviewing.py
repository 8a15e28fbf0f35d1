"""What the verbs of `edgekd review` do and print."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from edgekd.cli.outcome import Outcome
from edgekd.curate.review.backlog import capacity_to_clear, forecast_backlog
from edgekd.curate.review.decide import Decision, decide_rows, measure_agreement
from edgekd.curate.review.health import Health, measure_health
from edgekd.curate.review.item import Item, Judgment, read_items, read_time
from edgekd.curate.review.label_studio import read_tasks, write_config, write_tasks
from edgekd.curate.review.proposals import Corrected, Proposal, list_repeated, propose_rules
from edgekd.curate.review.queue import plan_queue
from edgekd.curate.review.rater_drift import RaterDrift, find_drift
from edgekd.curate.review.sheet import read_sheet, write_sheet
from edgekd.data.files import read_rows, read_text
from edgekd.distill.logs.events import ReviewHealth, read_events
from edgekd.errors import BadInputError, DataError
from edgekd.stats.raters import Level, RaterAgreement
from edgekd.store import parse_json, write_atomic

_TEXT = ("id", "text", "answer", "slice", "arrived")
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
    items = _items(rows)
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
    found = measure_agreement(_judgments(files, raters), _level(level), ordered)
    lines = [f"Krippendorff's alpha ({level}): {_say_agreement(found.alpha)}"]
    lines += [
        f"{one} and {other}: kappa {_say_agreement(kappa)}" for (one, other), kappa in found.pairs.items()
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
    decisions = decide_rows(_judgments(files, raters), adjudicators)
    counts = Counter(decision.how for decision in decisions)
    open_rows = [decision.row for decision in decisions if decision.answer is None]
    if out is not None:
        lines = _rows_to_learn(decisions, rows) if rows is not None else [asdict(one) for one in decisions]
        write_atomic(out, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
    elif rows is not None:
        raise BadInputError("--rows says what decided rows are made of; give --out, where they are written")
    said = [", ".join(f"{how} {count:,}" for how, count in sorted(counts.items()))]
    said += [f"an adjudicator must decide {len(open_rows):,} rows: {_some(open_rows)}"] if open_rows else []
    return Outcome(tuple(said), {"decided": dict(counts), "open": open_rows})


def tell_drift(
    files: Sequence[Path], raters: Path | None, since: str, margin: float, known: Path | None
) -> Outcome:
    """Say which raters judge otherwise than before."""
    right = None
    if known is not None:
        right = {str(row["id"]): str(row["answer"]) for row in _rows(known, ("id", "answer"))}
    found = find_drift(_judgments(files, raters), read_time(since, "--since"), margin, right)
    drifted = [one.rater for one in found if one.drifted]
    document = {"raters": [asdict(one) for one in found], "drifted": drifted}
    return Outcome(tuple(_say_drift(one) for one in found), document, int(bool(drifted)))


def tell_health(
    files: Sequence[Path], raters: Path | None, level: str, at: str, weeks: int, out: Path | None
) -> Outcome:
    """Say how review keeps up, and append it to a log; the first of the files holds the rows."""
    now = read_time(at, "--now")
    found = measure_health(_items(files[0]), _judgments(files[1:], raters), now, weeks, _level(level))
    event = make_health_event(found, level, now)
    if out is not None:
        before = out.read_text(encoding="utf-8") if out.exists() else ""
        write_atomic(out, before + event.model_dump_json(exclude_none=True) + "\n")
    ahead = forecast_backlog(found.weekly_incoming, found.weekly_reviewed, _AHEAD, found.backlog)
    needed = capacity_to_clear(found.weekly_incoming, found.backlog, _AHEAD)
    lines = [
        *_say_health(event),
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
    items = {item.id: item for item in _items(files[0])}
    decided = [
        Corrected(one.row, items[one.row].text, items[one.row].answer, one.answer, items[one.row].slice)
        for one in _known(decide_rows(_judgments(files[1:], raters)), items, files[0])
        if one.answer is not None
    ]
    found = propose_rules(decided, corrections, precision, risky)
    repeated = list_repeated(decided, corrections)
    lines = [f"{one} corrected to {other}: {count:,} times" for one, other, count in repeated]
    lines += [_say_proposal(one) for one in found]
    lines += ["no rule is proposed: no correction was repeated often enough to be sure"] if not found else []
    routing = _routing(found)
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
    lines = [line for event in events for line in _say_health(event)]
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


def _level(name: str) -> Level:
    level: Level = name  # type: ignore[assignment]  # the command line allows no other
    return level


def _rows(path: Path, needed: Sequence[str]) -> list[dict[str, Any]]:
    rows = read_rows({"": path}, tuple(needed))[""]
    for number, row in enumerate(rows, start=1):
        for name in needed:
            if row.get(name) in (None, ""):
                raise DataError(
                    f"{path}: row {number}: '{name}' is empty; each row needs {', '.join(needed)}"
                )
    return rows


def _items(path: Path) -> list[Item]:
    return read_items(read_rows({"": path}, _TEXT)[""], str(path))


def _judgments(files: Sequence[Path], raters: Path | None) -> list[Judgment]:
    names = {} if raters is None else _read_raters(raters)
    found: list[Judgment] = []
    for path in files:
        if path.suffix == ".csv":
            found += read_sheet(path, datetime.now(UTC))
        elif path.suffix == ".json":
            try:
                document = parse_json(read_text(path).encode())
            except ValueError as error:
                raise DataError(f"{path}: is not JSON: {' '.join(str(error).split())[:160]}") from None
            found += read_tasks(document, str(path), names)
        else:
            raise BadInputError(
                f"{path}: expected a filled sheet (.csv) or an export of Label Studio (.json)"
            )
    if not found:
        raise BadInputError(
            f"{', '.join(map(str, files))}: no judgment in it; nobody has looked at a row yet"
        )
    return found


def _read_raters(path: Path) -> dict[int, str]:
    names = {}
    for number, row in enumerate(_rows(path, ("id", "name")), start=1):
        if not str(row["id"]).isdecimal():
            raise DataError(f"{path}: row {number}: id: expected a user's number, got {row['id']!r:.40}")
        names[int(row["id"])] = str(row["name"])
    return names


def _known(decisions: Sequence[Decision], items: Mapping[str, Item], source: Path) -> list[Decision]:
    for one in decisions:
        if one.row not in items:
            raise DataError(f"{source}: has no row {one.row!r:.60}, of which there is a judgment")
    return list(decisions)


def _rows_to_learn(decisions: Sequence[Decision], rows: Path) -> list[dict[str, Any]]:
    """Return decided rows with what is right as their label, and where that comes from."""
    items = {item.id: item for item in _items(rows)}
    return [
        {
            **items[one.row].columns,
            "id": one.row,
            "text": items[one.row].text,
            "label": one.answer,
            "origin": "teacher" if one.answer == items[one.row].answer else "human_corrected",
            "decided": one.how,
        }
        for one in _known(decisions, items, rows)
        if one.answer is not None
    ]


def _say_agreement(found: RaterAgreement) -> str:
    rows = f"{found.units:,} rows, {found.ratings:,} judgments"
    if found.value is None:
        return f"not defined: all {rows} have one answer"
    return f"{found.value:.3f} ({found.low:.3f} to {found.high:.3f}; {rows})"


def _say_drift(one: RaterDrift) -> str:
    sides = " before, ".join(
        f"{right:,} of {rows:,} right" if rows else "nothing to compare"
        for rows, right in (one.before, one.since)
    )
    line = f"{'! ' if one.drifted else ''}{one.rater}: {sides} since"
    if one.fall is None:
        return line
    return f"{line}; fell by {100 * one.fall.estimate:.1f} points ({100 * one.fall.low:.1f} at least)"


def _say_health(event: ReviewHealth) -> list[str]:
    lines = [
        f"per week {event.weekly_incoming:,.0f} rows come in and {event.weekly_reviewed:,.0f} are reviewed; "
        f"{event.backlog:,.0f} wait"
    ]
    if event.inter_annotator_agreement is not None:
        name = event.agreement_metric or "inter-annotator agreement"
        lines.append(f"{name}: {event.inter_annotator_agreement:.3f}")
    days = {"were reviewed": event.median_review_delay_days, "still wait": event.median_waiting_days}
    lines += [
        f"median of {value:.1f} days for rows that {what}"
        for what, value in days.items()
        if value is not None
    ]
    if event.weekly_reviewed and event.weekly_incoming > event.weekly_reviewed:
        weeks = event.backlog / event.weekly_reviewed
        lines.append(f"the backlog grows; it alone is {weeks:.1f} weeks of work")
    return lines


def _say_proposal(one: Proposal) -> str:
    of = f"{one.corrections:,} corrections, right for at least {one.least:.0%} of new rows like these"
    if one.kind == "rule":
        return f"rule: '{one.phrase}' is {one.label}: {of}"
    return f"risky: slice {one.slice} to the teacher: {one.corrections:,} of {one.rows:,} wrong"


def _routing(found: Sequence[Proposal]) -> dict[str, Any]:
    rules = [{"phrase": one.phrase, "label": one.label} for one in found if one.kind == "rule"]
    risky = [one.slice for one in found if one.kind == "risky"]
    return {**({"rules": rules} if rules else {}), **({"risky": risky} if risky else {})}


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
