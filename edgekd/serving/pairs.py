"""From a query and its candidates to token ids, as models of pairs and towers were trained.

A model of pairs reads `[CLS] query [SEP] candidate [SEP]`, or whatever the tokenizer's own template for pairs
puts around both. A query gets at most half of `max_tokens`, special tokens not counted; a candidate gets what
is left. A model from elsewhere may cut as the tokenizers library does, `longest`: what is too long is cut off
the longer of both. The query is cut into tokens once for all candidates.

Of two towers one reads the query and the other `[SEP] candidate`, with no further special tokens. What a
candidate becomes must not depend on the query, so each side gets half of `max_tokens`.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .errors import ServingError
from .tokenize import open_tokenizer

Read = Callable[[str, Sequence[str]], list[list[int]]]
Template = tuple[list[int], list[int], list[int]]
"""The ids before the query, between both and after the candidate."""
LONGEST = "longest"
_WHOLE = 1 << 30


def open_pairs(path: Path, max_tokens: int, cut_off: str = "") -> Read:
    """Return a function from a query and candidates to the ids of each pair, for the tokenizer at `path`.

    `cut_off` says what a pair that is too long loses; empty: the query keeps half.

    Raises:
        ServingError: it is no tokenizer's file, or `max_tokens` leaves a candidate no room; or there is no
            such way to cut.
    """
    if cut_off not in ("", LONGEST):
        raise ServingError(
            f"{path.with_name('manifest.json')}: cut: expected '{LONGEST}', got {cut_off!r:.40}"
        )
    before, between, after = read_template(path)
    special = len(before) + len(between) + len(after)
    half = max_tokens // 2
    if max_tokens - half < special + 1:
        raise ServingError(
            f"{path}: max_tokens is {max_tokens}; a pair needs at least {2 * special + 1}, for {special} of "
            "them are special"
        )
    # The library looks at the whole length of both to say which is the longer one.
    cut = open_tokenizer(path, _WHOLE if cut_off else max_tokens, bare=True)

    def read(query: str, candidates: Sequence[str]) -> list[list[int]]:
        start = before + cut(query)[:half] + between
        room = max_tokens - len(start) - len(after)
        return [start + cut(candidate)[:room] + after for candidate in candidates]

    def read_as_library(query: str, candidates: Sequence[str]) -> list[list[int]]:
        asked, rows = cut(query), []
        for candidate in candidates:
            given = cut(candidate)
            first, second = share_room(len(asked), len(given), max_tokens - special)
            rows.append(before + asked[:first] + between + given[:second] + after)
        return rows

    return read_as_library if cut_off == LONGEST else read


def share_room(first: int, second: int, room: int) -> tuple[int, int]:
    """Return how many tokens two texts keep of those they have, as the library's `longest_first` does.

    The shorter one keeps all, unless that is more than half of the room for both.

    >>> share_room(3, 90, 20), share_room(90, 3, 20), share_room(80, 90, 21), share_room(90, 80, 21)
    ((3, 17), (17, 3), (10, 11), (11, 10))
    """
    if first + second <= room:
        return first, second
    shorter = min(first, second, room // 2)
    return (room - shorter, shorter) if first > second else (shorter, room - shorter)


def open_towers(path: Path, max_tokens: int, separator: int) -> Read:
    """Return a function from a query and candidates to the ids of the query, then of each candidate.

    Raises:
        ServingError: as of `open_pairs`.
    """
    half = max_tokens // 2
    if half < 1:
        raise ServingError(f"{path}: max_tokens is {max_tokens}; a query and a candidate need at least 2")
    cut = open_tokenizer(path, max_tokens, bare=True)

    def read(query: str, candidates: Sequence[str]) -> list[list[int]]:
        room = max_tokens - half - 1
        return [cut(query)[:half] or [0], *([separator, *cut(candidate)[:room]] for candidate in candidates)]

    return read


def read_template(path: Path) -> Template:
    """Return the special tokens that a `tokenizer.json` puts around a pair.

    A template that is written out is read; any other is found by asking the tokenizers library.

    Raises:
        ServingError: it is no tokenizer's file.
    """
    try:
        document = json.loads(path.read_bytes())
        post = document.get("post_processor")
        if post is None:
            return [], [], []
        if post.get("type") == "TemplateProcessing":
            return _read_written(post)
    except Exception as error:  # noqa: BLE001  (whatever a file holds that is no tokenizer's)
        raise ServingError(f"{path}: not a tokenizers file: {error}") from None
    return _ask_library(path)


def _read_written(post: Mapping[str, Any]) -> Template:
    parts: Template = ([], [], [])
    place = 0
    for part in post["pair"]:
        if "Sequence" in part:
            if part["Sequence"]["id"] != "AB"[place]:
                raise ValueError("its template for pairs has the candidate before the query")
            place += 1
        else:
            parts[place].extend(post["special_tokens"][part["SpecialToken"]["id"]]["ids"])
    return parts


def _ask_library(path: Path) -> Template:
    try:
        tokenizer = importlib.import_module("tokenizers").Tokenizer.from_file(str(path))
    except ModuleNotFoundError:
        raise ServingError(
            f"{path}: tokenizers is not installed; it is needed to run this artifact"
        ) from None
    except Exception as error:  # noqa: BLE001  (tokenizers raises plain Exception)
        raise ServingError(f"{path}: not a tokenizers file: {error}") from None
    tokenizer.no_truncation()
    query, candidate = (tokenizer.encode(letter, add_special_tokens=False) for letter in "ab")
    pair = tokenizer.post_process(query, candidate)
    ids, sides = list(pair.ids), list(pair.sequence_ids)
    if 0 not in sides or 1 not in sides[sides.index(0) :]:
        raise ServingError(f"{path}: its tokenizer does not make a pair of 'a' and 'b', the query first")
    last, second = len(sides) - 1 - sides[::-1].index(0), sides.index(1)
    end = len(sides) - sides[::-1].index(1)
    return ids[: sides.index(0)], ids[last + 1 : second], ids[end:]
