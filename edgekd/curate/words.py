"""The words of many texts as numbers: a million texts take seconds and some hundred megabytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

_UNSPACED = r"([\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}])"
_BETWEEN = r"[^\p{L}\p{N}\p{M}]+"
_CHUNK = 100_000


@dataclass(frozen=True)
class Words:
    """The words of texts, in order.

    Attributes:
        known: the different words, in lower case; letters of scripts without spaces are words of their own.
        codes: [word] place in `known` of each word of each text, one text after the other.
        starts: [text + 1] where each text's words begin in `codes`, and where the last one's end.
    """

    known: pa.Array
    codes: npt.NDArray[np.int32]
    starts: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.starts) - 1

    def sums(self, of_word: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Add up a number per known word over the words of each text, [text]."""
        running = np.concatenate([[0.0], np.cumsum(of_word[self.codes])])
        return np.asarray(running[self.starts[1:]] - running[self.starts[:-1]])


def split_words(texts: Sequence[str] | pa.Array | pa.ChunkedArray) -> Words:
    """Split texts into their words; a text that is null has none."""
    column = texts if isinstance(texts, pa.Array | pa.ChunkedArray) else pa.array(texts, pa.string())
    parts, counts = [], [np.zeros(1, np.int64)]
    for start in range(0, len(column), _CHUNK):
        part = column.slice(start, _CHUNK)
        part = part.combine_chunks() if isinstance(part, pa.ChunkedArray) else part
        spaced = pc.replace_substring_regex(pc.fill_null(part, ""), _UNSPACED, r" \1 ")
        lists = pc.split_pattern_regex(pc.utf8_lower(spaced), _BETWEEN)
        flat, owner = pc.list_flatten(lists), pc.list_parent_indices(lists)
        is_word = pc.greater(pc.binary_length(flat), 0)
        parts.append(flat.filter(is_word).dictionary_encode())
        owners = owner.filter(is_word).to_numpy(zero_copy_only=False)
        counts.append(np.bincount(owners, minlength=len(part)).astype(np.int64))
    whole = pa.chunked_array(parts, pa.dictionary(pa.int32(), pa.string())).unify_dictionaries()
    codes = [chunk.indices.to_numpy(zero_copy_only=False) for chunk in whole.chunks]
    known = whole.chunk(0).dictionary if whole.num_chunks else pa.array([], pa.string())
    joined = np.concatenate(codes) if codes else np.zeros(0, np.int32)
    return Words(known, joined.astype(np.int32, copy=False), np.cumsum(np.concatenate(counts)))
