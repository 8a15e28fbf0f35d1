"""Label, apart from training: which texts, by what, into the store that all runs of a workspace share."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgekd.data.taskdata import TaskData
from edgekd.engines.step import Inputs, Settings, Step
from edgekd.pipeline.context import Context
from edgekd.pipeline.labeller import COPY_KINDS, choose_labeller, texts_to_label
from edgekd.pipeline.opening import open_rows
from edgekd.progress import Progress
from edgekd.store import Stage, digest_json, write_atomic

if TYPE_CHECKING:
    from edgekd.distill.labels.fill import Wanted
    from edgekd.distill.labels.share import Share
    from edgekd.distill.labels.store import LabelStore


@dataclass(frozen=True)
class LabelledTexts:
    """Which texts students learn from, a digest of their labels, and the store that holds these.

    `step` is the one that gave the digest.
    """

    texts: Stage
    values: Stage
    store: LabelStore
    step: Step


def texts_step(context: Context, teacher: Step) -> Step:
    """List every text that students may learn from."""
    copies, seed = context.project.distillation.augmentations, context.project.seed
    return Step(
        "texts",
        6,
        "edgekd.pipeline.labelling:build_texts",
        settings={"augmentations": copies, "seed": seed},
        inputs={
            "rows": context.data.part(
                "train", "unlabelled", "held out"
            ),  # what is made never equals the last
            **({"teacher": teacher} if copies >= COPY_KINDS else {}),
        },
    )


def build_texts(folder: Path, settings: Settings, inputs: Inputs, progress: Progress) -> None:
    """Write the texts, with what is kept beside their labels."""
    from edgekd.distill.softlabels import save_texts

    data = open_rows(inputs["rows"].path)
    save_texts(
        texts_to_label(data, inputs.get("teacher"), settings["augmentations"], settings["seed"]), folder
    )


def label_step(context: Context, teacher: Step, shards: str) -> Step:
    """Digest the labels of all texts; `shards` is the digest of what the store of labels holds."""
    return Step(
        "label",
        3,
        "edgekd.pipeline.labelling:build_labels",
        inputs={
            "rows": context.data.part("labels"),
            "teacher": teacher,
            "texts": texts_step(context, teacher),
        },
        reads={"shards": shards},
        how={"labels": str(context.workspace / "labels")},
    )


def build_labels(folder: Path, settings: Settings, inputs: Inputs, progress: Progress) -> None:
    """Write the digest of the labels in the store, every one of which must be there, and who labelled."""
    from edgekd.distill.softlabels import open_texts

    wanted = open_texts(inputs["texts"].path).learn
    data = open_rows(inputs["rows"].path)
    store = open_store(Path(settings["labels"]), inputs["teacher"].digest, data)
    found = {"texts": len(wanted.texts), "labels": store.read(wanted.texts, 1.0).digest()}
    write_atomic(folder / "labels.json", json.dumps(found, indent=1))
    write_atomic(folder / "logs" / "labelling.json", json.dumps(store.labellers(), indent=1))


def label_stage(context: Context, data: TaskData, teacher: Step) -> LabelledTexts:
    """Label every text that students may learn from, unless it has a label.

    Labels are kept by teacher and text, whichever run asked for them first.
    """
    from edgekd.distill.labels.share import WHOLE

    wanted = _wanted(context, teacher)
    store = _own_store(context, data, teacher)
    _label(context, data, teacher, store, wanted, WHOLE)
    step = label_step(context, teacher, digest_shards(store))
    texts, values = context.engine.run([texts_step(context, teacher), step])
    return LabelledTexts(texts, values, store, step)


def label_share(context: Context, data: TaskData, teacher: Step, share: Share) -> int:
    """Label one share of those texts, for several processes or machines; returns how many were labelled."""
    wanted = _wanted(context, teacher)
    return _label(context, data, teacher, _own_store(context, data, teacher), wanted, share)


def find_labels(context: Context, data: Path, teacher: Stage, texts: Stage) -> str | None:
    """Return the digest of the shards if every text has a label, else None; writes nothing."""
    from edgekd.distill.labels.fill import find_missing
    from edgekd.distill.softlabels import open_texts

    if not (context.workspace / "labels" / teacher.digest).is_dir():
        return None
    store = open_store(context.workspace / "labels", teacher.digest, open_rows(data))
    return None if find_missing(store, open_texts(texts.path).learn.texts) else digest_shards(store)


def open_store(folder: Path, teacher: str, data: TaskData) -> LabelStore:
    """Open the labels of the teacher with this digest."""
    from edgekd.distill.labels.store import LabelStore

    return LabelStore(folder / teacher, teacher, len(data.outputs))


def digest_shards(store: LabelStore) -> str:
    """Digest what a store of labels holds."""
    return digest_json(sorted(shard.path.name for shard in store.shards))


def _wanted(context: Context, teacher: Step) -> Wanted:
    from edgekd.distill.softlabels import open_texts

    listed = open_texts(context.engine.make(texts_step(context, teacher)).path)
    if listed.left_out:
        context.note(
            f"texts: {listed.left_out:,} left out, because a row that students are judged on has the same"
        )
    return listed.learn


def _own_store(context: Context, data: TaskData, teacher: Step) -> LabelStore:
    from edgekd.distill.labels.kept import check_temperature

    check_temperature(len(data.outputs), context.project.distillation.temperature)
    return open_store(context.workspace / "labels", context.engine.make(teacher).digest, data)


def _label(
    context: Context, data: TaskData, teacher: Step, store: LabelStore, wanted: Wanted, share: Share
) -> int:
    from edgekd.distill.labels.fill import fill_store, find_missing

    if not find_missing(store, wanted.texts, share):
        return 0
    from edgekd.distill.teacher import open_teacher, teacher_tokens  # torch: two seconds

    began = time.monotonic()
    stage = context.engine.make(teacher)
    opened = open_teacher(stage.path, stage.digest)
    labeller = choose_labeller(context, data, teacher, len(wanted.texts))
    with context.engine.work("label") as progress:
        added = fill_store(
            store,
            wanted,
            lambda texts: teacher_tokens(opened, list(texts)),
            labeller,
            share=share,
            on_progress=progress,
        )
    took = time.monotonic() - began
    context.note(f"labels: {added} texts by {labeller.name} in {took:.1f} s")
    return added
