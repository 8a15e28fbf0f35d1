"""Hold what a teacher claims against records, before any of it becomes a target."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from edgekd.config import Claims
from edgekd.curate.claims.check import Claimed, check_claims, check_rules
from edgekd.curate.claims.records import digest_records
from edgekd.curate.claims.verdict import ACTIONS, KEEP, REJECT, VERDICTS, Checked, Decided, decide_claims
from edgekd.data.taskdata import TaskData
from edgekd.engines.step import Inputs, Settings, Step
from edgekd.errors import ConfigError
from edgekd.pipeline.context import Context, library_versions
from edgekd.pipeline.labelling import open_store
from edgekd.pipeline.opening import open_rows, open_task
from edgekd.progress import Progress
from edgekd.store import Stage, write_atomic
from edgekd.tasks import Task
from edgekd.tasks.claimed import Spoken

if TYPE_CHECKING:
    from edgekd.distill.labels.fill import Wanted

TRUST = "trust.npy"
_SPLITS = ("train", "unlabelled")
_WORD = "word"  # tag of a text that is of no row


def require_claims(context: Context, data: TaskData) -> None:
    """Refuse rules and records that cannot be used, before anything costs time.

    Raises:
        EdgekdError: in one line.
    """
    settings = context.project.claims
    if settings is None:
        return
    if context.task.claim is None:
        raise ConfigError(
            f"claims: answers of the task '{context.project.task}' claim nothing that records speak of; "
            "remove claims, or give the task a `claim`"
        )
    classes = context.task.head_of(data.outputs).labels
    if classes and "places" in settings.model_fields_set:
        raise ConfigError(
            "claims.places: is of orders of candidates, and answers are classes here; remove it"
        )
    check_rules(data.split("train").table, settings, context.folder, classes)


def claims_step(context: Context, teacher: Step, labels: Step) -> Step | None:
    """Say how far each label of the teacher's is believed; None where the project has no `claims`.

    `labels` is the step that gave the labels' digest.
    """
    settings = context.project.claims
    if settings is None:
        return None
    records = {name: digest_records(entry, context.folder) for name, entry in settings.records.items()}
    return Step(
        "claims",
        1,
        "edgekd.pipeline.claims:build_claims",
        settings={"claims": settings.model_dump(mode="json")},
        inputs={
            "rows": context.data.part("labels", *_SPLITS),
            "teacher": teacher,
            "texts": labels.inputs["texts"],
            "labels": labels,
        },
        reads={"records": records, "libraries": library_versions("duckdb"), **context.task_reads},
        how={"labels": str(context.workspace / "labels"), "folder": str(context.folder)},
    )


def build_claims(folder: Path, settings: Settings, inputs: Inputs, progress: Progress) -> None:
    """Write how far each text's label is believed, and list the claims that are not."""
    from edgekd.distill.softlabels import open_texts

    rows, how = inputs["rows"].path, Claims.model_validate(settings["claims"])
    data, task = open_rows(rows), open_task(rows)
    learn = open_texts(inputs["texts"].path).learn
    store = open_store(Path(settings["labels"]), inputs["teacher"].digest, data)
    softness = task.learning.plain(data.outputs).temperature
    outputs = store.read(learn.texts, None if softness is None else 1.0)[:]
    said = claim_outputs(task, outputs, getattr(learn, "requests", learn.texts), data.outputs, how.places)
    examples, places = _find_rows(said, learn, data)
    claimed = Claimed(places, [said.claims[i] for i in examples.tolist()], said.confidence[examples])
    checked = check_claims(data.table, claimed, how, Path(settings["folder"]))
    decided = decide_claims(checked.verdicts, claimed.confidence, how)
    trust = np.ones(len(learn.texts), np.float32)
    np.minimum.at(trust, said.rows[examples], decided.trust)
    np.save(folder / TRUST, trust, allow_pickle=False)
    counts = {"texts": len(trust), "verdicts": checked.count(), "actions": decided.count()}
    write_atomic(folder / "logs" / "claims.json", json.dumps(counts, indent=1))
    lines = _list_doubtful(data, claimed, checked, decided)
    write_atomic(folder / "logs" / "doubtful.jsonl", "".join(lines))


def claim_outputs(
    task: Task, outputs: npt.NDArray[Any], requests: Sequence[str], names: Sequence[str], places: int
) -> Claimed:
    """Return what outputs [example, output] claim; rows of the claims are places of examples."""
    assert task.claim is not None, "checked before anything was made"
    from edgekd.distill.lists import list_requests

    examples, lists = list_requests(requests)
    return task.claim(Spoken(outputs, names, examples, lists, places))


def _find_rows(
    said: Claimed, learn: Wanted, data: TaskData
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the places of claims that are of a row, and the places of these rows in the table."""
    known = {
        name: place
        for place, (name, split) in enumerate(zip(data.ids, data.table["split"].to_pylist(), strict=True))
        if split in _SPLITS
    }
    found = [
        -1 if _WORD in learn.tags[example] else known.get(learn.evidence[example][0], -1)
        for example in said.rows.tolist()
    ]
    places = np.array(found, np.int64)
    claims = np.flatnonzero(places >= 0)
    return claims, places[claims]


def _list_doubtful(data: TaskData, claimed: Claimed, checked: Checked, decided: Decided) -> list[str]:
    """List claims that are not simply kept as JSON lines, in the form that `edgekd review queue` reads.

    What records contradict is decided already: of its review least is expected.
    """
    texts, ids = data.texts, data.ids
    lines = []
    for claim in np.flatnonzero(decided.actions != KEEP).tolist():
        row = int(claimed.rows[claim])
        entry = {
            "id": ids[row],
            "text": texts[row],
            "answer": claimed.claims[claim],
            "probability": round(float(claimed.confidence[claim]), 6),
            "slice": checked.rules[claim],
            "verdict": VERDICTS[checked.verdicts[claim]],
            "action": ACTIONS[decided.actions[claim]],
            **({"gain": 0.0} if decided.actions[claim] == REJECT else {}),
        }
        lines.append(json.dumps(entry, ensure_ascii=False) + "\n")
    return lines


def read_trust(folder: Path) -> npt.NDArray[np.float32]:
    """Read how far each text's label is believed, from 0 to 1, shape [text]."""
    trust: npt.NDArray[np.float32] = np.load(folder / TRUST, allow_pickle=False)
    return trust


def describe_claims(stage: Stage) -> str:
    """Say in one line what became of a teacher's claims."""
    counts = json.loads((stage.path / "logs" / "claims.json").read_text(encoding="utf-8"))
    verdicts, actions = counts["verdicts"], counts["actions"]
    checked = sum(verdicts.values()) - verdicts["unchecked"]
    return (
        f"claims: {checked:,} checked, {verdicts['contradicted']:,} contradicted, "
        f"{verdicts['unsupported']:,} unsupported; {actions['reject']:,} rejected, {actions['weigh']:,} "
        f"count less, {actions['review']:,} go to review"
    )
