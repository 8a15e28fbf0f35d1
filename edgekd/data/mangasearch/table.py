"""Generate the table of searches, each with its candidates and their grades."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from edgekd.data.mangaassist.catalogue import FRESH_DAYS
from edgekd.data.mangaassist.dice import Dice
from edgekd.data.mangasearch.compose import Composer, Query
from edgekd.data.mangasearch.engine import Engine, list_words
from edgekd.data.mangasearch.plan import Search, Sizes, Split, draw_searches, plan_splits
from edgekd.data.mangasearch.shelf import Shelf, load_shelf
from edgekd.data.mangasearch.wish import Grader, Wish
from edgekd.data.normalise import normalise

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("text", pa.string()),
        ("candidates", pa.list_(pa.string())),
        ("grades", pa.list_(pa.float32())),
        ("kind", pa.string()),
        ("language", pa.string()),
        ("device", pa.string()),
        ("date", pa.string()),
        ("noisy", pa.bool_()),
        ("fresh", pa.bool_()),
        ("new_title", pa.bool_()),
        ("new_wording", pa.bool_()),
        ("seen", pa.bool_()),
        ("split", pa.string()),
    ]
)

_ORDER = ("train", "unlabelled", "calibration", "validation", "test")
_TRAINED_UNTIL = date(2025, 5, 31)

_POOL = 4  # times as many books as there are candidates take part in the engine's draw
_WORD_KNOWN = 0.75  # how often the engine also looks up the shop's own name of a title, genre or format
_SWAY = 0.9  # a score counts for 1 - 0.9/2 to 1 + 0.9/2 times itself: other signals of the engine
_SHARE_OF_ONE = 0.5  # at most this share of the candidates is of one title
_LEAST_BEST = 2  # answers that would be missing are put in the lower half, as many as this
_LEAST_WRONG = 0.2  # at least this share of the candidates has grade 0 or 1


def generate(*, seed: int = 0, **sizes: int) -> pa.Table:
    """Generate searches in a manga shop, each with the books that the shop's engine found, and their grades.

    The same arguments give the same table on any machine. No two searches have the same text. The splits
    follow each other in time; the test rows depend on `seed`, `test` and `candidates` alone. Every search
    has a book of grade 2 or 3 among its candidates, which stand in the engine's order. Grades go by the
    rules of `edgekd.data.mangasearch.wish.Grader`.

    Column `kind` says what is searched by ("title", "volume number", "format", "author", "genre", "price
    limit", "age limit"). `fresh` is true where the wanted title came out within 60 days, `new_title` where no
    training row knows it, neither in a query nor among candidates, `new_wording` where no training row is
    worded so; `seen` is true where neither is new. `noisy` marks typing errors.

    Args:
        seed: another seed gives other searches over the same shelf.
        sizes: how many, by the names in `edgekd.data.mangasearch.plan.Sizes`.

    Returns:
        A table with the columns of `SCHEMA`, by split and then by date. Rows of the unlabelled split have no
        grades.

    >>> generate(train=20, calibration=10, validation=10, test=10, candidates=12).num_rows
    50
    """
    rows = [row for row, _ in write_searches(seed, sizes)]
    rows.sort(key=lambda row: (_ORDER.index(row["split"]), row["date"]))
    for number, row in enumerate(rows):
        row["id"] = f"ms-{number:06d}"
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def write_searches(seed: int, sizes: Mapping[str, int]) -> list[tuple[dict[str, Any], Wish]]:
    """Write the rows of every split, in no order, each with what it asks for; see `generate`."""
    asked = Sizes(**sizes)
    shop = _Shop(load_shelf(), asked.candidates)
    taken: set[str] = set()
    return [
        entry
        for split in plan_splits(asked)
        for entry in shop.write(split, Dice(f"mangasearch/{seed}/{split.name}"), taken)
    ]


class _Shop:
    """The shelf with its engine and grader; writes the rows of a split."""

    def __init__(self, shelf: Shelf, candidates: int) -> None:
        self._shelf = shelf
        self._count = candidates
        self._engine = Engine([book.text for book in shelf.books])
        self._grader = Grader(shelf)
        self._story = np.array([book.story for book in shelf.books])

    def write(self, split: Split, dice: Dice, taken: set[str]) -> list[tuple[dict[str, Any], Wish]]:
        """Write one split's rows; `taken` holds every query so far, normalised, and grows."""
        composer = Composer(self._shelf, dice)
        return [
            self._write_row(split, search, composer, dice, taken) for search in draw_searches(split, dice)
        ]

    def _write_row(
        self, split: Split, search: Search, composer: Composer, dice: Dice, taken: set[str]
    ) -> tuple[dict[str, Any], Wish]:
        stories = self._shelf.stories
        known = [
            n
            for n, s in enumerate(stories)
            if s.released <= search.day and not (split.is_known and s.held_back)
        ]
        on_sale = np.isin(self._story, known)
        while True:
            query = composer.compose(search, known)
            grades = self._grader.grade(query.wish)
            form = normalise(query.text)
            if form not in taken and (grades[on_sale] >= 2).any():
                break
        taken.add(form)
        books = self._find(query, grades, on_sale, dice)
        wanted = None if query.wish.story is None else stories[query.wish.story]
        new_title = wanted is not None and (wanted.held_back or wanted.released > _TRAINED_UNTIL)
        row = {
            "text": query.text,
            "candidates": [self._shelf.books[n].text for n in books],
            "grades": None if split.name == "unlabelled" else [float(grades[n]) for n in books],
            "kind": search.kind,
            "language": search.language,
            "device": search.device,
            "date": search.day.isoformat(),
            "noisy": query.noisy,
            "fresh": wanted is not None and (search.day - wanted.released).days <= FRESH_DAYS,
            "new_title": new_title,
            "new_wording": query.new_wording,
            "seen": not new_title and not query.new_wording,
            "split": split.name,
        }
        return row, query.wish

    def _find(
        self, query: Query, grades: npt.NDArray[np.int64], on_sale: npt.NDArray[np.bool_], dice: Dice
    ) -> list[int]:
        """Find the candidates in the engine's order, as places on the shelf."""
        looked_up = [name for name in query.words if dice.chance(_WORD_KNOWN)]
        words = list(dict.fromkeys(list_words(" ".join((query.text, *looked_up)))))
        scores = np.where(on_sale, self._engine.score(words), 0.0)
        ranked = np.argsort(-scores, kind="stable")[: _POOL * self._count]
        pool = [int(n) for n in ranked if scores[n] > 0]
        drawn = {n: -scores[n] * (1 - _SWAY / 2 + _SWAY * dice.below(1000) / 1000) for n in pool}
        books = self._limit(sorted(pool, key=lambda n: (drawn[n], n)))
        sale: list[int] = np.flatnonzero(on_sale).tolist()
        while len(books) < self._count:
            if (other := dice.pick(sale)) not in books:
                books.append(other)
        best = np.flatnonzero(on_sale & (grades == grades[on_sale].max()))
        if not any(grades[n] == grades[best[0]] for n in books):
            for number in dice.shuffle([int(n) for n in best])[:_LEAST_BEST]:
                books[dice.between(self._count // 2, self._count - 1)] = number
        self._spoil(books, grades, np.flatnonzero(on_sale & (grades < 2)).tolist(), dice)
        return books

    def _spoil(self, books: list[int], grades: npt.NDArray[np.int64], wrong: list[int], dice: Dice) -> None:
        """Put wrong books in place of answers of grade 2 until there are enough; one of the best stays."""
        second = dice.shuffle([place for place, n in enumerate(books) if grades[n] == 2])
        spare = second[1:] if max(grades[n] for n in books) == 2 else second
        missing = int(self._count * _LEAST_WRONG) - sum(grades[n] < 2 for n in books)
        for place in spare[: max(0, missing)]:
            while (other := dice.pick(wrong)) in books:
                pass
            books[place] = other

    def _limit(self, ranked: list[int]) -> list[int]:
        """Take the first candidates, of one title no more than its share."""
        most, of_title = int(self._count * _SHARE_OF_ONE), Counter[int]()
        books: list[int] = []
        for number in ranked:
            title = int(self._story[number])
            if of_title[title] < most and len(books) < self._count:
                of_title[title] += 1
                books.append(number)
        return books
