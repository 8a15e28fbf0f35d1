"""Say what a project's rows can prove, before anything is trained; loads no model and no runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgekd.cli.outcome import Outcome
from edgekd.cli.verbs import open_context


def check_project(path: Path, settings: tuple[str, ...]) -> Outcome:
    """Look at a project's rows and slices; exit code 1 where a slice cannot be proven with these rows."""
    context = open_context(path, settings)
    from edgekd.pipeline.distillation import check_distillation
    from edgekd.pipeline.durations import estimate_times
    from edgekd.pipeline.forecast import forecast
    from edgekd.pipeline.learning import load_and_compare_stage
    from edgekd.pipeline.preflight import describe, examine
    from edgekd.pipeline.routing import check_routing

    _ = context.targets  # a file that is wrong is said now
    data, shared = load_and_compare_stage(context)
    found = examine(context, data, shared)
    check_distillation(context, data)
    check_routing(context, data)
    ahead = forecast(context, data, context.targets)
    planned = (*ahead.lines, *estimate_times(context, data, ahead))
    document: dict[str, Any] = {
        "rows": dict(found.counts),
        "outputs": list(found.outputs),
        "shared": found.shared.to_json(),
        "slices": dict(found.rows),
        "rates": found.rates.to_json(),
        "proofs": [proof.to_json() for proof in found.proofs],
        "plan": list(planned),
        "exit_code": int(bool(found.failing)),
    }
    failing = len({proof.slice for proof in found.failing})
    last = (
        f"{failing} of {len(found.rows)} slices cannot be proven with these rows, or only by luck"
        if failing
        else "no slice is beyond what these rows can prove"
    )
    return Outcome((*describe(found), *planned, last), document, int(bool(failing)))
