"""How a model from elsewhere reads a text: its own tokenizer, opened by the library that it is for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekd.errors import ConfigError

Encoded = Mapping[str, Sequence[int]]
"""What a tokenizer makes of a text, by the name of the model's input: `input_ids` is always there."""

# `transformers` writes 1e30 where a tokenizer has no limit of its own.
_NO_LIMIT = 10**9


@dataclass(frozen=True)
class SourceTokenizer:
    """The tokenizer of a model from elsewhere.

    Attributes:
        document: tokenizer.json, with the side on which long texts are cut.
        limit: the most ids of a text, as the tokenizer itself says; None where it says nothing.
        read: from a text and the most ids to what the model is given.
        read_pair: the same from two texts; of what is too long the longer one loses its end.
        tokens: the id of each token; two may share one.
    """

    document: str
    limit: int | None
    read: Callable[[str, int], Encoded]
    read_pair: Callable[[str, str, int], Encoded]
    tokens: Mapping[str, int]


def open_source_tokenizer(folder: Path, *, alone: bool) -> SourceTokenizer:
    """Open the tokenizer in a folder as `transformers` does, or `alone` its tokenizer.json and nothing else.

    Raises:
        ConfigError: it cannot be opened, or its limit is no number of tokens.
    """
    if alone:
        return _open_alone(folder / "tokenizer.json")
    from edgekd.distill.weights import load_tokenizer, quiet, write_tokenizer

    tokenizer = load_tokenizer(str(folder))
    document = write_tokenizer(tokenizer)

    def read(text: str, most: int) -> Encoded:
        return dict(tokenizer(text, truncation=True, max_length=most))

    def read_pair(first: str, second: str, most: int) -> Encoded:
        rows = tokenizer([first], [second], truncation=True, max_length=most)  # lists: one may be empty
        return {name: values[0] for name, values in rows.items()}

    with quiet():
        tokens = dict(tokenizer.get_vocab())
    limit = _check_limit(folder, tokenizer.model_max_length)
    return SourceTokenizer(document, limit, read, read_pair, tokens)


def _open_alone(path: Path) -> SourceTokenizer:
    from tokenizers import Tokenizer

    try:
        document = path.read_text(encoding="utf-8")
        tokenizer = Tokenizer.from_str(document)
    except Exception as error:  # noqa: BLE001  (the tokenizers library raises plain Exception)
        raise ConfigError(f"{path}: not a tokenizers file: {' '.join(str(error).split()):.200}") from None
    cut = tokenizer.truncation or {}
    tokenizer.no_padding()

    def read(text: str, most: int) -> Encoded:
        return encode(most, text)

    def read_pair(first: str, second: str, most: int) -> Encoded:
        return encode(most, first, second)

    def encode(most: int, *texts: str) -> Encoded:
        tokenizer.enable_truncation(most, direction=cut.get("direction", "right"))
        found = tokenizer.encode(*texts)
        return {
            "input_ids": found.ids,
            "token_type_ids": found.type_ids,
            "attention_mask": found.attention_mask,
        }

    limit = _check_limit(path, cut["max_length"]) if cut else None
    return SourceTokenizer(document, limit, read, read_pair, tokenizer.get_vocab(with_added_tokens=True))


def _check_limit(place: Path, limit: Any) -> int | None:
    if isinstance(limit, bool) or not isinstance(limit, int | float) or not limit >= 1:
        raise ConfigError(
            f"{place}: its tokenizer takes {limit!r:.40} tokens (model_max_length); expected 1 or more"
        )
    return int(limit) if limit < _NO_LIMIT else None
