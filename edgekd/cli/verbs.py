"""What the verbs call: find the project, run it, and print what came of it."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgekd.cli.outcome import Outcome
from edgekd.config import load_project
from edgekd.engines.process import is_first_process
from edgekd.errors import ConfigError
from edgekd.pipeline.context import Context
from edgekd.pipeline.needs import require_libraries
from edgekd.progress import Progress, is_terminal, show_progress, silent, spoken

if TYPE_CHECKING:
    from edgekd.pipeline.compiling import Variant


def open_context(path: Path, settings: tuple[str, ...]) -> Context:
    """Read a project file; notes go to stderr."""
    project = load_project(path, settings)
    if not is_first_process():
        return Context(project, path.parent, _show_nothing, lambda words: None, settings)
    return Context(project, path.parent, show_progress, lambda words: click.echo(words, err=True), settings)


@contextmanager
def open_spoken(context: Context) -> Iterator[Context]:
    """Where no bar can be drawn, have the whole run say a line now and then, between its stages too."""
    if is_terminal() or not is_first_process():
        yield context
        return
    with spoken(context.note) as speaker:
        yield replace(context, show_progress=speaker.show, note=speaker.note)


@contextmanager
def _show_nothing(title: str) -> Iterator[Progress]:
    yield silent


def run_until(
    path: Path,
    settings: tuple[str, ...],
    targets: tuple[str, ...],
    until: str,
    again: bool = False,
    expects: str | None = None,
) -> Outcome:
    """Run a project up to a step; the last two are a person's word on promotions."""
    context = open_context(path, settings)
    from edgekd.pipeline.promoting import Word
    from edgekd.pipeline.run import STEPS, run

    command = shlex.join(["edgekd", *sys.argv[1:]])
    with open_spoken(context) as spoken_context:
        results = run(spoken_context, until, targets, command, Word(again, expects))
    folder = str(context.run_folder)
    document: dict[str, Any] = {"run": folder, "teacher": results.teacher.digest}
    document["students"] = {name: stage.digest for name, stage in results.students.items()}
    document["artifacts"] = {
        target: {v.name: v.artifact.digest if v.artifact else None for v in variants}
        for target, variants in results.variants.items()
    }
    if results.report is None or STEPS.index(until) < STEPS.index("gate"):
        return _describe_made(results.variants, document, f"{until}: done; {folder}")
    from edgekd.report.floors import lowest_floor
    from edgekd.report.lines import target_lines

    document["targets"] = [
        {
            "name": t.name,
            "status": t.status,
            "variant": t.promoted,
            "reason": t.reason,
            "tie_with": t.tie_with,
            "lowest_floor": asdict(floor) if (floor := lowest_floor(t)) else None,
            "next_step": t.next_step.to_json() if t.next_step else None,
        }
        for t in results.report.targets
    ]
    failed = [t for t in results.report.targets if t.status == "not promoted"]
    document["exit_code"] = int(bool(failed))
    lines = target_lines(results.report.targets)
    if until == "report":
        click.echo(f"report: {folder}/report.html", err=True)
    return Outcome(tuple(lines), document, int(bool(failed)))


def _describe_made(variants: Mapping[str, Sequence[Variant]], document: dict[str, Any], last: str) -> Outcome:
    """List what was compiled for each target, and what was not, with its reason: exit code 1 then."""
    listed = [(target, variant) for target, entries in variants.items() for variant in entries]
    lines = [
        f"{target}: {v.name}" if v.artifact else f"{target}: {v.name}: not compiled: {v.problem}"
        for target, v in listed
    ]
    problems = {v.name: v.problem for _, v in listed if v.artifact is None}
    if problems:
        document["problems"] = problems
    return Outcome((*lines, last), document, int(bool(problems)))


def plan_steps(path: Path, settings: tuple[str, ...], targets: tuple[str, ...]) -> Outcome:
    """List the steps of a run: cached or to run, with the seconds that they took; makes none of them."""
    context = open_context(path, settings)
    from edgekd.pipeline.planning import describe_plan, plan_run

    plan = plan_run(context, targets)
    steps: list[dict[str, Any]] = [
        {
            "name": seen.step.name,
            "state": "to run" if seen.stage is None else "cached",
            "seconds": seen.seconds,
            "alone": seen.step.alone,
        }
        for seen in plan.steps
    ]
    later = [{"name": later.name, "decides": later.decides} for later in plan.later]
    document = {"run": str(context.run_folder), "steps": steps, "decided_later": later}
    return Outcome(describe_plan(plan), document)


def label_share(path: Path, settings: tuple[str, ...], share: str) -> Outcome:
    """Label one share of a project's texts."""
    context = open_context(path, settings)
    from edgekd.distill.labels.share import parse_share
    from edgekd.pipeline.run import run_share

    parsed = parse_share(share)
    with open_spoken(context) as spoken_context:
        added = run_share(spoken_context, parsed)
    words = (
        f"share {share}: {added} texts labelled; when every share is: edgekd label {shlex.quote(str(path))}"
    )
    return Outcome((words,), {"share": parsed.number, "of": parsed.of, "labelled": added})


def sign_chain(path: Path, settings: tuple[str, ...], key: Path) -> Outcome:
    """Sign the ledger's newest entry."""
    context = open_context(path, settings)
    require_libraries(("cryptography",))
    from edgekd.gate.signature import sign_ledger

    number = sign_ledger(context.registry / "ledger.jsonl", key)
    return Outcome((f"line {number} is signed, and with it every line before",), {"signed": number})


def compare_traffic(path: Path, settings: tuple[str, ...], target: str, rows: Path) -> Outcome:
    """Compare logged rows slice by slice; exit code 1 where traffic is otherwise than the test rows were."""
    context = open_context(path, settings)
    from edgekd.pipeline.shadowing import shadow
    from edgekd.report.lines import shadow_lines

    found = shadow(context, target, rows)
    document = {"target": target, "slices": [entry.to_json() for entry in found]}
    differs = any(entry.mismatch or entry.preference_mismatch for entry in found)
    return Outcome(shadow_lines(found), document, int(differs))


def replay_entry(path: Path, settings: tuple[str, ...], number: int) -> Outcome:
    """Recompute the verdict of one entry from what is kept; exit code 1 where it comes out otherwise."""
    context = open_context(path, settings)
    from edgekd.gate.ledger import read_ledger
    from edgekd.pipeline.replaying import replay

    entries = read_ledger(context.registry / "ledger.jsonl")
    if not 1 <= number <= len(entries):
        raise ConfigError(
            f"the ledger has {len(entries)} entries; expected one of their numbers, got {number}"
        )
    entry = entries[number - 1]
    verdict, differing = replay(context.registry, entry)
    is_same = verdict.digest == entry.verdict_digest
    document = {
        "entry": number,
        "target": entry.target,
        "promoted": verdict.promoted,
        "same": is_same,
        "differing": list(differing),
        "reason": verdict.reason,
    }
    line = f"{entry.target}: {verdict.promoted or 'nothing'} promoted; {verdict.reason}"
    if is_same and not differing:
        return Outcome(
            (line, f"the verdict of line {number}, recomputed from its samples, is the same"), document
        )
    what = ", ".join(differing) or "the verdict"
    return Outcome((line, f"line {number}: recomputed, this comes out otherwise: {what}"), document, 1)
