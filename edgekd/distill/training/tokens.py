"""Token ids of many texts as one flat array, and batches of like length."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer


@dataclass(frozen=True)
class Tokens:
    """Ids of text i are `ids[starts[i]:starts[i + 1]]`; `starts` has one entry more than texts."""

    ids: npt.NDArray[np.int32]
    starts: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Tokens of each text, shape [text]."""
        lengths: npt.NDArray[np.int64] = np.diff(self.starts)
        return lengths

    def first(self, count: int) -> Tokens:
        """Return the first texts alone."""
        return Tokens(self.ids[: self.starts[count]], self.starts[: count + 1])

    def padded(self, rows: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return ids and mask of the rows, both [row, token]; the mask is 1 on a text's own tokens."""
        lengths = self.lengths[rows]
        columns = np.arange(lengths.max())
        mask = columns[None, :] < lengths[:, None]
        places = np.minimum(self.starts[rows][:, None] + columns[None, :], len(self.ids) - 1)
        return np.where(mask, self.ids[places], 0).astype(np.int64), mask.astype(np.int64)


def open_tokenizer(path: Path, max_tokens: int) -> Tokenizer:
    """Open a tokenizer.json, without padding, cutting at `max_tokens` on the side that the file names."""
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_padding()
    side = (tokenizer.truncation or {}).get("direction", "right")
    tokenizer.enable_truncation(max_tokens, direction=side)
    return tokenizer


def tokenize(tokenizer: Tokenizer, texts: Sequence[str]) -> Tokens:
    """Turn texts into ids; a text without tokens becomes the single id 0."""
    return join_ids([encoding.ids or [0] for encoding in tokenizer.encode_batch_fast(list(texts))])


def join_ids(rows: Sequence[Sequence[int]]) -> Tokens:
    """Put the ids of many texts into one array."""
    starts = np.zeros(len(rows) + 1, dtype=np.int64)
    np.cumsum([len(ids) for ids in rows], out=starts[1:])
    ids = np.fromiter((i for row in rows for i in row), dtype=np.int32, count=int(starts[-1]))
    return Tokens(ids, starts)


def mapped_tokens(path: Path, read: Callable[[Sequence[str]], Tokens], texts: Sequence[str]) -> Tokens:
    """Turn texts into ids once, keep them beside `path`, and map them from there."""
    files = [path.with_suffix(f".{name}.npy") for name in ("ids", "starts")]
    if not all(file.exists() for file in files):
        tokens = read(texts)
        parts: tuple[npt.NDArray[Any], ...] = (tokens.ids, tokens.starts)
        for file, values in zip(files, parts, strict=True):
            temporary = file.with_suffix(f".{os.getpid()}")
            with temporary.open("wb") as sink:
                np.save(sink, values, allow_pickle=False)
            temporary.replace(file)
    return Tokens(*(np.load(file, mmap_mode="r", allow_pickle=False) for file in files))


def length_batches(
    lengths: npt.NDArray[np.int64], tokens: int, rng: np.random.Generator | None = None, least: int = 1
) -> Iterator[npt.NDArray[np.int64]]:
    """Group row numbers into batches of like length that hold at most `tokens` tokens, padding included.

    So every batch is about as much work, and little of it is padding. With `rng` rows of equal length are
    shuffled, lengths are jittered by one token, and batches come in random order; without it they come
    shortest first. A batch has at least `least` rows, however long they are.
    """
    keys = lengths.astype(np.float64)
    if rng is not None:
        keys = keys + rng.uniform(-1.0, 1.0, len(keys))
    order = np.argsort(keys, kind="stable")
    groups: list[npt.NDArray[np.int64]] = []
    end = len(order)
    while end > 0:  # from the longest down, so that the batch that is not full holds the shortest rows
        window = max(least, tokens // int(lengths[order[end - 1]]))
        # Jitter: the last row need not be the longest.
        count = max(least, tokens // int(lengths[order[max(0, end - window) : end]].max()))
        start = end - count if end - count >= least else 0  # too few for a batch of their own join this one
        groups.append(order[start:end])
        end = start
    groups.reverse()
    turns = range(len(groups)) if rng is None else rng.permutation(len(groups))
    return (groups[int(i)] for i in turns)
