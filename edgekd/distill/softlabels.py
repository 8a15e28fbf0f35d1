"""Soft labels: the texts a student learns from, with the teacher's outputs from its store."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
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
from edgekd.distill.lists import NO_EXAMPLE, list_requests, widen_table
from edgekd.store import write_atomic

NOTHING = Lexicon()


@dataclass(frozen=True)
class WantedLists(Wanted):
    """The examples of rows that are lists, row by row; `requests` are the rows."""

    requests: Sequence[str] = ()


class Listed(NamedTuple):
    """Texts to learn from, and how many were left out as `list_texts` says."""

    learn: Wanted
    left_out: int


def list_texts(data: TaskData, augmentations: int, seed: int, lexicon: Lexicon = NOTHING) -> Listed:
    """List every text a student may learn from.

    With a lexicon also texts of one word: what a student cannot learn from sentences that lack it. A text
    that is made or unlabelled is left out if a calibration, validation or test row has it, after `normalise`.
    Of rows that are lists nothing is made: what the teacher says of a changed query would cost as much as the
    whole list does.

    The evidence of a label is the row that the text is from, or was made from; its tag says how.
    """
    held_out = {normalise(text) for name in HELD_OUT for text in data.split(name).texts}
    left_out = 0
    train, unlabelled = (data.split(name) for name in ("train", "unlabelled"))
    texts, rows = list(train.requests), [(name, "train") for name in train.ids]
    are_lists = texts != train.texts
    if are_lists:
        augmentations, lexicon = 0, NOTHING
    made = augment(train.texts, augmentations, seed, lexicon.near)
    parents = [name for name in train.ids for _ in range(augmentations)]
    known = set(texts)
    sources = (
        (made, made, parents, "augmented"),
        (unlabelled.requests, unlabelled.texts, unlabelled.ids, "unlabelled"),
        (lexicon.words, lexicon.words, lexicon.words, "word"),
    )
    for more, messages, names, tag in sources:
        for text, message, name in zip(more, messages, names, strict=True):
            if text in known:
                continue
            known.add(text)
            if normalise(message) in held_out:
                left_out += 1
            else:
                texts.append(text)
                rows.append((name, tag))
    wanted = Wanted(texts, [(name,) for name, _ in rows], [(tag,) for _, tag in rows])
    return Listed(_spread(wanted) if are_lists else wanted, left_out)


def save_texts(listed: Listed, folder: Path) -> None:
    """Write the texts to `folder`, with what is kept beside their labels; of lists the requests alone."""
    learn, left_out = listed
    write_atomic(folder / "logs" / "left_out.json", json.dumps(left_out))
    columns = {"texts": learn.texts, "evidence": learn.evidence, "tags": learn.tags}
    if isinstance(learn, WantedLists):
        rows = learn.take(list_requests(learn.requests)[1].starts[:-1].tolist())
        columns = {"requests": learn.requests, "evidence": rows.evidence, "tags": rows.tags}
    write_atomic(folder / "learn.json", json.dumps(columns, ensure_ascii=False))


def open_texts(folder: Path) -> Listed:
    """Read what `save_texts` wrote."""
    columns = json.loads((folder / "learn.json").read_text(encoding="utf-8"))
    left_out = json.loads((folder / "logs" / "left_out.json").read_text(encoding="utf-8"))
    if "requests" not in columns:
        return Listed(Wanted(**columns), left_out)
    requests = columns["requests"]
    return Listed(_spread(Wanted(requests, columns["evidence"], columns["tags"])), left_out)


def open_soft_labels(texts: Path, targets: Targets, store: LabelStore, learner: Learner) -> Examples:
    """Give the rows to learn from, with the teacher's outputs from the store.

    They are the train split, whose targets are given, then its noisy copies, then the unlabelled split, then
    words alone. Where rows are lists their outputs are laid out as [row, place] and held in memory.

    Raises:
        DataError: if a text has no label yet.
    """
    learn, _ = open_texts(texts)
    taught = store.read(learn.texts, learner.temperature)
    if not isinstance(learn, WantedLists):
        whole = np.full(len(learn.texts), learner.no_target, dtype=targets.dtype)
        whole[: len(targets)] = targets
        return Examples(list(learn.texts), whole, taught)
    _, lists = list_requests(learn.requests)
    grades = np.where(lists.places == NO_EXAMPLE, NO_EXAMPLE, np.nan).astype(targets.dtype)
    grades[: len(targets)] = widen_table(targets, lists.places.shape[1], NO_EXAMPLE)
    return Examples(list(learn.requests), grades, lists.fold(taught[:]))


def _spread(rows: Wanted) -> WantedLists:
    """Turn rows of requests into their examples, each with what is kept beside its row."""
    examples, lists = list_requests(rows.texts)
    numbers = np.repeat(np.arange(len(lists)), lists.counts).tolist()
    beside = rows.take(numbers)
    return WantedLists(examples, beside.evidence, beside.tags, rows.texts)
