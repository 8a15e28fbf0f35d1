"""Noise that real traffic has, as augmentation: dropped words, swaps, typos, crossings, other words."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from string import punctuation

from edgekd.data.recombine import Recombination

_NEIGHBOURS = {
    "a": "qsz", "b": "vgn", "c": "xdv", "d": "sfe", "e": "wrd", "f": "dgr", "g": "fht", "h": "gjy",
    "i": "uok", "j": "hkn", "k": "jli", "l": "ko", "m": "n", "n": "bm", "o": "ipl", "p": "o",
    "q": "wa", "r": "etf", "s": "adw", "t": "ryg", "u": "yij", "v": "cb", "w": "qes", "x": "zc",
    "y": "tuh", "z": "xa",
}  # fmt: skip


def augment(
    texts: Sequence[str], copies: int, seed: int, near: Mapping[str, Sequence[str]] | None = None
) -> list[str]:
    """Make `copies` noisy copies of each text, in order; none keeps its text's label.

    Of three copies the first gets one or two of: a word dropped, two words swapped, a typo, or (a
    crossing) the second half from another text. The second is a recombination. In the third some words
    give way to others that are `near` them, so that it may hold words that no row has. The teacher labels
    the result, so one that changes the meaning teaches the boundary between classes (TinyBERT,
    arXiv:1909.10351, augments likewise). The same arguments give the same copies on any machine.
    """
    made = []
    sentences = Recombination(texts if copies > 1 else ())
    for i, text in enumerate(texts):
        for k in range(copies):
            rng = random.Random(f"{seed}:{i}:{k}")
            words = text.split()
            other = words
            own = random.Random(f"{seed}:{i}:{k}:words")
            if k % 3 == 1:
                other = sentences.recombine(words, own)
            elif k % 3 == 2 and near:
                other = reword(words, near, own)
            if other != words:
                made.append(" ".join(other))
                continue
            for _ in range(rng.choice((1, 1, 2))):
                words = rng.choice((_drop, _drop, _swap, _mistype, _cross))(words, rng, texts)
            made.append(" ".join(words))
    return made


def _drop(words: list[str], rng: random.Random, texts: Sequence[str]) -> list[str]:
    kept = [word for word in words if rng.random() > 0.15]
    return kept or [rng.choice(words)]


def _swap(words: list[str], rng: random.Random, texts: Sequence[str]) -> list[str]:
    if len(words) < 2:
        return words
    i = rng.randrange(len(words) - 1)
    return [*words[:i], words[i + 1], words[i], *words[i + 2 :]]


def _mistype(words: list[str], rng: random.Random, texts: Sequence[str]) -> list[str]:
    i = rng.randrange(len(words))
    return [*words[:i], mistype(words[i], rng), *words[i + 1 :]]


def _cross(words: list[str], rng: random.Random, texts: Sequence[str]) -> list[str]:
    other = rng.choice(texts).split()
    return [*words[: max(1, len(words) // 2)], *other[len(other) // 2 :]]


def reword(words: list[str], near: Mapping[str, Sequence[str]], rng: random.Random) -> list[str]:
    """Put near words in the place of about a quarter of those that have any, of one at least."""
    cores = [word.strip(punctuation) for word in words]
    places = [place for place, core in enumerate(cores) if core.lower() in near]
    if not places:
        return words
    chosen = [place for place in places if rng.random() < 0.25] or [rng.choice(places)]
    changed = list(words)
    for place in chosen:
        core = cores[place]
        changed[place] = words[place].replace(core, rng.choice(near[core.lower()]), 1)
    return changed


def mistype(word: str, rng: random.Random) -> str:
    """Make one typing error: a letter missing, doubled, swapped with the next, or its neighbour's."""
    if len(word) < 3:
        return word
    i = rng.randrange(len(word) - 1)
    near = _NEIGHBOURS.get(word[i].lower(), word[i])
    errors = ("", word[i] * 2, word[i + 1] + word[i], rng.choice(near))
    kind = rng.randrange(4)
    return word[:i] + errors[kind] + word[i + (2 if kind == 2 else 1) :]
