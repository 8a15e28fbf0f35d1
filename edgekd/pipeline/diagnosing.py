"""Diagnose a run from its directory: the logs, the settings it was made with, the evidence it has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from edgekd.config import Distillation, ModelRange, Training, load_model_or_range, load_project
from edgekd.config.document import DocumentError, parse_document
from edgekd.distill.diagnosis.capacity import CapacityStep, analyse_capacity, capacity_steps
from edgekd.distill.diagnosis.diagnose import diagnose
from edgekd.distill.diagnosis.finding import Finding, Setup
from edgekd.distill.diagnosis.history import History, make_history
from edgekd.distill.logs.events import read_events
from edgekd.distill.logs.training_events import CapacityAnalysis
from edgekd.errors import BadInputError, ConfigError
from edgekd.pipeline.costs import student_costs
from edgekd.pipeline.going import has_logs
from edgekd.resources import list_resources
from edgekd.store import write_atomic

CONFIG = "config.resolved.yaml"


@dataclass(frozen=True)
class Diagnosed:
    """One model of a run; without a history there was no epoch to read."""

    name: str
    history: History | None
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class RunDiagnosis:
    """What a run's logs say.

    `costs_of` names where latency and cost were measured; `notes` say what could not be read.
    """

    run: Path
    models: tuple[Diagnosed, ...]
    capacity: tuple[CapacityAnalysis, ...] = ()
    steps: tuple[CapacityStep, ...] = ()
    costs_of: str = ""
    notes: tuple[str, ...] = ()


def diagnose_run(path: Path) -> RunDiagnosis:
    """Diagnose a run directory, the newest run of a project file, or one log (.jsonl).

    Raises:
        BadInputError: if there is no such run, or a log cannot be read.
    """
    if path.suffix == ".jsonl":
        history = make_history(read_events(path))
        # A log does not say what it was trained with, but for how long.
        epochs = 1 if history is None else len(history.epochs)
        setup = Setup(training=Training(epochs=epochs), is_known=False)
        found = () if history is None else diagnose(history, setup)
        return RunDiagnosis(path, (Diagnosed(history.student if history else path.name, history, found),))
    run = path if path.is_dir() else _newest_run(path)
    settings = _read_settings(run)
    project = str(path) if run != path else _project_file(run, settings)
    histories = _read_histories(run, settings)
    students = _students(histories)
    models = []
    for place, (name, history) in enumerate(histories.items(), -1):
        found = ()
        if history is not None:
            others = [other for other in students if other is not history] if place >= 0 else []
            found = diagnose(history, _setup(run, settings, place, project), others)
        models.append(Diagnosed(name, history, found))
    costs = student_costs(run, settings, [history.student for history in students])
    rows = analyse_capacity(students, costs.of)
    return RunDiagnosis(run, tuple(models), rows, capacity_steps(rows), costs.where, costs.notes)


def write_capacity(run: Path) -> None:
    """Put the capacity analysis of a run's students into its logs; the time is that of the last epoch."""
    settings = _read_settings(run)
    students = _students(_read_histories(run, settings))
    if not students:
        return
    costs = student_costs(run, settings, [history.student for history in students])
    last = max(history.epochs[-1].time for history in students)
    events = [row.model_copy(update={"time": last}) for row in analyse_capacity(students, costs.of)]
    lines = [event.model_dump_json(exclude_none=True, by_alias=True) + "\n" for event in events]
    write_atomic(run / "logs" / "capacity.jsonl", "".join(lines))


def _newest_run(path: Path) -> Path:
    project = load_project(path)
    runs = (path.parent / project.workspace / "runs").resolve()
    found = [p.parent for p in runs.glob(f"*/{CONFIG}") if p.parent.name.rpartition("-")[0] == project.name]
    found = [run for run in found if has_logs(run)]
    if not found:
        raise BadInputError(f"{path}: has no run yet; make one: edgekd run {path}")
    return max(found, key=lambda folder: ((folder / CONFIG).stat().st_mtime_ns, folder.name))


def _read_settings(run: Path) -> dict[str, Any]:
    path = run / CONFIG
    try:
        settings = parse_document(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadInputError(
            f"{run}: is not a run directory: it has no {CONFIG}; list them with: edgekd show runs PROJECT"
        ) from None
    except (UnicodeDecodeError, DocumentError) as error:
        raise BadInputError(f"{path}: cannot be read: {' '.join(str(error).split())}") from None
    if not isinstance(settings, dict) or not {"project", "teacher", "students", "targets"} <= set(settings):
        raise BadInputError(f"{path}: is not a run's settings; make the run again")
    return settings


def _read_histories(run: Path, settings: Mapping[str, Any]) -> dict[str, History | None]:
    """Read the teacher's log and each student's, in the project's order."""
    found = {}
    for name in ("teacher", *(model["name"] for model in settings["students"])):
        logs = sorted((run / "logs" / name).glob("*.jsonl"))
        found[name] = make_history(event for path in logs for event in read_events(path))
    return found


def _students(histories: Mapping[str, History | None]) -> list[History]:
    return [found for name, found in histories.items() if found is not None and name != "teacher"]


def _project_file(run: Path, settings: Mapping[str, Any]) -> str:
    """Find the project file beside the workspace; PROJECT stands for it where that is not one file."""
    found = []
    for path in sorted(run.resolve().parents[2].glob("*.y*ml")):
        try:
            name = load_project(path, settings.get("settings", ())).name
            found += [path] if name == settings["project"]["name"] else []
        except ConfigError:
            continue
    return str(found[0]) if len(found) == 1 else "PROJECT"


def _setup(run: Path, settings: Mapping[str, Any], place: int, project: str) -> Setup:
    """Describe how a model was trained; `place` is the student's, -1 is the teacher."""
    model = settings["teacher"] if place < 0 else settings["students"][place]
    try:
        training = Training.model_validate(model["training"])
        distillation = Distillation.model_validate(settings["project"]["distillation"])
    except (KeyError, ValidationError) as error:
        words = " ".join(str(error).split())[:200]
        raise BadInputError(f"{run / CONFIG}: was written by another version of edgekd: {words}") from None
    own = tuple(settings.get("settings", ()))
    if place < 0:
        return Setup(project, "teacher", training, distillation, settings=own)
    entries = settings["project"]["students"]
    larger = _larger(model, run.resolve().parents[2])
    others = tuple(
        {key: value for key, value in entry.items() if value is not None}
        for entry in entries
        if entry["model"] != model["name"]
    )
    if larger in {entry["model"] for entry in entries}:
        larger = None
    return Setup(project, f"students.{place}", training, distillation, larger, others, own)


def _larger(model: Mapping[str, Any], folder: Path) -> str | None:
    """Return the transformer shape with the fewest layers above the model's own; a static one has none."""
    layers = model.get("layers", ())
    own = layers if isinstance(layers, int) else len(layers)
    shapes = [load_model_or_range(name, folder) for name in list_resources("models", folder)]
    larger = [
        (len(s.layers), s.name)
        for s in shapes
        if not isinstance(s, ModelRange) and s.kind == "transformer" and len(s.layers) > own
    ]
    return min(larger, default=(0, None))[1]
