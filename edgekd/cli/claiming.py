"""What the verbs of `edgekd claims` do and print."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from edgekd.cli.outcome import Outcome
from edgekd.config import Records, load_project
from edgekd.curate.claims.check import check_claims, read_claims
from edgekd.curate.claims.fields import check_fields, read_field_claims
from edgekd.curate.claims.figures import (
    FactFigures,
    Left,
    measure_answers,
    measure_left,
    most_overlap,
    read_answers,
)
from edgekd.curate.claims.records import open_records
from edgekd.curate.claims.verdict import ACTIONS, VERDICTS, Checked, decide_claims
from edgekd.data.files import read_rows, read_table
from edgekd.distill.logs.events import read_events
from edgekd.distill.logs.facts import make_fact_event, make_share_event
from edgekd.distill.logs.live_events import FactSlice
from edgekd.errors import BadInputError, ConfigError, DataError
from edgekd.stats.interval import Interval
from edgekd.store import write_atomic


def check_rows(path: Path, project: Path, settings: tuple[str, ...], out: Path | None) -> Outcome:
    """Give claims their verdicts by a project's rules."""
    how = load_project(project, settings).claims
    if how is None:
        raise ConfigError(f"{project}: has no claims: no rules and no records; add them")
    table = read_table(path)
    claimed = read_claims(table, str(path))
    plain = table.select([name for name in table.column_names if name not in ("claim", "confidence")])
    checked = check_claims(plain, claimed, how, project.parent)
    decided = decide_claims(checked.verdicts, claimed.confidence, how)
    if out is not None:
        rows = [
            {
                **row,
                "verdict": VERDICTS[verdict],
                "rule": rule,
                "action": ACTIONS[action],
                "trust": float(trust),
            }
            for row, verdict, rule, action, trust in zip(
                table.to_pylist(),
                checked.verdicts,
                checked.rules,
                decided.actions,
                decided.trust,
                strict=True,
            )
        ]
        _write(out, rows)
    counts = {"verdicts": dict(checked.count()), "actions": dict(decided.count())}
    lines = [_counted("verdicts", checked.count()), _counted("becomes", decided.count())]
    return Outcome((*lines, *_broken(checked)), counts)


def check_record_fields(path: Path, records: Path, key: str, table: str | None, out: Path | None) -> Outcome:
    """Give claims of the form field of subject is value their verdicts."""
    try:
        settings = Records(source=str(records.resolve()), table=table, row="subject", key=key)
    except ValidationError as error:
        words = str(error.errors()[0]["msg"]).removeprefix("Value error, ")
        raise BadInputError(f"--records {records}: {words}") from None
    rows = read_rows({"": path})[""]
    claims = read_field_claims(rows, str(path))
    checked = check_fields(claims, open_records("catalogue", settings, Path()))
    if out is not None:
        _write(
            out, [{**row, "verdict": VERDICTS[one]} for row, one in zip(rows, checked.verdicts, strict=True)]
        )
    counts = dict(checked.count())
    return Outcome((_counted("verdicts", counts), *_broken(checked)), {"verdicts": counts})


def measure_errors(path: Path, slice_column: str | None, confident: float, out: Path | None) -> Outcome:
    """Measure errors of fact, all over the same rows."""
    if not 0 <= confident <= 1:
        raise BadInputError(f"--confident: expected a share from 0 to 1, got {confident:g}")
    answers = read_answers(read_rows({"": path})[""], str(path), slice_column)
    found = measure_answers(answers, confident)
    events = [make_fact_event(name, figures) for name, figures in found.items()]
    _append(out, events)
    lines = [line for name, figures in found.items() for line in _say_figures(name, figures)]
    return Outcome(tuple(lines), {"events": [_document(event) for event in events]})


def measure_filters(path: Path, filters: Sequence[str], out: Path | None) -> Outcome:
    """Measure the share of false targets before and after filters."""
    table = read_table(path)
    for name in ("is_false", *filters):
        if name not in table.column_names:
            raise DataError(f"{path}: has no column '{name}'; found: {', '.join(table.column_names)}")
    is_false = table["is_false"].to_pylist()
    if not all(isinstance(value, bool) for value in is_false):
        raise DataError(f"{path}: column 'is_false' must be true or false in every row")
    trust: dict[str, Any] = {"none": np.ones(len(is_false))}
    for name in filters:
        values = table[name].to_pylist()
        for number, value in enumerate(values, start=1):
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
                raise DataError(f"{path}: row {number}: '{name}' must be from 0 to 1, got {value!r:.40}")
        trust[name] = np.array(values, np.float64)
    found = measure_left(np.array(is_false), trust)
    events = [make_share_event(one.filter, one.contamination, one.n) for one in found]
    _append(out, events)
    document = {"events": [_document(event) for event in events], "filters": [asdict(one) for one in found]}
    return Outcome(tuple(_say_left(one) for one in found), document)


