"""Label, apart from training: which texts, by what, into the store that all runs of a workspace share."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgekd.data.shared import HELD_OUT
from edgekd.data.taskdata import TaskData
from edgekd.pipeline.context import Context
from edgekd.pipeline.labeller import COPY_KINDS, choose_labeller, texts_to_label
from edgekd.pipeline.staging import run_stage
from edgekd.progress import Progress
from edgekd.store import Stage, digest_json, write_atomic

if TYPE_CHECKING:
    from edgekd.distill.labels.fill import Wanted
    from edgekd.distill.labels.share import Share
    from edgekd.distill.labels.store import LabelStore


@dataclass(frozen=True)
class Labels:
    """Which texts students learn from, a digest of their labels, and the store that holds these."""

    texts: Stage
    values: Stage
    store: LabelStore


def label_stage(context: Context, data: TaskData, teacher: Stage) -> Labels:
    """Label every text that students may learn from, unless it has a label.

    Labels are kept by teacher and text, whichever run asked for them first.
    """
    from edgekd.distill.labels.share import WHOLE

    texts, wanted = _texts(context, data, teacher)
    store = _open_store(context, data, teacher)
    _label(context, data, teacher, store, wanted, WHOLE)
    names = sorted(shard.path.name for shard in store.shards)
    reads = {"teacher": teacher.digest, "texts": texts.digest, "shards": digest_json(names)}

    def build(folder: Path, progress: Progress) -> None:
        found = {"texts": len(wanted.texts), "labels": store.read(wanted.texts, 1.0).digest()}
        write_atomic(folder / "labels.json", json.dumps(found, indent=1))
        write_atomic(folder / "logs" / "labelling.json", json.dumps(store.labellers(), indent=1))

    return Labels(texts, run_stage(context, "label", 2, reads, build), store)


def label_share(context: Context, data: TaskData, teacher: Stage, share: Share) -> int:
    """Label one share of those texts, for several processes or machines; returns how many were labelled."""
    _, wanted = _texts(context, data, teacher)
    return _label(context, data, teacher, _open_store(context, data, teacher), wanted, share)


def count_missing(context: Context, data: TaskData, teacher: Stage) -> int:
    """Count the texts that have no label of this teacher yet."""
    from edgekd.distill.labels.fill import find_missing

    _, wanted = _texts(context, data, teacher)
    return len(find_missing(_open_store(context, data, teacher), wanted.texts))


def _texts(context: Context, data: TaskData, teacher: Stage) -> tuple[Stage, Wanted]:
    from edgekd.distill.softlabels import open_texts, save_texts

    copies, seed = context.project.distillation.augmentations, context.project.seed
    digests = [data.split(name).digest for name in ("train", "unlabelled")]
    judged = [data.split(name).texts for name in HELD_OUT]  # what is made never equals these
    reads = {"rows": digests, "not": digest_json(judged), "augmentations": copies, "seed": seed}
    if copies >= COPY_KINDS:
        reads["teacher"] = teacher.digest

    def build(folder: Path, progress: Progress) -> None:
        save_texts(texts_to_label(data, teacher, copies, seed), folder)

    stage = run_stage(context, "texts", 5, reads, build)
    learn, left_out = open_texts(stage.path)
    if left_out:
        context.note(f"texts: {left_out:,} left out, because a row that students are judged on has the same")
    return stage, learn


def _open_store(context: Context, data: TaskData, teacher: Stage) -> LabelStore:
    from edgekd.distill.labels.kept import check_temperature
    from edgekd.distill.labels.store import LabelStore

    check_temperature(len(data.labels), context.project.distillation.temperature)
    folder = context.workspace / "labels" / teacher.digest
    return LabelStore(folder, teacher.digest, len(data.labels))


def _label(
    context: Context, data: TaskData, teacher: Stage, store: LabelStore, wanted: Wanted, share: Share
) -> int:
    from edgekd.distill.labels.fill import fill_store, find_missing

    if not find_missing(store, wanted.texts, share):
        return 0
    from edgekd.distill.teacher import open_teacher, teacher_tokens  # torch: two seconds

    began = time.monotonic()
    opened = open_teacher(teacher.path, teacher.digest)
    labeller = choose_labeller(context, data, teacher, len(wanted.texts))
    with context.show_progress("label") as progress:
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
