"""What a customer searches for, and how well each book answers it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgekd.data.mangasearch.shelf import Shelf

BEST = 3
"""The highest grade."""


@dataclass(frozen=True)
class Wish:
    """What is wanted: a title (the place of a story), or an author, or a genre.

    The rest is wanted only where it is set: `cents` is the highest price and `age` the reader's age in years.
    """

    story: int | None = None
    author: str | None = None
    genre: str | None = None
    volume: int | None = None
    format: str | None = None
    cents: int | None = None
    age: int | None = None


class Grader:
    """Grades every book of a shelf from 0 to 3.

    - A book over the price limit, or rated above the reader's age, has grade 0, whatever else it is.
    - By title: 3 less one for another volume than the one asked for (two where it is neither the next nor the
      one before, nor a set that holds it) and one for another format; at least 1. Who names no volume wants
      to begin: the first volume, or a set that begins with it. Other titles by the same author have grade 1
      where neither volume nor format is asked for, all others 0.
    - By author: 3 for where a title of theirs begins, 2 for its other volumes; one less in another format.
    - By genre: where it is a title's first genre, 3 for where the title begins, 2 for its other volumes;
      where it is its second, 1. One less in another format.
    """

    def __init__(self, shelf: Shelf) -> None:
        books, stories = shelf.books, shelf.stories
        self._shelf = shelf
        self._story = np.array([book.story for book in books])
        self._first = np.array([book.first for book in books])
        self._last = np.array([book.last for book in books])
        self._cents = np.array([book.cents for book in books])
        self._rating = np.array([stories[book.story].rating for book in books])
        self._format = np.array([book.format for book in books])
        self._author = np.array([stories[book.story].author for book in books])
        self._genres = np.array([stories[book.story].genres for book in books])

    def grade(self, wish: Wish) -> npt.NDArray[np.int64]:
        """Return the grade of every book, shape [book]."""
        none = np.zeros(len(self._story), np.int64)
        begins = np.where(self._first == 1, 3, 2)
        other_format = none if wish.format is None else (self._format != wish.format).astype(np.int64)
        if wish.story is not None:
            found = self._by_title(wish, other_format)
        elif wish.author is not None:
            theirs = self._author == wish.author
            found = np.where(theirs, begins - other_format, 0)
        else:
            first, second = (self._genres[:, place] == wish.genre for place in (0, 1))
            found = np.where(first, begins - other_format, np.where(second, 1 - other_format, 0))
        found[self.breaks_limit(wish)] = 0
        return np.asarray(found, np.int64)

    def breaks_limit(self, wish: Wish) -> npt.NDArray[np.bool_]:
        """Say which books are too dear or rated above the reader's age, shape [book]."""
        dear = none_of(self._cents) if wish.cents is None else self._cents > wish.cents
        adult = none_of(self._cents) if wish.age is None else self._rating > wish.age
        return np.asarray(dear | adult)

    def _by_title(self, wish: Wish, other_format: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        assert wish.story is not None
        number = 1 if wish.volume is None else wish.volume
        holds = (self._first <= number) & (number <= self._last)
        exact = holds & (self._first == self._last) if wish.volume is not None else self._first == 1
        if wish.format in ("omnibus", "box set"):  # who asks for a set wants the one that holds the volume
            exact = holds & (self._format == wish.format) | exact
        near = holds | (np.abs(self._first - number) == 1)
        misses = np.where(exact, 0, np.where(near, 1, 2)) + other_format
        same = self._story == wish.story
        related = self._author == self._shelf.stories[wish.story].author
        if wish.volume is not None or wish.format is not None:
            related = none_of(self._story)
        return np.where(same, np.maximum(1, BEST - misses), related.astype(np.int64))


def none_of(values: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Return a mask like `values` that is false everywhere."""
    return np.zeros(len(values), np.bool_)
