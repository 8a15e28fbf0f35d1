"""Cut a WordPiece vocabulary to the tokens that the traffic uses.

The cut comes before training, so that a student learns on the very tokens it is served with.
Every single character of the old vocabulary stays: a word whose piece is gone is spelled with
shorter pieces, and no text becomes unknown that was known.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from edgekd.serving.wordpiece import cuts_left

# Rows that BERT left free, and MPNet with it.
_RESERVED = re.compile(r"\[unused\d+\]")


def prune_vocabulary(
    tokenizer_json: str, texts: Sequence[str], size: int
) -> tuple[str, npt.NDArray[np.int64]]:
    """Keep special tokens, characters, then used tokens by count, then by old id, up to `size`.

    BERT's ids follow frequency, so the rest is filled with the most frequent of the language. Of truncation
    the file keeps the side, where that is the left.
    Tokenizers other than WordPiece are returned as they are.

    Returns:
        The new tokenizer.json, and for each new id its old id, shape [token].
    """
    document: dict[str, Any] = json.loads(tokenizer_json)
    cut = document["truncation"] if cuts_left(document) else None
    document["padding"] = document["truncation"] = None
    tokenizer = Tokenizer.from_str(_write(document))
    if document["model"]["type"] != "WordPiece" or tokenizer.get_vocab_size() <= size:
        return _write(document | {"truncation": cut}), np.arange(tokenizer.get_vocab_size(), dtype=np.int64)
    vocabulary: dict[str, int] = document["model"]["vocab"]
    counts: Counter[int] = Counter()
    for encoding in tokenizer.encode_batch_fast(list(texts), add_special_tokens=False):
        counts.update(encoding.ids)
    prefix = document["model"]["continuing_subword_prefix"]
    always = {token["id"] for token in document["added_tokens"]}
    always |= {i for token, i in vocabulary.items() if len(token.removeprefix(prefix)) == 1}
    reserved = {i for token, i in vocabulary.items() if _RESERVED.fullmatch(token)}
    by_use = sorted(vocabulary.values(), key=lambda i: (-counts[i], i in reserved, i))
    room = max(size - len(always), 0)
    kept = np.array(sorted(always | set([i for i in by_use if i not in always][:room])), dtype=np.int64)
    new_id = {int(old): new for new, old in enumerate(kept)}
    document["model"]["vocab"] = {t: new_id[i] for t, i in vocabulary.items() if i in new_id}
    for token in document["added_tokens"]:
        token["id"] = new_id[token["id"]]
    _renumber(document.get("post_processor"), new_id)
    return _write(document | {"truncation": cut}), kept


def without_specials(tokenizer_json: str) -> str:
    """Return a tokenizer.json that puts nothing around a text, as static students read."""
    document: dict[str, Any] = json.loads(tokenizer_json)
    document["post_processor"] = None
    return _write(document)


def _write(document: dict[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def _renumber(part: Any, new_id: dict[int, int]) -> None:
    if isinstance(part, list):
        for item in part:
            _renumber(item, new_id)
    elif isinstance(part, dict):
        for key, value in part.items():
            if key == "ids":
                part[key] = [new_id[i] for i in value]
            elif key in ("sep", "cls") and isinstance(value, list):
                part[key] = [value[0], new_id[value[1]]]
            else:
                _renumber(value, new_id)
