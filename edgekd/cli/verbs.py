"""What the verbs call: find the project, run it, and print what came of it."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from edgekd.cli.outcome import Outcome
from edgekd.config import load_project
from edgekd.errors import ArtifactError, BadInputError, ConfigError, MissingRuntimeError, unknown_name
from edgekd.pipeline.context import Context
from edgekd.pipeline.needs import require_libraries
from edgekd.pipeline.staging import is_first_process
from edgekd.plugins import list_plugins
from edgekd.progress import Progress, show_progress, silent


def open_context(path: Path, settings: tuple[str, ...]) -> Context:
    """Read a project file; notes go to stderr."""
    project = load_project(path, settings)
    if not is_first_process():
        return Context(project, path.parent, _show_nothing, lambda words: None)
    return Context(project, path.parent, show_progress, lambda words: click.echo(words, err=True))


@contextmanager
def _show_nothing(title: str) -> Iterator[Progress]:
    yield silent


def run_until(path: Path, settings: tuple[str, ...], targets: tuple[str, ...], until: str) -> Outcome:
    """Run a project up to a step."""
    context = open_context(path, settings)
    from edgekd.pipeline.run import STEPS, run

    command = shlex.join(["edgekd", *sys.argv[1:]])
    results = run(context, until, targets, command)
    folder = str(context.run_folder)
    document: dict[str, Any] = {"run": folder, "teacher": results.teacher.digest}
    document["students"] = {name: stage.digest for name, stage in results.students.items()}
    document["artifacts"] = {
        target: {v.name: v.artifact.digest if v.artifact else None for v in variants}
        for target, variants in results.variants.items()
    }
    if results.report is None or STEPS.index(until) < STEPS.index("gate"):
        made = [f"{target}: {v.name}" for target, found in results.variants.items() for v in found]
        return Outcome((*made, f"{until}: done; {folder}"), document)
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


def label_share(path: Path, settings: tuple[str, ...], share: str) -> Outcome:
    """Label one share of a project's texts."""
    context = open_context(path, settings)
    from edgekd.distill.labels.share import parse_share
    from edgekd.pipeline.run import run_share

    parsed = parse_share(share)
    added = run_share(context, parsed)
    words = (
        f"share {share}: {added} texts labelled; when every share is: edgekd label {shlex.quote(str(path))}"
    )
    return Outcome((words,), {"share": parsed.number, "of": parsed.of, "labelled": added})


def roll_back(path: Path, settings: tuple[str, ...], target: str) -> Outcome:
    """Promote again what was promoted before."""
    context = open_context(path, settings)
    from edgekd.gate.promotion import rollback

    if target not in context.project.targets:
        raise ConfigError(unknown_name("target", target, context.project.targets))
    done = rollback(context.registry, context.project.name, target)
    document = {"target": target, "variant": done.variant, "artifact": done.artifact_digest}
    return Outcome((f"{target}: {done.variant} ({done.artifact_digest[:12]}) is promoted again",), document)


def verify_chain(path: Path, settings: tuple[str, ...], public_key: Path | None) -> Outcome:
    """Check the ledger, every file that an entry rests on, and who signed it."""
    context = open_context(path, settings)
    from edgekd.gate.ledger import read_ledger, verify_ledger
    from edgekd.gate.objects import verify_objects

    ledger = context.registry / "ledger.jsonl"
    count = verify_ledger(ledger)
    files = verify_objects(context.registry, read_ledger(ledger))
    lines = [f"{count} entries, the chain holds; {files} files that they rest on are whole"]
    document: dict[str, Any] = {"entries": count, "holds": True, "files": files}
    if public_key is not None:
        require_libraries(("cryptography",))
        from edgekd.gate.signature import verify_signatures

        document["signatures"] = verify_signatures(ledger, public_key)
        lines.append(f"every entry is signed by {public_key}")
    return Outcome(tuple(lines), document)


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
    return Outcome(shadow_lines(found), document, int(any(entry.mismatch for entry in found)))


def judge_live(path: Path, settings: tuple[str, ...], target: str, counts: Path) -> Outcome:
    """Judge counts of live traffic; on proven harm the target goes back, and the exit code is 1."""
    context = open_context(path, settings)
    from edgekd.gate.live import judge_counts, read_counts
    from edgekd.gate.promotion import current, rollback

    if target not in {known.name for known in context.targets}:
        raise ConfigError(unknown_name("target", target, [known.name for known in context.targets]))
    slices = {entry.name: entry for entry in context.project.slices}
    promoted = current(context.registry, context.project.name, target)
    if promoted is None:
        raise ConfigError(f"{target}: nothing is promoted that live traffic could speak of")
    found = judge_counts(read_counts(counts, slices, promoted[0]), slices)
    lines = [f"{name}: {watched.decision} ({watched.reason})" for name, watched in found.items()]
    document: dict[str, Any] = {
        "target": target,
        "slices": {
            name: {"decision": w.decision, "low": w.drop.low, "high": w.drop.high}
            for name, w in found.items()
        },
    }
    harmed = [name for name, watched in found.items() if watched.decision == "stop: harm"]
    if not harmed:
        return Outcome(tuple(lines), {**document, "rolled_back": False})
    try:
        back = rollback(context.registry, context.project.name, target)
    except BadInputError as error:  # the harm is said all the same
        lines.append(f"{target}: harm in {', '.join(harmed)}, and it cannot go back: {error}")
        return Outcome(tuple(lines), {**document, "rolled_back": False}, 1)
    lines.append(
        f"{target}: rolled back to {back.variant} ({back.artifact_digest[:12]}): harm in {', '.join(harmed)}"
    )
    return Outcome(tuple(lines), {**document, "rolled_back": True, "variant": back.variant}, 1)


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


def answer_texts(artifact: Path, texts: tuple[str, ...]) -> Outcome:
    """Answer texts with an artifact, by its label and calibrated probability."""
    from edgekd.compile import open_artifact
    from edgekd.serving import ServingError, load

    runtime, known = open_artifact(artifact).runtime, list_plugins("runtimes")
    if runtime not in known:
        raise MissingRuntimeError(f"{artifact}: {unknown_name('runtime', runtime, known)}")
    require_libraries((runtime, "tokenizers"))
    try:
        model = load(artifact, verify=False)
        answers = [model(text) for text in texts]
    except ServingError as error:
        raise ArtifactError(str(error)) from None
    document = [
        {"text": text, "label": answer.label, "probability": answer.probability}
        for text, answer in zip(texts, answers, strict=True)
    ]
    return Outcome(tuple(f"{a.label}  {a.probability:.3f}" for a in answers), document)
