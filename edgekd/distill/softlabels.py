"""Soft labels: the texts a student learns from, with the teacher's outputs from its store."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from edgekd.data.noise import augment
from edgekd.data.normalise import normalise
from edgekd.data.shared import HELD_OUT
from edgekd.data.taskdata import TaskData
from edgekd.distill.examples import Examples
from edgekd.distill.labels.fill import Wanted
from edgekd.distill.labels.store import LabelStore
from edgekd.distill.learner import Learner, Targets
from edgekd.distill.lexicon import Lexicon
from edgekd.store import write_atomic

NOTHING = Lexicon()


class Listed(NamedTuple):
    """Texts to learn from, and how many were left out as `list_texts` says."""

    learn: Wanted
    left_out: int


def list_texts(data: TaskData, augmentations: int, seed: int, lexicon: Lexicon = NOTHING) -> Listed:
    """List every text a student may learn from.

    With a lexicon also texts of one word: what a student cannot learn from sentences that lack it. A text
    that is made or unlabelled is left out if a calibration, validation or test row has it, after `normalise`.

    The evidence of a label is the row that the text is from, or was made from; its tag says how.
    """
    held_out = {normalise(text) for name in HELD_OUT for text in data.split(name).texts}
    left_out = 0
    train, unlabelled = (data.split(name) for name in ("train", "unlabelled"))
    made = augment(train.texts, augmentations, seed, lexicon.near)
    parents = [name for name in train.ids for _ in range(augmentations)]
    texts, rows = list(train.requests), [(name, "train") for name in train.ids]
    known = set(texts)
    sources = (
        (made, parents, "augmented"),
        (unlabelled.requests, unlabelled.ids, "unlabelled"),
        (lexicon.words, lexicon.words, "word"),
    )
    for more, names, tag in sources:
        for text, name in zip(more, names, strict=True):
            if text in known:
                continue
            known.add(text)
            if normalise(text) in held_out:
                left_out += 1
            else:
                texts.append(text)
                rows.append((name, tag))
    return Listed(Wanted(texts, [(name,) for name, _ in rows], [(tag,) for _, tag in rows]), left_out)


def save_texts(listed: Listed, folder: Path) -> None:
    """Write the texts to `folder`, with what is kept beside their labels."""
    learn, left_out = listed
    write_atomic(folder / "logs" / "left_out.json", json.dumps(left_out))
    columns = {"texts": learn.texts, "evidence": learn.evidence, "tags": learn.tags}
    write_atomic(folder / "learn.json", json.dumps(columns, ensure_ascii=False))


def open_texts(folder: Path) -> Listed:
    """Read what `save_texts` wrote."""
    learn = Wanted(**json.loads((folder / "learn.json").read_text(encoding="utf-8")))
    left_out = json.loads((folder / "logs" / "left_out.json").read_text(encoding="utf-8"))
    return Listed(learn, left_out)


def open_soft_labels(texts: Path, targets: Targets, store: LabelStore, learner: Learner) -> Examples:
    """Give the rows to learn from, with the teacher's outputs from the store.

    They are the train split, whose targets are given, then its noisy copies, then the unlabelled split, then
    words alone.

    Raises:
        DataError: if a text has no label yet.
    """
    learn = open_texts(texts).learn
    whole = np.full(len(learn.texts), learner.no_target, dtype=targets.dtype)
    whole[: len(targets)] = targets
    return Examples(list(learn.texts), whole, store.read(learn.texts, learner.temperature))
