"""Texts as short vectors whose angles say how alike their words are, without any model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from edgekd.curate.words import Words, split_words

WIDTH = 64
_CHUNK = 50_000
Features = npt.NDArray[np.float32]


def text_features(texts: Sequence[str] | pa.Array | pa.ChunkedArray | Words, width: int = WIDTH) -> Features:
    """Return a vector of length 1 per text, [text, width]; zeros for a text without words.

    Each word has a random vector, which depends on the word alone, and counts by how few texts have it (tf-
    idf). Angles are those of the bags of words, within about 1 / sqrt(width) (Achlioptas, D. (2003),
    Database- friendly random projections, Journal of Computer and System Sciences 66, 671-687).
    """
    from scipy.sparse import csr_matrix

    words = texts if isinstance(texts, Words) else split_words(texts)
    size, known = len(words), len(words.known)
    found = np.zeros((size, width), np.float32)
    if not known:
        return found
    having = np.bincount(words.codes, minlength=known)
    weight = np.log((1 + size) / (1 + np.minimum(having, size))).astype(np.float32) + np.float32(0.1)
    vectors = _word_vectors(words.known, width) * weight[:, None]
    for start in range(0, size, _CHUNK):
        end = min(size, start + _CHUNK)
        begins = words.starts[start : end + 1]
        codes = words.codes[begins[0] : begins[-1]]
        bag = csr_matrix((np.ones(len(codes), np.float32), codes, begins - begins[0]), (end - start, known))
        part = bag @ vectors
        found[start:end] = part / np.maximum(np.linalg.norm(part, axis=1, keepdims=True), 1e-12)
    return found


def _word_vectors(known: pa.Array, width: int) -> Features:
    """Draw signs for each word from a hash of it, so that the same word has the same vector everywhere."""
    import zlib

    seeds = np.array([zlib.crc32(str(word).encode()) for word in known.to_pylist()], np.uint64)
    place = np.arange(width, dtype=np.uint64)
    mixed = (seeds[:, None] + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15) + place * np.uint64(
        0xBF58476D1CE4E5B9
    )
    mixed ^= mixed >> np.uint64(31)
    mixed *= np.uint64(0x94D049BB133111EB)
    signs = (mixed >> np.uint64(63)).astype(np.float32) * 2 - 1
    return np.asarray(signs / np.sqrt(width), np.float32)
