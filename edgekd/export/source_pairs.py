"""Prove that a graph reads and scores pairs of a query and a candidate as its source does.

The source's tokenizer makes the pair, token types and all, and cuts what is too long off the longer of both.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgekd.errors import ConfigError, ParityError
from edgekd.export.graph import INPUT, OUTPUT, Graph
from edgekd.export.odd_texts import make_long_texts, make_odd_texts
from edgekd.export.one_input import TYPES
from edgekd.export.onnx_source import open_session
from edgekd.export.parity import FP32_TOLERANCE, prove_parity
from edgekd.export.source_parity import Run
from edgekd.export.source_tokenizer import Encoded, SourceTokenizer
from edgekd.serving import ServingError
from edgekd.serving.request import join_request, split_request

_READ, _SCORED = 5_000, 256
"""Pairs of the given requests whose ids are compared, and whose scores are."""
_CHARACTERS_PER_TOKEN = 12


def list_texts(requests: Sequence[str]) -> list[str]:
    """List the texts of requests: a query and its candidates, or the one text."""
    parts = map(split_request, requests)
    return [text for query, candidates in parts for text in (query, *candidates)]


def find_separator(place: str, tokenizer: SourceTokenizer, folder: Path) -> int | None:
    """Return the id after which tokens are of the second text's type; None where types are all alike.

    `folder` holds the tokenizer's file.

    Raises:
        ConfigError: it puts nothing between two texts, types them in another way, or cuts off beginnings.
    """
    from edgekd.serving.pairs import read_template
    from edgekd.serving.wordpiece import cuts_left

    if cuts_left(json.loads(tokenizer.document)):
        raise ConfigError(
            f"{place}: its tokenizer cuts off the beginning of what is too long (truncation_side: left); "
            "expected the end, which pairs lose here"
        )
    pair = tokenizer.read_pair("a", "a", 32)
    if not any(pair.get(TYPES, ())):
        return None
    _, between, _ = read_template(folder / "tokenizer.json")
    if not between or list(pair[TYPES]) != _type(pair[INPUT], between[0]):
        raise ConfigError(
            f"{place}: its tokenizer gives the pair 'a', 'a' the token types {list(pair[TYPES])}; expected 0 "
            "up to the first token between both, and 1 after it"
        )
    return between[0]


def prove_pairs(
    tokenizer: SourceTokenizer,
    run: Run,
    graph: Graph,
    requests: Sequence[str],
    tolerance: float = FP32_TOLERANCE,
) -> None:
    """Hold a graph's tokens and scores against the source's, for pairs of requests and odd and long ones.

    Raises:
        ParityError: naming the pair.
    """
    import onnx

    from edgekd.serving.heads import open_reader

    session = open_session(onnx.load(graph.path))
    try:
        read = open_reader(graph.tokenizer, graph.max_tokens, graph.head)
    except ServingError as error:
        raise ConfigError(f"{graph.student}: cannot read pairs: {error}") from None
    given = list(itertools.islice(_list_pairs(requests), _READ))
    special = _list_special(tokenizer)
    odd = _make_odd_pairs(special, graph.max_tokens, given)
    encoded: dict[tuple[int, ...], Encoded] = {}
    names: dict[tuple[int, ...], str] = {}
    for number, (query, candidate) in enumerate([*odd, *given]):
        theirs = tokenizer.read_pair(query, candidate, graph.max_tokens)
        ids = list(theirs[INPUT])
        (own,) = read(join_request(query, [candidate]))
        if own != ids:
            raise ParityError(
                f"{graph.student}: cut into other tokens than by its own tokenizer, {own[:8]} and not "
                f"{ids[:8]}: {query!r:.40} with {candidate!r:.40}"
            )
        if number < len(odd) + _SCORED and not _holds(query, special):
            encoded[tuple(ids)] = theirs
            names[tuple(ids)] = f"{query[:40]} with {candidate[:40]}"

    def ask(ids: Sequence[int]) -> npt.NDArray[np.float32]:
        return run(encoded[tuple(ids)])

    def answer(ids: Sequence[int]) -> npt.NDArray[np.float32]:
        return np.asarray(session.run([OUTPUT], {INPUT: np.array([ids], np.int64)})[0][0])

    try:
        prove_parity(ask, answer, list(encoded), list(names.values()), tolerance=tolerance)
    except ParityError as error:
        raise ParityError(f"{graph.student}: {error}") from None


def _list_pairs(requests: Sequence[str]) -> Iterator[tuple[str, str]]:
    """List pairs: the first candidate of each request, then the second of each."""
    split = [split_request(request) for request in requests]
    for place in range(max((len(candidates) for _, candidates in split), default=0)):
        yield from ((query, candidates[place]) for query, candidates in split if place < len(candidates))


def _list_special(tokenizer: SourceTokenizer) -> list[str]:
    added = json.loads(tokenizer.document).get("added_tokens") or []
    return [str(token["content"]) for token in added if token["content"].strip()]


def _holds(query: str, special: Sequence[str]) -> bool:
    """Tell whether a query spells out a special token: to a graph of ids it ends at the first separator."""
    return any(token in query for token in special)


def _make_odd_pairs(
    special: Sequence[str], most: int, given: Sequence[tuple[str, str]]
) -> list[tuple[str, str]]:
    """Make pairs of odd texts, and such as are too long on one side or on both."""
    texts = [text for pair in given[:20] for text in pair if not _holds(text, special)]
    short = next((text for text in texts if text.strip()), "a")
    plain, spelled = make_odd_texts(texts, []), make_odd_texts(texts, special)
    pairs = [(text, short) for text in plain] + [(short, text) for text in spelled]
    long = make_long_texts(texts, _CHARACTERS_PER_TOKEN * most)
    if long:
        whole, backwards = long
        half = whole[: len(whole) // 4]
        pairs += [(short, whole), (whole, short), (whole, backwards), (half, backwards), (backwards, half)]
    return pairs


def _type(ids: Sequence[int], separator: int) -> list[int]:
    first = list(ids).index(separator) if separator in ids else len(ids)
    return [int(place > first) for place in range(len(ids))]
