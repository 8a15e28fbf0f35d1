"""Lists and the schema; imports no runtime."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from edgekd.cli.outcome import Outcome
from edgekd.config import ModelRange, load_model_or_range, load_project, load_target
from edgekd.resources import list_resources


def show_what(what: str, project: Path) -> Outcome:
    """Show targets, models, the schema or the runs of a project."""
    if what == "schema":
        from edgekd.config import Project

        schema = Project.model_json_schema()
        return Outcome((json.dumps(schema, indent=1),), schema)
    if what == "runs":
        return _runs(project)
    names = list_resources(what)
    items: list[dict[str, Any]] = []
    lines = []
    for name in names:
        if what == "targets":
            target = load_target(name)
            builds = ", ".join(f"{b.runtime} {b.label}" for b in target.builds)
            lines.append(f"{name:<16} {target.description} [{builds}]")
            items.append(target.model_dump(mode="json"))
        else:
            model = load_model_or_range(name)
            if isinstance(model, ModelRange):
                values = {**model.axes, **model.compiled.model_dump(exclude_unset=True)}
                lines.append(f"{name:<16} {model.fixed['kind']:<12} {_describe(values)}")
                items.append({"name": name, "kind": model.fixed["kind"], "ranges": values})
                continue
            shape = model.model_dump(mode="json", exclude={"name", "kind", "training", "max_tokens"})
            lines.append(f"{name:<16} {model.kind:<12} {', '.join(f'{k} {v}' for k, v in shape.items())}")
            items.append(model.model_dump(mode="json"))
    return Outcome(tuple(lines), items)


def _describe(ranges: dict[str, Any]) -> str:
    """Say what the keys of a range may be: `layers 1..4`, or the values."""
    said = []
    for key, values in ranges.items():
        whole = all(isinstance(value, int) for value in values)
        is_run = whole and len(values) > 2 and values == tuple(range(values[0], values[0] + len(values)))
        said.append(f"{key} {values[0]}..{values[-1]}" if is_run else f"{key} {'|'.join(map(str, values))}")
    return ", ".join(said)


def _runs(project: Path) -> Outcome:
    from edgekd.pipeline.going import goes_on

    folder = project.parent / load_project(project).workspace / "runs"
    found = sorted(p for p in folder.glob("*") if (p / "config.resolved.yaml").is_file())
    lines = tuple(f"{run}  goes on" if goes_on(run) else str(run) for run in found)
    return Outcome(lines or ("no runs yet",), [str(run) for run in found])
