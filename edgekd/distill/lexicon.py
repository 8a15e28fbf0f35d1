"""What words a teacher knows, and which it takes for alike, by its own token vectors."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from string import punctuation
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # torch is read where a teacher is asked, so that finished labels open without it
    from edgekd.distill.teacher import Teacher

_WORD = re.compile(r"[^\W\d_]{2,}")
_MARKS = "Ġ▁"  # how vocabularies without '##' mark the start of a word


@dataclass(frozen=True)
class Lexicon:
    """What a teacher knows of words.

    Attributes:
        near: For words of the rows, others that are near them, nearest first.
        words: Words that are tokens of the teacher's, each a text of its own; frequent ones first.
    """

    near: Mapping[str, Sequence[str]] = field(default_factory=dict)
    words: Sequence[str] = ()


def make_lexicon(teacher: Teacher, texts: Sequence[str]) -> Lexicon:
    """Ask a teacher about the words of some texts, and for as many words as there are texts."""
    asked = {word.strip(punctuation).lower() for text in texts for word in text.split()}
    return Lexicon(nearest_words(teacher, asked), tuple(known_words(teacher))[: len(texts)])


def known_words(teacher: Teacher) -> dict[str, int]:
    """Return the words that are one token of the teacher's, in lower case, with their ids, by these."""
    document = json.loads((teacher.path / "tokenizer.json").read_text(encoding="utf-8"))
    model = document["model"]
    vocabulary = model["vocab"]
    if isinstance(vocabulary, list):  # of a unigram model: pairs of token and score
        vocabulary = {token: number for number, (token, _) in enumerate(vocabulary)}
    is_marked = model["type"] != "WordPiece"
    found: dict[str, int] = {}
    for token, number in sorted(vocabulary.items(), key=lambda entry: entry[1]):
        if is_marked and token[:1] not in _MARKS:
            continue
        word = (token.lstrip(_MARKS) if is_marked else token).lower()
        if _WORD.fullmatch(word):
            found.setdefault(word, number)
    return found


def nearest_words(teacher: Teacher, words: Iterable[str], count: int = 12) -> dict[str, tuple[str, ...]]:
    """Return for each word that the teacher has a token for the `count` nearest others, nearest first.

    Near by the cosine of their token vectors, less the mean of all words'. So a word that no training row
    holds stands in a sentence, and the teacher says what it makes of it.
    """
    import torch
    from torch.nn import functional

    from edgekd.distill.teacher import load_teacher

    known = known_words(teacher)
    asked = sorted({word for word in words if word in known})
    if not asked:
        return {}
    names = list(known)
    place = {word: number for number, word in enumerate(names)}
    with torch.inference_mode():
        table = load_teacher(teacher).model.get_input_embeddings().weight
        vectors = table[torch.tensor(list(known.values()))].float()
        vectors = functional.normalize(vectors - vectors.mean(dim=0), dim=1)
        own = torch.tensor([place[word] for word in asked])
        found: dict[str, tuple[str, ...]] = {}
        for part in torch.tensor_split(own, max(1, len(own) // 1024)):
            likeness = vectors[part] @ vectors.T
            likeness[torch.arange(len(part)), part] = -2.0  # not the word itself
            nearest = likeness.topk(min(count, len(names) - 1)).indices.tolist()
            for word, near in zip(part.tolist(), nearest, strict=True):
                found[names[word]] = tuple(names[number] for number in near)
    return found
