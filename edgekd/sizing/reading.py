"""How students would read a project's texts: their tokens, and the size of the tokenizer that makes them."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edgekd.compile.characters import describe_characters
from edgekd.config import StudentModel
from edgekd.distill.training.reading import find_form
from edgekd.distill.vocabulary import prune_vocabulary, without_specials
from edgekd.serving.heads import Head, open_reader
from edgekd.serving.request import split_request
from edgekd.sizing.measured import count_runs
from edgekd.store import parse_json


@dataclass(frozen=True)
class Read:
    """A student's view of the texts.

    Attributes:
        rows: Tokens that its tokenizer keeps.
        tokenizer_bytes: What its tokenizer's files take.
        runs: For each text the tokens of each run of the model that answers it.
        candidates: How many candidates each text has; 0 of a text alone.
        outputs: Numbers that a run gives.
    """

    rows: int
    tokenizer_bytes: int
    runs: tuple[tuple[int, ...], ...]
    candidates: tuple[int, ...]
    outputs: int


@dataclass(frozen=True)
class Lengths:
    """Texts as students of a teacher read them.

    Attributes:
        tokenizer: The teacher's tokenizer.json.
        texts: What is answered; requests where they have candidates.
        used: Texts that say which tokens are kept; those of the requests where empty.
        outputs: Labels; 1 where the answer is a number or an order.
    """

    tokenizer: str
    texts: tuple[str, ...]
    used: tuple[str, ...] = ()
    outputs: int = 1
    _known: dict[tuple[object, ...], Read] = field(default_factory=dict, repr=False, compare=False)

    @property
    def is_paired(self) -> bool:
        """Whether a text is a query with candidates."""
        return bool(self.texts) and bool(split_request(self.texts[0])[1])

    def of(self, model: StudentModel) -> Read:
        """Return how a student reads them."""
        kind = "static" if model.kind == "static" else "transformer"
        width = model.dimension if model.kind == "static" else 0
        key = (
            kind,
            model.vocabulary,
            model.max_tokens if self.is_paired else 0,
            width if self.is_paired else 0,
        )
        if key not in self._known:
            self._known[key] = self._read(model, kind, width)
        return self._known[key]

    def with_texts(self, texts: Sequence[str]) -> Lengths:
        """Return the same readers' view of other texts; the same tokens are kept."""
        return Lengths(self.tokenizer, tuple(texts), self._used(), self.outputs)

    def _used(self) -> tuple[str, ...]:
        return self.used or tuple(part for text in self.texts for part in _parts(text))

    def _read(self, model: StudentModel, kind: str, width: int) -> Read:
        from tokenizers import Tokenizer

        pruned, kept = prune_vocabulary(self.tokenizer, self._used(), model.vocabulary)
        written = without_specials(pruned) if kind == "static" else pruned
        head, most = Head("score"), 1 << 20
        if self.is_paired:
            separator = find_form(Tokenizer.from_str(pruned), "the teacher").separator
            towers = (width, separator) if kind == "static" else ()
            head, most = Head("rank", (), *towers), model.max_tokens
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "tokenizer.json"
            path.write_text(written, encoding="utf-8")
            read = open_reader(path, most, head)
            runs = tuple(count_runs(read(text), head) for text in self.texts)
        characters = describe_characters(parse_json(written)) or ""
        size = len(written.encode()) + len(characters.encode())
        candidates = tuple(len(split_request(text)[1]) for text in self.texts)
        return Read(len(kept), size, runs, candidates, width if head.towers else self.outputs)


def _parts(text: str) -> list[str]:
    query, candidates = split_request(text)
    return [query, *candidates]
