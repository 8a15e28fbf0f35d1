"""Find texts that are nearly equal: most of their trigrams are the same."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from edgekd.data.normalise import loosen

SIMILARITY = 0.8
"""Two texts are nearly equal if they share so many of all trigrams that they have between them (Jaccard)."""
_BANDS, _ROWS = 10, 4  # texts of that similarity meet in a band with a chance of 99.5 %, of 0.9 always
_NEIGHBOURS = 4  # of a text in each band, among those that meet there: bounds the work on templates
_SEEN_ALIKE = 0.5  # share of equal minima from which on a pair is counted exactly
_COUNTED = 3  # pairs of a text and a split that are counted exactly, those with most equal minima
_CHUNK = 50_000  # pairs counted at once; fewer than 2 ** 17

Texts = npt.NDArray[np.int64]
Pairs = npt.NDArray[np.int64]


def find_near(texts: Sequence[str], splits: npt.NDArray[np.bool_], held_out: npt.NDArray[np.bool_]) -> Pairs:
    """Return pairs of places of nearly equal texts in different splits: shape [pair, 2].

    `texts` are normalised and all different; `splits` [text, split] says where each occurs, and one text of
    each pair is in a split that is `held_out`. A pair is given both ways round. Numbers, punctuation and case
    do not count. Candidates are found by MinHash (Broder, A. (1997), On the resemblance and containment of
    documents), then their trigrams are counted: no pair below `SIMILARITY` is returned. Where more than a few
    texts are like one another some pairs are left out, though hardly any text: what is counted from the
    result is a lower bound. Takes about a second of CPU per 50,000 short texts.
    """
    trigrams, owner = _trigrams([loosen(text) for text in texts])
    if len(trigrams) == 0:
        return np.empty((0, 2), np.int64)
    starts = np.flatnonzero(np.append(True, owner[1:] != owner[:-1]))
    places = owner[starts]
    splits = splits[places]
    judged = np.asarray((splits & held_out).any(axis=1))
    minima = _minima(trigrams, starts)
    first, second = _meet(minima, splits, judged)
    alike = (minima[first] == minima[second]).mean(axis=1)
    order = np.argsort(-alike, kind="stable")[: np.count_nonzero(alike >= _SEEN_ALIKE)]
    first, second = first[order], second[order]
    both = np.concatenate([np.stack([first, second], 1), np.stack([second, first], 1)])
    both = both[_few_each(both[:, 0], splits[both[:, 1]])]
    ends = np.append(starts[1:], len(trigrams))
    pairs = np.unique(np.sort(both, axis=1), axis=0)
    pairs = pairs[_similarity(trigrams, starts, ends, pairs) >= SIMILARITY]
    return np.asarray(places[np.concatenate([pairs, pairs[:, ::-1]])], np.int64)


def _trigrams(texts: Sequence[str]) -> tuple[npt.NDArray[np.uint64], Texts]:
    """Return the trigrams of each text, in the order of texts, and the text that each is of.

    Three code points of 21 bits are one number, so that no two trigrams are taken for one.
    """
    joined = "\0" + "".join(f" {text} \0" for text in texts if text)
    codes = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.uint64)
    names = np.array([place for place, text in enumerate(texts) if text], np.int64)
    if len(names) == 0:
        return np.empty(0, np.uint64), names
    inside = (codes[:-2] > 0) & (codes[1:-1] > 0) & (codes[2:] > 0)
    owner = names[(np.cumsum(codes == 0) - 1)[:-2][inside]]
    return ((codes[:-2] << np.uint64(42)) | (codes[1:-1] << np.uint64(21)) | codes[2:])[inside], owner


def _minima(trigrams: npt.NDArray[np.uint64], starts: Texts) -> npt.NDArray[np.uint32]:
    """Return, for each text, the least value of its trigrams under each hash function [text, hash]."""
    rng = np.random.default_rng(0)  # a constant: the same rows have the same near texts on every machine
    mixed = _mix(trigrams)
    minima = np.empty((len(starts), _BANDS * _ROWS), np.uint32)
    for place in range(minima.shape[1]):
        factor, offset = rng.integers(1, 2**63, 2, dtype=np.uint64)
        hashed = mixed * (factor | np.uint64(1))
        hashed += offset
        hashed >>= np.uint64(32)
        minima[:, place] = np.minimum.reduceat(hashed, starts)
    return minima


def _mix(trigrams: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    mixed = trigrams * np.uint64(0x9E3779B97F4A7C15)
    return np.asarray(mixed ^ (mixed >> np.uint64(29)))


def _meet(
    minima: npt.NDArray[np.uint32], splits: npt.NDArray[np.bool_], judged: npt.NDArray[np.bool_]
) -> tuple[Texts, Texts]:
    """Pair each text with its neighbours of other splits among those that are equal to it in a band."""
    shuffled = np.random.default_rng(1).permutation(len(minima))  # so that splits lie mixed in a band
    kind = splits @ (1 << np.arange(splits.shape[1]))
    found = [np.empty(0, np.int64)]
    for band in range(_BANDS):
        key = _mix(np.zeros(len(minima), np.uint64))
        for row in range(_ROWS):
            key = _mix(key ^ minima[shuffled, _ROWS * band + row])
        order = np.argsort(key)
        key, names = key[order], shuffled[order]
        for step in range(1, min(_NEIGHBOURS, len(key) - 1) + 1):
            same = np.flatnonzero(key[step:] == key[:-step])
            one, other = names[same], names[same + step]
            useful = (kind[one] != kind[other]) & (judged[one] | judged[other])
            ends = np.sort(np.stack([one[useful], other[useful]]), axis=0)
            found.append(ends[0] * len(minima) + ends[1])
    pairs = np.unique(np.concatenate(found))
    return pairs // len(minima), pairs % len(minima)


def _few_each(first: Texts, splits: npt.NDArray[np.bool_]) -> Texts:
    """Keep, of the pairs of a text, the first few for each set of splits that the other is in."""
    kind = splits @ (1 << np.arange(splits.shape[1]))
    key = first * (1 << splits.shape[1]) + kind
    order = np.argsort(key, kind="stable")
    key = key[order]
    begins = np.append(True, key[1:] != key[:-1])
    rank = np.arange(len(key)) - np.flatnonzero(begins)[np.cumsum(begins) - 1] if len(key) else key
    return np.asarray(np.sort(order[rank < _COUNTED]))


def _similarity(
    trigrams: npt.NDArray[np.uint64], starts: Texts, ends: Texts, pairs: Pairs
) -> npt.NDArray[np.float64]:
    """Count the distinct trigrams that the texts of each pair share, as a share of all that they have.

    A pair's number, 46 bits of a trigram and which text it is of make one number, so that one sort counts.
    """
    out = np.empty(len(pairs))
    mixed = _mix(trigrams) >> np.uint64(18) << np.uint64(1)
    for begin in range(0, len(pairs), _CHUNK):
        part = pairs[begin : begin + _CHUNK]
        sizes = (ends - starts)[part].ravel()
        within = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        values = mixed[np.repeat(starts[part].ravel(), sizes) + within]
        side = np.repeat(np.tile(np.array([0, 1], np.uint64), len(part)), sizes)
        pair = np.repeat(np.repeat(np.arange(len(part), dtype=np.uint64), 2), sizes)
        values = np.sort((pair << np.uint64(47)) | values | side)
        values = values[np.append(True, values[1:] != values[:-1])]
        pair = (values >> np.uint64(47)).astype(np.int64)
        twice = (values[1:] ^ values[:-1]) == 1  # one trigram of one pair, in both texts
        shared = np.bincount(pair[1:][twice], minlength=len(part))
        out[begin : begin + _CHUNK] = shared / (np.bincount(pair, minlength=len(part)) - shared)
    return out
