"""What `edgekd health` does and prints."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from edgekd.cli.outcome import Outcome
from edgekd.cli.verbs import open_context
from edgekd.config import load_target
from edgekd.errors import BadInputError
from edgekd.health.prometheus import to_prometheus
from edgekd.pipeline.health import Health, find_health
from edgekd.report.health import health_lines, render_health
from edgekd.store import write_atomic

_FORMS = (".html", ".prom")


def tell_health(
    project: Path,
    settings: tuple[str, ...],
    logs: Path | None,
    events: tuple[Path, ...],
    days: int,
    target: str | None,
    out: Path | None,
) -> Outcome:
    """Find the health of a project, say it, and write it where that is asked."""
    if out is not None and out.suffix not in _FORMS:
        raise BadInputError(f"--out {out}: expected a name that ends in {' or '.join(_FORMS)}")
    context = open_context(project, settings)
    device = None if target is None else load_target(target, context.folder)
    found = find_health(context, logs, events, days, device)
    name = context.project.name
    if out is not None:
        write_atomic(out, _render(name, found, out.suffix))
    lines = tuple(health_lines(found.figures, found.release, found.alerts))
    document = {
        "project": name,
        "releasable": found.release.is_allowed,
        "missing": list(found.release.missing),
        "failing": list(found.release.failing),
        "left_out": dict(found.release.left_out),
        "alerts": list(found.alerts),
        "figures": [{**asdict(figure), "state": figure.state} for figure in found.figures],
    }
    return Outcome(lines, document, int(not found.release.is_allowed or bool(found.alerts)))


def _render(name: str, found: Health, form: str) -> str:
    if form == ".prom":
        return to_prometheus(found.figures, name, found.release.is_allowed)
    return render_health(name, found.figures, found.release, found.alerts)
