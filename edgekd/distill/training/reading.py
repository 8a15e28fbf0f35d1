"""How a model reads its examples: one text each, or a query and a candidate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from tokenizers import Tokenizer

from edgekd.distill.training.tokens import Tokens, join_ids, open_tokenizer, tokenize
from edgekd.errors import ConfigError
from edgekd.serving.request import split_request

Read = Callable[[Sequence[str]], Tokens]
"""Turns examples into ids."""


class PairForm(NamedTuple):
    """The ids that a tokenizer puts before, between and after two texts."""

    before: tuple[int, ...]
    between: tuple[int, ...]
    after: tuple[int, ...]

    @property
    def separator(self) -> int:
        """The id that ends the first text."""
        return self.between[0]


class Separation(NamedTuple):
    """Where a query ends and its candidate begins.

    Attributes:
        separator: The id between them.
        apart: Whether each is read on its own, the separator before the candidate, as two towers read.
    """

    separator: int
    apart: bool = False


def find_form(tokenizer: Tokenizer, name: str) -> PairForm:
    """Ask a tokenizer for its form of a pair; `name` is said where it has none.

    Raises:
        ConfigError: if it puts nothing between two texts.
    """
    encoding = tokenizer.encode("a", "a")
    ids, sides = encoding.ids, encoding.sequence_ids
    first, second = ([place for place, side in enumerate(sides) if side == one] for one in (0, 1))
    if not first or not second or second[0] == first[-1] + 1:
        raise ConfigError(
            f"{name}: its tokenizer puts nothing between two texts, so that it cannot read pairs"
        )
    return PairForm(
        tuple(ids[: first[0]]), tuple(ids[first[-1] + 1 : second[0]]), tuple(ids[second[-1] + 1 :])
    )


def open_reader(path: Path, max_tokens: int, separation: Separation | None = None) -> Read:
    """Open a tokenizer.json to read examples by; with a separation they are pairs.

    A pair has at most `max_tokens` ids. Its query keeps half of them, without what the tokenizer adds, and
    the candidate gets what is left; where they are read apart the other half, however short the query is.
    """
    tokenizer = open_tokenizer(path, max_tokens)
    if separation is None:
        return lambda texts: tokenize(tokenizer, texts)
    tokenizer.enable_truncation(max_tokens)  # a part of a pair loses its end, whatever the file says of texts
    apart = separation.apart
    form = PairForm((), (separation.separator,), ()) if apart else find_form(tokenizer, str(path))
    half, room = max_tokens // 2, max_tokens - sum(map(len, form))

    def read(examples: Sequence[str]) -> Tokens:
        pairs = [split_request(example) for example in examples]
        texts = list({text for query, candidates in pairs for text in (query, *candidates)})
        encoded = tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        ids = {text: encoding.ids for text, encoding in zip(texts, encoded, strict=True)}
        rows = []
        for query, (candidate,) in pairs:
            asked = ids[query][:half] or ([0] if apart else [])
            given = ids[candidate][: room - (half if apart else len(asked))]
            rows.append([*form.before, *asked, *form.between, *given, *form.after])
        return join_ids(rows)

    return read
