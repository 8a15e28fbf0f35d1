"""Word one search: what is wanted, then how a customer types it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgekd.data.mangaassist.catalogue import FRESH_DAYS
from edgekd.data.mangaassist.dice import Dice
from edgekd.data.mangaassist.noise import mistype
from edgekd.data.mangaassist.template import Slot
from edgekd.data.mangasearch.lines import Wording, read_names, read_wordings
from edgekd.data.mangasearch.plan import Search
from edgekd.data.mangasearch.shelf import Shelf
from edgekd.data.mangasearch.wish import Wish

_STOCKED = 0.8  # who names a format mostly names one in which the title is sold
_LOWER = 0.55
_WITHOUT_ARTICLE = 0.2
_TYPO, _TYPO_LOWMEM = 0.14, 0.28


@dataclass(frozen=True)
class Query:
    """A worded search; `words` are the shop's own names of what is wanted, which its engine also looks up.

    `new_wording` says that it, or its volume or price, is worded as in no training row.
    """

    text: str
    wish: Wish
    words: tuple[str, ...]
    noisy: bool
    new_wording: bool


class Composer:
    """Writes searches over one shelf; holds the draws."""

    def __init__(self, shelf: Shelf, dice: Dice) -> None:
        self._shelf = shelf
        self._dice = dice

    def compose(self, search: Search, known: Sequence[int]) -> Query:
        """Write one search that is what the plan says; `known` are the stories that may be asked for."""
        dice = self._dice
        wording = self._wording(search, search.kind)
        slots = set(wording.template.slots)
        wish, words = self._want(search, slots, known)
        new = wording.is_new
        values: dict[str, str] = {}
        if wish.story is not None:
            values["title"] = self._spell(self._shelf.stories[wish.story].title)
        for name, value in (("author", wish.author), ("age", wish.age)):
            if value is not None:
                values[name] = str(value)
        for name, named in (("genre", wish.genre), ("format", wish.format)):
            if named is not None:
                values[name] = read_names(f"{name}s")[named][search.language]
        for name, section, number in (
            ("volume", "num", wish.volume),
            ("price", "euro", None if wish.cents is None else wish.cents // 100),
        ):
            if number is not None:
                line = self._wording(search, name)
                values[name] = self._fill(line, {section: str(number)})
                new = new or line.is_new
        text = " ".join(self._fill(wording, values).split())
        if dice.chance(_LOWER):
            text = text.lower()
        typo = dice.chance(_TYPO_LOWMEM if search.device == "android-lowmem" else _TYPO)
        typed = mistype(text, dice) if typo and search.language != "ja" else text
        return Query(typed, wish, words, typed != text, new)

    def _wording(self, search: Search, section: str) -> Wording:
        lines = read_wordings(search.language)[section]
        return self._dice.pick([line for line in lines if line.is_new == search.new_wording] or lines)

    def _want(self, search: Search, slots: set[str], known: Sequence[int]) -> tuple[Wish, tuple[str, ...]]:
        """Draw what is wanted, as far as the wording has a place for it, and the shop's words for it."""
        dice, shelf = self._dice, self._shelf
        chosen = self._choose(search, known)
        story = shelf.stories[chosen]
        books = [book for book in shelf.books if book.story == chosen]
        formats = sorted({book.format for book in books} if dice.chance(_STOCKED) else read_names("formats"))
        wanted = dice.pick(formats) if "format" in slots else None
        cents = None
        if "price" in slots:
            prices = sorted(book.cents for book in books if wanted in (None, book.format)) or [1200]
            low = prices[dice.below(max(1, 2 * len(prices) // 3))]
            cents = (low // 100 + 1) * 100  # whole euros, as people say
        wish = Wish(
            story=chosen if "title" in slots else None,
            author=story.author if "author" in slots else None,
            genre=story.genres[0] if "genre" in slots else None,
            volume=dice.between(1, story.series.volumes) if "volume" in slots else None,
            format=wanted,
            cents=cents,
            age=dice.between(max(6, min(story.rating, 15)), 15) if "age" in slots else None,
        )
        title = story.title if wish.story is not None else None
        return wish, tuple(word for word in (title, wish.author, wish.genre, wish.format) if word)

    def _choose(self, search: Search, known: Sequence[int]) -> int:
        stories = self._shelf.stories
        fresh = [n for n in known if (search.day - stories[n].released).days <= FRESH_DAYS]
        if search.fresh and fresh:
            return self._dice.pick(fresh)
        choices = [n for n in known if stories[n].held_back == search.held_back]
        return self._dice.pick(choices or known)

    def _spell(self, title: str) -> str:
        first, _, rest = title.partition(" ")
        without = first in ("The", "A") and " " in rest and self._dice.chance(_WITHOUT_ARTICLE)
        return rest if without else title

    def _fill(self, wording: Wording, values: dict[str, str]) -> str:
        pieces = wording.template.choose(self._dice)
        return "".join(values[piece.name] if isinstance(piece, Slot) else piece for piece in pieces)
