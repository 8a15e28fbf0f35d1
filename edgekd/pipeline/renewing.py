"""Write the next project file: the same project with newer rows, from what logs say."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from edgekd.config import load_project
from edgekd.curate.drift.ages import age_groups, group_weights
from edgekd.data.age import ages_in_days
from edgekd.data.normalise import normalise
from edgekd.data.taskdata import TaskData
from edgekd.errors import ConfigError, DataError
from edgekd.pipeline.context import Context
from edgekd.pipeline.refreshing import Look
from edgekd.store import digest_json, write_atomic

RECENCY = "recency"
"""Column of the group of age that a training row is of, by which it counts."""
REASON = "chosen_for"
"""Column of the chosen rows that says which kind of sampling chose each."""
_HELD_OUT = ("calibration", "validation", "test")


@dataclass(frozen=True)
class Renewed:
    """What was written.

    Attributes:
        project, rows, to_label: the files: the project, all its rows, and those of the logs that were chosen,
            where any were.
        added: training rows that logs had a label for.
        chosen: rows for the teacher, or people, to label.
        left_out: training rows that are older than the window.
        weights: by group of age; empty where the project weighs rows by origin already.
    """

    project: Path
    rows: Path
    to_label: Path | None
    added: int
    chosen: int
    left_out: int
    weights: dict[str, float]


def write_next(context: Context, look: Look, path: Path) -> Renewed:
    """Write the next project file at `path`, beside the present one, and its rows beside it.

    Held-out rows stay as they are, and no row of the logs comes in whose text one of them has.

    Raises:
        ConfigError: `path` lies elsewhere, is there already, or is no .yaml file.
        DataError: a column of the logs has another type than the same one of the rows.
    """
    if path.suffix != ".yaml" or path.resolve().parent != context.folder.resolve():
        raise ConfigError(
            f"--out {path}: expected a file that ends in .yaml in the project's own folder, as its paths are "
            "relative to it"
        )
    rows_path, label_path = path.with_suffix(".rows.parquet"), path.with_suffix(".label.parquet")
    for file in (path, rows_path, label_path):
        if file.exists():
            raise ConfigError(f"{file}: is there already; give --out another name, or remove it")
    table, added, chosen = _add_logged(context, look)
    table, left_out, weights = _weigh(context, look, table)
    if added == chosen.num_rows == left_out == 0:
        raise ConfigError(
            "nothing to renew: the logs hold no labelled row that is new, no row was chosen (--budget), and "
            "no training row is older than curate.window_days"
        )
    _write_parquet(table, rows_path)
    if chosen.num_rows:
        _write_parquet(chosen, label_path)
    document = _next_document(context, rows_path.name, weights)
    import yaml

    write_atomic(path, yaml.safe_dump(document, sort_keys=False, allow_unicode=True))
    load_project(path)
    to_label = label_path if chosen.num_rows else None
    return Renewed(path, rows_path, to_label, added, chosen.num_rows, left_out, weights)


def _add_logged(context: Context, look: Look) -> tuple[pa.Table, int, pa.Table]:
    """Add the logs' labelled rows to the training rows, and the chosen ones to those without a label."""
    data, rows = look.data, look.traffic.rows
    splits = data.table["split"].to_pylist()
    forms = [normalise(text) for text in data.texts]
    held_out = {form for form, split in zip(forms, splits, strict=True) if split in _HELD_OUT}
    taught = {form for form, split in zip(forms, splits, strict=True) if split == "train"}
    reader, labels = data.reader, rows.table["label"].to_pylist()
    known = reader.is_known(reader.encode([_known(label, data.outputs) for label in labels], data.outputs))
    strange = {str(label) for label in labels if label is not None and _known(label, data.outputs) is None}
    if strange:
        shown = ", ".join(sorted(strange)[:5])
        context.note(f"logs: labels that no training row has count as none: {shown:.200}")
    picked = set() if look.sample is None else set(look.sample.rows.tolist())
    places: list[int] = []
    for place, text in enumerate(rows.texts):
        form = normalise(text)
        if (known[place] or place in picked) and form not in held_out and form not in taught:
            places.append(place)
            taught.add(form)
    taken = rows.table.take(pa.array(places, pa.int64()))
    prefix = digest_json(rows.texts[:1000])[:6]
    named = [f"log-{prefix}-{place + 1}" for place in places]
    new = ["train" if known[place] else "unlabelled" for place in places]
    taken = taken.set_column(0, "id", pa.array(named, pa.string()))
    taken = taken.set_column(taken.column_names.index("split"), "split", pa.array(new, pa.string()))
    given = pa.array([labels[place] if known[place] else None for place in places], reader.kind)
    taken = taken.set_column(taken.column_names.index("label"), "label", given)
    unlabelled = np.array([split == "unlabelled" for split in new], bool)
    reasons = (
        {} if look.sample is None else dict(zip(look.sample.rows.tolist(), look.sample.reasons, strict=True))
    )
    chosen = taken.filter(pa.array(unlabelled))
    why = [reasons[place] for place, is_new in zip(places, unlabelled, strict=True) if is_new]
    added = _fit(taken, data.table.schema)
    whole = pa.concat_tables([data.table, added])
    return whole, int((~unlabelled).sum()), chosen.append_column(REASON, pa.array(why, pa.string()))


