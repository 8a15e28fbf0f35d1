"""Prove that a graph answers texts as its source does, from the text on; and find how long texts may be."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from edgekd.errors import ConfigError, ParityError
from edgekd.export.graph import INPUT, OUTPUT, Graph
from edgekd.export.odd_texts import make_long_texts, make_odd_texts
from edgekd.export.one_input import TYPES
from edgekd.export.onnx_source import open_session
from edgekd.export.parity import FP32_TOLERANCE, prove_parity
from edgekd.export.source_tokenizer import Encoded, SourceTokenizer

Run = Callable[[Encoded], npt.NDArray[np.float32]]
"""The source as it was: outputs [output] for one text. A mask it is not given is ones, all else zeros."""

# A word has some six characters, and no token of a text more than a few words.
_CHARACTERS_PER_TOKEN = 12
_SHOWN = 3
_ROOM = 64
"""More tokens than any tokenizer puts around a text: the library does not cut shorter than those."""


def check_rows(name: str, tokenizer: SourceTokenizer, run: Run) -> None:
    """Make sure that the model has a row for each of its tokenizer's ids, by asking it.

    Raises:
        ConfigError: naming tokens that it has none for; or it cannot be run at all.
    """
    ordered = sorted(tokenizer.tokens.items(), key=lambda one: one[1])
    _require(name, run, [ordered[0][1] if ordered else 0])
    lacking = []
    for token, number in reversed(ordered):
        if _try(run, [number]) is None:
            break
        lacking.append(f"{token!r:.40} ({number})")
    if lacking:
        more = f" and {len(lacking) - _SHOWN} more" if len(lacking) > _SHOWN else ""
        raise ConfigError(
            f"{name}: its tokenizer has tokens that the model has no row for: {', '.join(lacking[:_SHOWN])}"
            f"{more}; take them out of tokenizer.json, or resize the model's embeddings and train them"
        )


def find_most_tokens(
    name: str, tokenizer: SourceTokenizer, run: Run, texts: Sequence[str], limit: int
) -> int:
    """Find the most tokens, up to `limit`, that a model answers: each family counts places in its own way.

    It is asked about rows of tokens of the texts, for some families count padding otherwise.

    Raises:
        ConfigError: it answers none, or fewer than the tokenizer puts around a text.
    """
    row = _fill(tokenizer, texts, limit)
    good, bad = 0, limit + 1
    middle = limit
    while bad - good > 1:
        good, bad = (middle, bad) if _try(run, row[:middle]) is None else (good, middle)
        middle = (good + bad) // 2
    if not good:
        _require(name, run, row[:1])
    around = len(tokenizer.read("", _ROOM)[INPUT])
    if good <= around:
        raise ConfigError(
            f"{name}: takes {good} tokens, and its tokenizer puts {around} around every text; expected more"
        )
    return good


def answers_more(run: Run, tokenizer: SourceTokenizer, texts: Sequence[str], places: int) -> bool:
    """Tell whether a model answers more tokens than it is said to have places: then these are no table."""
    return _try(run, _fill(tokenizer, texts, places + 1)) is None


def prove_source(
    tokenizer: SourceTokenizer,
    run: Run,
    graph: Graph,
    texts: Sequence[str],
    tolerance: float = FP32_TOLERANCE,
) -> None:
    """Hold a graph's tokens and outputs against the source's, for texts that are given and odd and long ones.

    Raises:
        ParityError: naming the text.
    """
    import onnx

    from edgekd.serving.tokenize import open_tokenizer

    session = open_session(onnx.load(graph.path))
    tokenize = open_tokenizer(graph.tokenizer, graph.max_tokens)
    encoded: dict[tuple[int, ...], Encoded] = {}
    rows, names = [], []
    for text in _choose_texts(tokenizer, graph.max_tokens, texts):
        theirs = tokenizer.read(text, graph.max_tokens)
        ids = list(theirs[INPUT])
        if tokenize(text) != ids:
            raise ParityError(
                f"{graph.student}: cut into other tokens than by its own tokenizer, {tokenize(text)[:8]} "
                f"and not {ids[:8]}: {text!r:.80}"
            )
        if ids:
            encoded[tuple(ids)] = theirs
            rows.append(ids)
            names.append(text)

    if rows and not any(any(one.get(TYPES, ())) for one in encoded.values()):
        rows += [rows[0][:1], rows[0][:2]]  # lengths for which exporters write a constant
        names += ["a part of a text"] * 2

    def ask(ids: Sequence[int]) -> npt.NDArray[np.float32]:
        return run(encoded.get(tuple(ids), {INPUT: ids}))

    def answer(ids: Sequence[int]) -> npt.NDArray[np.float32]:
        return np.asarray(session.run([OUTPUT], {INPUT: np.array([ids], np.int64)})[0][0])

    try:
        prove_parity(ask, answer, rows, names, tolerance=tolerance)
    except ParityError as error:
        raise ParityError(f"{graph.student}: {error}") from None


def _choose_texts(tokenizer: SourceTokenizer, most: int, texts: Sequence[str]) -> list[str]:
    """List the texts that are given, odd ones, and such as fill the model and more."""
    added = json.loads(tokenizer.document).get("added_tokens") or []
    special = [str(token["content"]) for token in added if token["content"].strip()]
    characters = _CHARACTERS_PER_TOKEN * most
    long = make_long_texts(texts, characters)
    return [text for text in (*texts, *make_odd_texts(texts, special), *long) if _is_whole(text)]


def _is_whole(text: str) -> bool:
    from edgekd.serving.wordpiece import is_unicode

    return is_unicode(text)


def _fill(tokenizer: SourceTokenizer, texts: Sequence[str], count: int) -> list[int]:
    """Return a row of so many tokens, those of the texts over and over, without what stands around each."""
    around = set(tokenizer.read("", _ROOM)[INPUT])
    read = [token for text in texts[:100] for token in tokenizer.read(text, count + _ROOM)[INPUT]]
    words = [token for token in read if token not in around] or read or [0]
    return (words * (1 + count // len(words)))[:count]


def _require(name: str, run: Run, ids: Sequence[int]) -> None:
    reason = _try(run, ids)
    if reason is not None:
        raise ConfigError(f"{name}: cannot be run, not even on one token: {reason}")


def _try(run: Run, ids: Sequence[int]) -> str | None:
    """Run a row of ids; return why that does not go, None where it does."""
    try:
        return None if np.isfinite(run({INPUT: ids})).all() else "its outputs are not finite"
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001  (torch's and onnxruntime's own kinds)
        return f"{' '.join(str(error).split()) or type(error).__name__:.200}"
