"""What a BERT tokenizer does to each character, as a small text file that any language can read.

Cleaning, accents, lower case and the places of punctuation act on one character at a time, so the tokenizers
library is asked about every code point there is, once, and the answers are written as ranges. Whoever reads
the file needs no Unicode tables, of its Python, of ICU, of a phone: they differ between versions, and a text
that is cut otherwise than in training is answered otherwise. `serving/characters.py` says how it is read.
"""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from edgekd.serving.wordpiece import added_tokens, compile_wordpiece

_MARK = "\u2581"  # a symbol that normalizing and cutting leave as it is
_HANGUL = 0xAC00, 0xD7A3
# Planes without characters of their own, unassigned or for private use: their ends answer for the rest.
_BARE = [range(plane << 16, (plane << 16) + 0xFFFE) for plane in (*range(4, 14), 15, 16)]
_ENDS = [point for plane in _BARE for point in (plane[0], plane[-1], plane[-1] + 1, plane[-1] + 2)]
_POINTS = [*range(0xD800), *range(0xE000, 0x40000), *range(0xE0000, 0xF0000), *_ENDS]


def describe_characters(tokenizer: Mapping[str, Any]) -> str | None:
    """Return the file's text for a `tokenizer.json`, or None if the library is needed; takes a second."""
    if compile_wordpiece(tokenizer, sys.maxsize, lambda text: []) is None or added_tokens(tokenizer) is None:
        return None
    return _describe(json.dumps(tokenizer["normalizer"], sort_keys=True))


@functools.lru_cache(maxsize=4)
def _describe(normalizer: str) -> str:
    from tokenizers import Tokenizer, models, pre_tokenizers

    empty = json.loads(Tokenizer(models.WordPiece({}, unk_token="[UNK]")).to_str())
    empty["normalizer"] = json.loads(normalizer)
    normalize = Tokenizer.from_str(json.dumps(empty)).normalizer.normalize_str
    points = [point for point in _POINTS if point != ord(_MARK)]
    found = normalize(_MARK + _MARK.join(map(chr, points)) + _MARK).split(_MARK)[1:-1]
    becomes = dict(zip(points, found, strict=True))
    for plane in _BARE:
        if becomes[plane[0]] == chr(plane[0]) and becomes[plane[-1]] == chr(plane[-1]):
            continue  # stays as it is
        becomes |= dict.fromkeys(plane, becomes[plane[0]])
    becomes = dict(sorted(becomes.items()))
    alone = _find_alone(set("".join(found)) - {" "}, pre_tokenizers.BertPreTokenizer())
    for point, text in becomes.items():
        becomes[point] = "".join(f" {c} " if c in alone else c for c in text)
    return "".join(f"{line}\n" for line in _ranges(becomes))


def _find_alone(characters: set[str], cutter: Any) -> set[str]:
    """Return those that are words of their own: between two letters they come out as such."""
    once = cutter.pre_tokenize_str("".join(sorted(characters)))
    maybe = sorted({word for word, _ in once if len(word) == 1} - {"a"})
    words = cutter.pre_tokenize_str("a" + "a".join(maybe) + "a")
    return {word for word, _ in words if len(word) == 1} - {"a"}


def _ranges(becomes: Mapping[int, str]) -> Iterator[str]:
    """Join neighbours that are treated alike; those that stay as they are, are left out."""
    kind: str | None = None
    first = last = -2
    for point, text in [*becomes.items(), (-1, "")]:
        found = _kind(point, text) if point >= 0 else None
        if found != kind or point != last + 1 or (found or "").startswith("="):
            if kind is not None:
                yield f"{first:x} {last:x} {kind}"
            kind, first = found, point
        last = point


def _kind(point: int, text: str) -> str | None:
    inner = text.strip(" ")
    if text == chr(point):
        return None
    if _HANGUL[0] <= point <= _HANGUL[1] and text == _jamo(point):
        return "hangul"
    if not text or text == " ":
        return "drop" if not text else "space"
    if inner == chr(point) and text == f" {inner} ":
        return "alone"
    if len(text) == 1:
        return f"add {ord(text) - point}"
    return "= " + " ".join(f"{ord(c):x}" for c in text)


def _jamo(point: int) -> str:
    """Take a Hangul syllable apart (Unicode Standard, 3.12)."""
    place = point - _HANGUL[0]
    last = place % 28
    parts = 0x1100 + place // 588, 0x1161 + place % 588 // 28, 0x11A7 + last
    return "".join(map(chr, parts[: 3 if last else 2]))