def _known(label: Any, outputs: tuple[str, ...]) -> Any:
    """Return a label that the model knows; None where it does not, as a new class needs rows of its own."""
    return None if isinstance(label, str) and label not in outputs else label


def _fit(table: pa.Table, schema: pa.Schema) -> pa.Table:
    columns = {}
    for field in schema:
        if field.name not in table.column_names:
            columns[field.name] = pa.nulls(table.num_rows, field.type)
            continue
        try:
            columns[field.name] = table[field.name].cast(field.type)
        except pa.ArrowException:
            raise DataError(
                f"logs: column '{field.name}' is {table[field.name].type}, and {field.type} in the project's "
                "rows; write both alike"
            ) from None
    return pa.table(columns, schema)


def _weigh(context: Context, look: Look, table: pa.Table) -> tuple[pa.Table, int, dict[str, float]]:
    """Leave out training rows beyond the window, and give the others their group of age."""
    settings, column = context.project.curate, str(context.project.data.columns.date)
    train = np.array([split == "train" for split in table["split"].to_pylist()], bool)
    ages = np.zeros(len(train), np.int64)
    taught = TaskData(table.filter(pa.array(train)), look.data.outputs, look.data.reader)
    ages[train] = ages_in_days(taught, column, look.today)
    old = train & (ages > (settings.window_days or np.inf))
    if old.sum() == train.sum():
        raise ConfigError(
            f"curate.window_days: all {int(train.sum()):,} training rows are older than "
            f"{settings.window_days} days; none would be left"
        )
    weights: dict[str, float] = {}
    if context.project.distillation.origin is None and RECENCY not in table.column_names:
        weights = group_weights(ages[train & ~old], settings.half_life_days)
        groups = np.array(age_groups(ages), object)
        groups[~train] = None
        table = table.append_column(RECENCY, pa.array(groups.tolist(), pa.string()))
    return table.filter(pa.array(~old)), int(old.sum()), weights


def _next_document(context: Context, rows: str, weights: dict[str, float]) -> dict[str, Any]:
    document: dict[str, Any] = context.project.model_dump(mode="json", exclude_unset=True)
    data, columns = context.project.data, context.project.data.columns
    document["data"] = {
        "source": rows,
        "columns": {"id": "id", "split": "split", "date": columns.date},
        **({"sample": data.sample} if data.sample is not None else {}),
        **({"allow_shared_text": True} if data.allow_shared_text else {}),
    }
    if weights:
        origin = {"column": RECENCY, "weights": {"teacher": 1.0, **weights}}
        document["distillation"] = {**document.get("distillation", {}), "origin": origin}
    return document


def _write_parquet(table: pa.Table, path: Path) -> None:
    import pyarrow.parquet

    temporary = path.with_name(f".{path.name}.tmp")
    try:
        pyarrow.parquet.write_table(table, temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
