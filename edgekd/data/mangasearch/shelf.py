"""The shelf: every book that the shop sells, with what a search can ask of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cache

from edgekd.data.mangaassist.catalogue import Series, load_catalogue
from edgekd.data.mangaassist.dice import Dice
from edgekd.data.mangasearch.lines import read_lines, read_names

_RATINGS = ((0, 0.22), (8, 0.2), (13, 0.28), (16, 0.2), (18, 0.1))
_AUTHORS = 70
_HELD_BACK = 0.18  # share of series that no training row knows of

# How often a series has a format, and what a volume of it costs, as a multiple of the paperback.
_FORMATS = {
    "paperback": (1.0, 1.0),
    "digital": (0.7, 0.7),
    "hardcover": (0.35, 2.1),
    "deluxe edition": (0.15, 3.2),
}
_OMNIBUS = (0.35, 2.4)  # three volumes in one
_BOX_SET = (0.35, 0.8)  # every volume, at this share of what they cost apart
_ENDS = ("99", "95", "50", "90")


@dataclass(frozen=True)
class Story:
    """A series as the shop describes it; `rating` is the least age in years, 0 for all ages.

    Series that are `held_back` are unknown to the training rows: nobody asks for them there, and they are
    among no candidates.
    """

    series: Series
    author: str
    genres: tuple[str, str]
    rating: int
    about: str
    layout: int
    held_back: bool

    @property
    def title(self) -> str:
        """The title."""
        return self.series.title

    @property
    def released(self) -> date:
        """The day on which it came out."""
        return self.series.released


@dataclass(frozen=True)
class Book:
    """One book for sale: volumes `first` to `last` of a series in one format, at a price in cents."""

    story: int
    first: int
    last: int
    format: str
    cents: int
    text: str


@dataclass(frozen=True)
class Shelf:
    """All stories, in order of release, and all books, story by story."""

    stories: tuple[Story, ...]
    books: tuple[Book, ...]


@cache
def load_shelf() -> Shelf:
    """Build the shelf; it is the same whatever the seed of the searches."""
    dice = Dice("mangasearch-shelf")
    lines = read_lines("shop")
    authors = list(
        dict.fromkeys(
            f"{dice.pick(lines['given names'])} {dice.pick(lines['family names'])}" for _ in range(_AUTHORS)
        )
    )
    genres = tuple(read_names("genres"))
    stories = []
    for series in load_catalogue().series:
        main = dice.pick(genres)
        while (other := dice.pick(genres)) == main:
            pass
        stories.append(
            Story(
                series=series,
                author=dice.pick(authors),
                genres=(main, other),
                rating=dice.weigh(_RATINGS),
                about=" ".join(dice.pick(lines[part]) for part in ("heroes", "deeds", "places")),
                layout=dice.below(3),
                held_back=dice.chance(_HELD_BACK),
            )
        )
    books = [book for place, story in enumerate(stories) for book in _list_books(place, story, dice)]
    return Shelf(tuple(stories), tuple(books))


def _list_books(place: int, story: Story, dice: Dice) -> list[Book]:
    volumes = story.series.volumes
    cents = 100 * dice.between(5, 10)
    made: list[tuple[int, int, str, float]] = []
    for name, (share, times) in _FORMATS.items():
        if dice.chance(share):
            made += [(number, number, name, times) for number in range(1, volumes + 1)]
    if volumes >= 3 and dice.chance(_OMNIBUS[0]):
        made += [(first, first + 2, "omnibus", _OMNIBUS[1]) for first in range(1, volumes - 1, 3)]
    if volumes >= 2 and dice.chance(_BOX_SET[0]):
        made.append((1, volumes, "box set", _BOX_SET[1] * volumes))
    books = []
    for first, last, name, times in made:
        price = int(cents * times * (0.9 + 0.2 * dice.below(101) / 100)) // 100 * 100 + int(dice.pick(_ENDS))
        books.append(Book(place, first, last, name, price, _describe(story, (first, last), name, price)))
    return books


def _describe(story: Story, span: tuple[int, int], name: str, cents: int) -> str:
    """Write what the shop shows of a book; publishers lay it out in three ways."""
    first, last = span
    price = f"{cents // 100}.{cents % 100:02d}"
    ages = "all ages" if story.rating == 0 else f"ages {story.rating}+"
    genres = ", ".join(story.genres)
    if story.layout == 0:
        volume = f"volume {first}" if first == last else f"volumes {first}-{last}"
        head = f"{story.title}, {volume}, {name}, {price} euro, {ages}, {genres}, by {story.author}."
    elif story.layout == 1:
        volume = f"Vol. {first}" if first == last else f"Vols. {first} to {last}"
        head = f"{story.title} {volume} ({name}) - {story.author}. {genres}. {ages}. €{price}."
    else:
        volume = f"Book {first}" if first == last else f"Books {first}-{last}"
        head = f"{story.author}: {story.title} - {volume}. {name}, {genres}, {ages}, {price} €."
    return f"{head} {story.about}."
