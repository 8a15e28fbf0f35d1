"""Compare what is promoted with its incumbent and the teacher on logged rows of real traffic."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from edgekd.compile import open_artifact
from edgekd.config import Slice
from edgekd.data.columns import make_column
from edgekd.data.json_lines import parse_object
from edgekd.data.slices import slice_masks
from edgekd.data.taskdata import TaskData
from edgekd.errors import ConfigError, DataError, SliceError, unknown_name
from edgekd.evaluate.classify.shadow import Counts, ShadowRows, ShadowSlice, compare_shadow, count_slices
from edgekd.evaluate.verdicts import WINS
from edgekd.gate.ledger import read_ledger
from edgekd.gate.promotion import current
from edgekd.pipeline.context import Context
from edgekd.pipeline.replaying import read_kept

_ANSWERS = ("student", "incumbent", "teacher")


def shadow(context: Context, target: str, path: Path) -> tuple[ShadowSlice, ...]:
    """Compare a file of logged rows, JSON lines of `student`, `incumbent` and `teacher`, slice by slice.

    A row may have `label` (what was right, as people said), `verdict` (win, tie or loss of the student
    against the incumbent) and the columns that slices read. `student` is what the student itself says, before
    routing; what it did offline is counted from the answers that the ledger keeps of what is promoted for the
    target. Rows without `label` say how often the student answers as the teacher does, and nothing of what is
    right.

    Raises:
        ConfigError: nothing is promoted for the target, or it answers without labels.
        DataError: naming the line that is not as it should be.
        LedgerError: the kept answers are missing or were changed.
    """
    found = current(context.registry, context.project.name, target)
    if found is None:
        raise ConfigError(f"{target}: nothing is promoted that traffic could be compared with")
    labels = open_artifact(found[1]).head.labels
    if not labels:
        raise ConfigError(f"--shadow: compares labels, and task {context.task.name} answers without any")
    rows, logged = read_logged(path, labels)
    slices = _tellable(context, rows)
    offline = _offline(context, target, found[0], slices)
    return compare_shadow(logged, labels, slices, slice_masks(rows, slices), offline)


def _tellable(context: Context, rows: TaskData) -> tuple[Slice, ...]:
    """Return the project's slices that the log can tell; a note names the others, and why."""
    found, lost, why = [], [], ""
    for entry in context.project.slices:
        try:
            slice_masks(rows, (entry,))
        except SliceError as error:
            lost.append(entry.name)
            why = why or str(error)
        else:
            found.append(entry)
    if lost:
        context.note(f"slices that the log cannot tell are left out: {', '.join(lost)} ({why})")
    if not found:
        raise SliceError(f"the log can tell none of the project's slices: {why}")
    return tuple(found)


def read_logged(path: Path, labels: tuple[str, ...]) -> tuple[TaskData, ShadowRows]:
    """Read a file of logged rows: the columns that slices read, and who answered what.

    Raises:
        DataError: naming the line that is not as it should be.
    """
    entries = _read(path, labels)
    columns = sorted({name for entry in entries for name in entry} - {"id", "label", "split", "text"})
    columns_of = {name: make_column([entry.get(name) for entry in entries]) for name in columns}
    said = [entry.get("label") for entry in entries]
    table = pa.table(
        {
            **columns_of,
            "text": [entry.get("text", "") for entry in entries],
            "id": [str(place) for place in range(len(entries))],
            "label": pa.array(said, pa.string()),  # a slice that reads it leaves out rows without one
            "split": ["test"] * len(entries),
        }
    )
    rows = TaskData(table, labels)
    index = {label: place for place, label in enumerate(labels)}
    student, incumbent, teacher = (np.array([index[entry[name]] for entry in entries]) for name in _ANSWERS)
    wins = np.array([WINS.get(str(entry.get("verdict")), np.nan) for entry in entries])
    return rows, ShadowRows(student, incumbent, teacher, rows.classes, wins)


def _read(path: Path, labels: tuple[str, ...]) -> list[dict[str, Any]]:
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as logged rows ({error})") from None
    entries = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            entry = parse_object(line)
        except ValueError as error:
            raise DataError(f"{path}: line {number}: {error}") from None
        if any(name not in entry for name in _ANSWERS):
            raise DataError(f"{path}: line {number}: expected {', '.join(_ANSWERS)}, each a label")
        if entry.get("label") in ("", None):
            entry.pop("label", None)  # nobody said what was right
        for name in (*_ANSWERS, "label"):
            if name in entry and entry[name] not in labels:
                found = f"{entry[name]!s:.60}"
                raise DataError(f"{path}: line {number}: {name}: {unknown_name('label', found, labels)}")
        if not isinstance(entry.get("text", ""), str):
            raise DataError(f"{path}: line {number}: text: expected a text, got {entry['text']!r:.40}")
        if (verdict := entry.get("verdict")) is not None and verdict not in tuple(WINS):
            raise DataError(
                f"{path}: line {number}: verdict: expected one of {', '.join(WINS)}, got {verdict!r:.40}"
            )
        entries.append(entry)
    if not entries:
        raise DataError(f"{path}: holds no rows")
    return entries


def _offline(context: Context, target: str, digest: str, slices: Sequence[Slice]) -> dict[str, Counts]:
    """Count what the promoted student itself answered to the test rows, before routing.

    None where the ledger kept no answers; of the slices those that have not been changed since.
    """
    mine = [
        entry
        for entry in read_ledger(context.registry / "ledger.jsonl")
        if (entry.project, entry.target, entry.artifact_digest) == (context.project.name, target, digest)
        and entry.event == "promote"
    ]
    if not mine:
        return {}
    kept = read_kept(context.registry, mine[-1])
    if kept is None:
        return {}
    same = [entry for entry in slices if entry in kept.slices]
    return count_slices(kept.answers.labels, kept.teacher.labels, kept.truth, kept.labels, same, kept.masks)
