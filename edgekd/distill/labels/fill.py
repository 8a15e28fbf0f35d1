"""Label the texts that a store does not have yet: resumable, and shared among processes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgekd.distill.labels.batches import equal_batches
from edgekd.distill.labels.kept import keep_outputs
from edgekd.distill.labels.labeller import Labeller, check_outputs, top_gaps
from edgekd.distill.labels.shard import ShardRows, join_rows
from edgekd.distill.labels.share import WHOLE, Share
from edgekd.distill.labels.store import LabelStore
from edgekd.distill.training.tokens import Tokens
from edgekd.progress import Progress, silent
from edgekd.store import locked

# A kill loses at most so much work; a shard has at most so many rows.
SHARD_SECONDS = 20.0
SHARD_ROWS = 8192


@dataclass(frozen=True)
class Wanted:
    """Texts to label, and what is to be kept beside each label."""

    texts: Sequence[str]
    evidence: Sequence[Sequence[str]]
    tags: Sequence[Sequence[str]]

    def take(self, places: Sequence[int]) -> Wanted:
        """Take the texts at some places, in that order."""
        texts, evidence, tags = self.texts, self.evidence, self.tags
        return Wanted([texts[i] for i in places], [evidence[i] for i in places], [tags[i] for i in places])


def find_missing(store: LabelStore, texts: Sequence[str], share: Share = WHOLE) -> list[int]:
    """List the places of texts that have no label yet and are of this share, each text once.

    A text's share is told by its key: every machine says the same of it.
    """
    keys = store.keys(texts)
    _, first = np.unique(keys, return_index=True)
    first = first[~store.has(keys[first])]
    numbers = keys[first].view("<u8").reshape(-1, 2)[:, 0]
    mine = first[numbers % share.of == share.number - 1]
    return sorted(mine.tolist())


def fill_store(
    store: LabelStore,
    wanted: Wanted,
    tokenize: Callable[[Sequence[str]], Tokens],
    labeller: Labeller,
    *,
    share: Share = WHOLE,
    on_progress: Progress = silent,
) -> int:
    """Label what is missing of this share; returns how many rows were added.

    Every `SHARD_SECONDS` what is labelled is put away for good. A second process that wants the
    same share waits, and then finds nothing missing.

    Raises:
        ParityError: if the labeller gives no outputs of the shape that it should.
        DataError: if they cannot be kept.
    """
    with locked(store.folder / f".share-{share.number}-of-{share.of}"):
        store.refresh()
        places = find_missing(store, wanted.texts, share)
        tokens = tokenize([wanted.texts[place] for place in places])
        filling = _Filling(store, wanted.take(places), tokens, on_progress)
        close = filling.run(labeller, np.arange(len(places)))
        if labeller.exact is not None:
            filling.run(labeller.exact, close)
        return filling.added


class _Filling:
    """Labels texts that are missing, and puts them away from time to time."""

    def __init__(self, store: LabelStore, wanted: Wanted, tokens: Tokens, on_progress: Progress) -> None:
        self.store, self.wanted, self.tokens = store, wanted, tokens
        self.keys = store.keys(wanted.texts)
        self.on_progress = on_progress
        self.added = 0
        self.done = 0

    def run(self, labeller: Labeller, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Label rows and put them away; returns those that are too close, which are not."""
        held: list[ShardRows] = []
        close = [np.empty(0, np.int64)]
        began = time.monotonic()
        for picked, ids in equal_batches(self.tokens, rows):
            outputs = check_outputs(labeller, ids, self.store.width)[: len(picked)]
            is_close = top_gaps(outputs) < labeller.gap
            close.append(picked[is_close])
            held.append(self._rows(picked[~is_close], outputs[~is_close]))
            self.done += int((~is_close).sum()) * ids.shape[1]
            self.on_progress(self.done / len(self.tokens.ids), f"{len(self.tokens)} texts by {labeller.name}")
            is_full = sum(len(part.keys) for part in held) >= SHARD_ROWS
            if is_full or time.monotonic() - began > SHARD_SECONDS:
                self._put_away(held, labeller)
                held, began = [], time.monotonic()
        self._put_away(held, labeller)
        return np.sort(np.concatenate(close))

    def _rows(self, rows: npt.NDArray[np.int64], outputs: npt.NDArray[np.float32]) -> ShardRows:
        beside = self.wanted.take(rows.tolist())
        return ShardRows(self.keys[rows], keep_outputs(outputs), beside.evidence, beside.tags)

    def _put_away(self, held: list[ShardRows], labeller: Labeller) -> None:
        if held:
            self.added += self.store.add(join_rows(held), {"name": labeller.name, **labeller.notes})