def explain_log(path: Path) -> Outcome:
    """Say what events of errors of fact mean."""
    events = [event for event in read_events(path) if isinstance(event, FactSlice)]
    if not events:
        raise BadInputError(f"{path}: holds no distill_eval_slice event; give a log that does")
    lines, document = [], []
    for event in events:
        problem = find_impossible(event)
        lines += [*_say_event(event), *([f"! {event.slice}: {problem}"] if problem else [])]
        document.append({**_document(event), "problem": problem})
    return Outcome(tuple(lines), {"events": document})


def find_impossible(event: FactSlice) -> str | None:
    """Say why an event's figures cannot be of one set of rows, None where they can.

    Every copied error is an error of the teacher's, too.
    """
    rates = (event.teacher_fact_error_rate, event.student_fact_error_rate)
    overlap = event.copied_teacher_error_overlap
    if overlap is None or rates[0] is None or rates[1] is None:
        return None
    most = most_overlap(rates[0], rates[1])
    rounding = 0.5 * 10.0 ** -max(_decimals(rates[0]), _decimals(rates[1]))
    widest = most_overlap(min(1.0, rates[0] + rounding), max(0.0, rates[1] - rounding))
    if overlap <= widest + 0.5 * 10.0 ** -_decimals(overlap):
        return None
    return (
        f"an overlap of {overlap:g} cannot be of the same rows as error rates {rates[0]:g} and {rates[1]:g}: "
        f"the most would be {most:.3f}; compute all three on one set of rows"
    )


def _decimals(value: float) -> int:
    """Count the decimals that a figure was printed with."""
    return len(f"{value!r}".partition(".")[2]) if "e" not in f"{value!r}" else 9


def _document(event: FactSlice) -> dict[str, Any]:
    return event.model_dump(mode="json", exclude_none=True)


def _say_figures(name: str, figures: FactFigures) -> list[str]:
    lines = [
        f"{name}: n {figures.n:,}; teacher wrong {_share(figures.teacher)}; student wrong "
        f"{_share(figures.student)}; teacher wrong and sure {_share(figures.confident)}"
    ]
    copied = figures.copied
    lines.append(
        f"{name}: the student makes no error" if copied is None
        else f"{name}: of the student's errors {_share(copied)} are the teacher's, with the same answer"
    )  # fmt: skip
    return lines


def _say_left(left: Left) -> str:
    parts = [f"{left.filter}: {left.n:,} targets, {_share(left.contamination)} false"]
    parts += [f"by weight {left.weighted:.3%}"] if left.weighted != left.contamination.estimate else []
    if left.filter != "none":
        parts += [f"caught {_share(left.caught)}"] if left.caught is not None else []
        parts += [f"true ones lost {_share(left.lost)}"] if left.lost is not None else []
        parts += [f"lessened {_share(left.lessened)}"] if left.lessened is not None else []
    return "; ".join(parts)


def _say_event(event: FactSlice) -> list[str]:
    n = "n unknown" if event.n is None else f"n {event.n:,}"
    if event.filter is not None and event.contamination is not None:
        return [
            f"{event.slice}: {event.contamination:.3%} of targets are false after filter {event.filter} ({n})"
        ]
    named = {
        "teacher wrong": event.teacher_fact_error_rate,
        "student wrong": event.student_fact_error_rate,
        "teacher wrong and sure": event.teacher_confident_error_rate,
        "student's errors that are the teacher's": event.copied_teacher_error_overlap,
    }
    said = [f"{words} {value:.2%}" for words, value in named.items() if value is not None]
    return [f"{event.slice}: {', '.join(said) or 'no figures'} ({n})"]


def _share(interval: Interval) -> str:
    return f"{interval.estimate:.2%} ({interval.low:.2%} to {interval.high:.2%})"


def _counted(what: str, counts: Mapping[Any, int]) -> str:
    return f"{what}: " + ", ".join(f"{name} {count:,}" for name, count in counts.items())


def _broken(checked: Checked) -> Iterable[str]:
    """Say of each rule how many claims it contradicts."""
    worst = VERDICTS.index("contradicted")
    names = [rule for rule, code in zip(checked.rules, checked.verdicts, strict=True) if code == worst]
    return (f"contradicted by {name}: {names.count(name):,}" for name in sorted(set(names)))


def _append(out: Path | None, events: Iterable[FactSlice]) -> None:
    if out is None:
        return
    before = out.read_text(encoding="utf-8") if out.exists() else ""
    lines = (event.model_dump_json(exclude_none=True) + "\n" for event in events)
    write_atomic(out, before + "".join(lines))


def _write(out: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    write_atomic(out, "".join(json.dumps(row, ensure_ascii=False, default=str) + "\n" for row in rows))
