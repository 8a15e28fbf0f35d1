"""BERT's WordPiece in a few Python steps.

The tokenizers library spends about 20 microseconds on a short text, as much as a static student spends on all
the rest; on printable ASCII this spends 3. Other text takes the table of characters (`characters`) where the
artifact has one, and the library where not. The ids are the same: tests hold the two against each other, over
every code point.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .characters import Characters

Tokenize = Callable[[str], list[int]]

# BertPreTokenizer: every ASCII character that is no letter, digit or white space stands alone.
_WORD = re.compile(r"[a-z0-9]+|[^a-z0-9\s]")


def compile_wordpiece(
    tokenizer: Mapping[str, Any], max_tokens: int, fallback: Tokenize, characters: Path | None = None
) -> Tokenize | None:
    """Return a fast tokenize function for a `tokenizer.json`, or None if it is of another kind.

    `characters` is a table of characters; with it, `fallback` is asked about what is no Unicode text alone.
    """
    special = special_ids(tokenizer)
    marks = _shared_characters(tokenizer)
    normalizer = tokenizer.get("normalizer") or {}
    model = tokenizer.get("model") or {}
    if (
        special is None
        or marks is None
        or normalizer.get("type") != "BertNormalizer"
        or normalizer.get("lowercase") is not True
        or (tokenizer.get("pre_tokenizer") or {}).get("type") != "BertPreTokenizer"
        or model.get("type") != "WordPiece"
        or model.get("unk_token") not in model.get("vocab", {})
    ):
        return None
    first, last = special
    vocabulary: dict[str, int] = model["vocab"]
    prefix: str = model["continuing_subword_prefix"]
    longest: int = model["max_input_chars_per_word"]
    if type(longest) is not int or not isinstance(prefix, str):
        raise ValueError("max_input_chars_per_word or continuing_subword_prefix is of another type")
    unknown = vocabulary[model["unk_token"]]
    room = max_tokens - len(first) - len(last)
    from_left = cuts_left(tokenizer)
    plain_words = _WORD.findall
    look_up = vocabulary.get
    added = added_tokens(tokenizer) if characters else None
    table: Characters | None = None

    def split(word: str) -> list[int]:
        """Cut a word into the longest known pieces from the left; one unknown makes it unknown."""
        if len(word) > longest:
            return [unknown]
        pieces = []
        start = 0
        while start < len(word):
            head = prefix if start else ""
            for end in range(len(word), start, -1):
                piece = look_up(head + word[start:end])
                if piece is not None:
                    break
            else:
                return [unknown]
            pieces.append(piece)
            start = end
        return pieces

    def look_up_words(words: Sequence[str]) -> list[int]:
        ids: list[int] = []
        for word in words:
            piece = look_up(word)
            if piece is not None:
                ids.append(piece)
            else:
                ids += split(word)
        return ids

    def tokenize_any(text: str) -> list[int]:
        """Cut any text; added tokens in it stand for themselves, as in the library."""
        nonlocal table
        if added is None or not isinstance(text, str) or not is_unicode(text):
            return fallback(text)
        if table is None:
            assert characters is not None
            table = Characters(characters)
        ids: list[int] = []
        pattern, numbers = added
        for place, part in enumerate(pattern.split(text) if pattern else [text]):
            ids += [numbers[part]] if place % 2 else look_up_words(part.translate(table).split())
        return first + (ids[-room:] if from_left else ids[:room]) + last

    def tokenize(text: str) -> list[int]:
        try:  # a line break is white space to both, but not printable
            is_plain = text.isascii() and text.isprintable() and marks not in text
        except AttributeError:  # no text: the fallback says so
            is_plain = False
        if not is_plain:
            return tokenize_any(text)
        ids = first.copy()
        for word in plain_words(text.lower()):
            piece = look_up(word)
            if piece is not None:
                ids.append(piece)
            else:
                ids += split(word)
        if len(ids) > room + len(first):
            if from_left:
                del ids[len(first) : -room]
            else:
                del ids[room + len(first) :]
        return ids + last

    return tokenize if room > 0 else None


def cuts_left(tokenizer: Mapping[str, Any]) -> bool:
    """Say whether a `tokenizer.json` asks for the beginning of long texts to go, and not their end."""
    return (tokenizer.get("truncation") or {}).get("direction") == "Left"


def special_ids(tokenizer: Mapping[str, Any]) -> tuple[list[int], list[int]] | None:
    """Return the ids put before and after every text, or None if the template is another one."""
    post = tokenizer.get("post_processor")
    if post is None:
        return [], []
    if post.get("type") != "TemplateProcessing":
        return None
    before: list[int] = []
    after: list[int] = []
    side = before
    for part in post["single"]:
        if "Sequence" in part:
            side = after
        else:
            side += post["special_tokens"][part["SpecialToken"]["id"]]["ids"]
    return before, after


def _shared_characters(tokenizer: Mapping[str, Any]) -> str | None:
    """Return a character, no letter, that every added token holds; texts with it are handed on."""
    contents = [token["content"] for token in tokenizer.get("added_tokens") or []]
    if not contents:
        return "\0"
    shared = set.intersection(*map(set, contents))
    return min((mark for mark in shared if not mark.isalnum()), default=None)


def added_tokens(tokenizer: Mapping[str, Any]) -> tuple[re.Pattern[str] | None, dict[str, int]] | None:
    """Return what finds added tokens in a text, and their ids; None if some are found in another way."""
    tokens = tokenizer.get("added_tokens") or []
    if any(token.get(key) for token in tokens for key in ("single_word", "lstrip", "rstrip", "normalized")):
        return None
    numbers = {token["content"]: int(token["id"]) for token in tokens}
    longest_first = sorted(numbers, key=len, reverse=True)
    return re.compile(f"({'|'.join(map(re.escape, longest_first))})") if numbers else None, numbers


def is_unicode(text: str) -> bool:
    """Say whether a string is a text: whole characters, as UTF-8 can hold them."""
    try:
        text.encode()
    except UnicodeEncodeError:  # half a surrogate pair
        return False
    return True
