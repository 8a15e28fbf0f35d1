"""Texts that shapes are timed with: of all lengths, so that a time can be told for any text."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from edgekd.serving.request import join_request, split_request

COUNT = 40
_LONGEST = 90  # words: about 128 tokens
_CANDIDATES = (1, 2, 4, 8, 16)


def spread_lengths(requests: Sequence[str], count: int = COUNT) -> list[str]:
    """Return texts of 1 to 90 words, as many short ones as long ones on a scale of ratios.

    They are made of the words of requests, one after the other. Of requests with candidates the texts have
    1 to 16 of them in turn, with queries and candidates as they are.
    """
    split = [split_request(request) for request in requests]
    if any(candidates for _, candidates in split):
        made = []
        for place in range(count):
            query, candidates = split[place % len(split)]
            wanted = _CANDIDATES[place % len(_CANDIDATES)]
            pool = itertools.cycle(candidates or [query])
            made.append(join_request(query, list(itertools.islice(pool, wanted))))
        return made
    words = itertools.cycle(itertools.chain.from_iterable(text.split() for text in requests))
    wanted_words = np.geomspace(1, _LONGEST, count).round().astype(int)
    return [" ".join(itertools.islice(words, int(number))) for number in wanted_words]
