"""What `edgekd diagnose` prints."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from edgekd.cli.outcome import Outcome
from edgekd.distill.diagnosis.capacity import CapacityStep
from edgekd.distill.logs.event import Event
from edgekd.distill.logs.training_events import CapacityAnalysis
from edgekd.errors import BadInputError
from edgekd.pipeline.diagnosing import Diagnosed, RunDiagnosis, diagnose_run
from edgekd.report.printing import ABSENT, one_line, print_ms, print_percent, print_points, print_usd


def diagnose_path(path: Path, loss: float | None = None) -> Outcome:
    """Diagnose a run directory, the newest run of a project, or one log.

    `loss` is the share of the business lost for each 0.01 of quality.
    """
    found = diagnose_run(path)
    if loss is not None and len(found.capacity) < 2:
        raise BadInputError(
            f"--loss compares students, and the logs are of {len(found.capacity)}; leave it out"
        )
    lines = [f"run: {found.run}"]
    for model in found.models:
        lines += _model_lines(model)
    if len(found.capacity) > 1:
        lines += _capacity_lines(found, loss)
    lines += [f"! {note}" for note in found.notes]
    return Outcome(tuple(_printable(line) for line in lines), _document(found, loss))


def _printable(line: str) -> str:
    """Keep a line's indent and its columns; what a log put into it prints as text."""
    return "".join(character for character in line if character.isprintable())


def _model_lines(model: Diagnosed) -> list[str]:
    history = model.history
    if history is None:
        return [f"{model.name}: nothing to read: no epoch in its log"]
    epochs = len(history.epochs)
    lines = [f"{model.name}: {epochs} epoch{'s' if epochs > 1 else ''}, best {history.best.epoch}"]
    for finding in model.findings:
        lines.append(f"  {finding.name}: {finding.what}")
        lines += [f"    seen: {one_line(words)}" for words in finding.evidence]
        lines.append(f"    next: {finding.advice}")
        lines += [f"    {'or' if number else 'try'}:  {c}" for number, c in enumerate(finding.commands)]
    if not model.findings:
        lines.append("  nothing found" if epochs > 1 else "  one epoch says nothing of where it is going")
    if history.bottleneck is not None:
        lines.append(f"  time: {history.bottleneck.words}")
    return lines


def _capacity_lines(found: RunDiagnosis, loss: float | None) -> list[str]:
    timed = f"; latency and cost on {found.costs_of}" if found.costs_of else ""
    heads = ("student", "parameters", "quality", "rare recall", "ECE", "p95", "$/1,000")
    table = [heads, *(_row(row) for row in found.capacity)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = [f"capacity, on validation rows ({found.capacity[0].quality_metric}){timed}"]
    for cells in table:
        padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        lines.append(f"  {'  '.join(padded)}".rstrip())
    return [*lines, *(_step(step, loss) for step in found.steps)]


def _row(row: CapacityAnalysis) -> tuple[str, ...]:
    parameters = ABSENT if row.params_millions is None else f"{row.params_millions:.1f} M"
    ece = ABSENT if row.calibration_ece is None else f"{row.calibration_ece:.3f}"
    quality, rare = print_percent(row.quality), print_percent(row.rare_query_recall)
    p95, cost = print_ms(row.p95_ms), print_usd(row.cost_per_1k_usd)
    return (row.student, parameters, quality, rare, ece, p95, cost)


def _step(step: CapacityStep, loss: float | None) -> str:
    words = f"  {step.stronger} -> {step.weaker}: drop {print_points(step.quality_drop)} points"
    if step.p95_saved_ms is not None:
        words += f", p95 {-step.p95_saved_ms:+.3g} ms"
    if step.cost_saved_usd is not None:
        words += f", {-step.cost_saved_usd:+.3g} $/1,000"
    if loss is not None:
        words += f", {step.conversion_loss(loss):.2%} of the business lost, at {loss:.2%} for each 0.01"
    return words


def _document(found: RunDiagnosis, loss: float | None) -> dict[str, Any]:
    lost = {} if loss is None else {"relative_losses": [step.conversion_loss(loss) for step in found.steps]}
    return {
        **lost,
        "run": str(found.run),
        "models": [_model_document(model) for model in found.models],
        "capacity": [_event_document(row) for row in found.capacity],
        "costs_of": found.costs_of,
        "notes": list(found.notes),
    }


def _model_document(model: Diagnosed) -> dict[str, Any]:
    history = model.history
    document: dict[str, Any] = {"name": model.name, "epochs": 0, "findings": []}
    if history is None:
        return document
    document |= {"epochs": len(history.epochs), "best_epoch": history.best.epoch}
    document["findings"] = [asdict(finding) for finding in model.findings]
    if history.profile is not None:
        document["profile"] = _event_document(history.profile)
    return document


def _event_document(event: Event) -> dict[str, Any]:
    return event.model_dump(mode="json", exclude_none=True, by_alias=True)
