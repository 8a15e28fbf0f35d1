"""The fictional catalogue: series, their volumes and the day on which each came out."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache

from edgekd.data.mangaassist.bank import read_sections
from edgekd.data.mangaassist.dice import Dice

FRESH_DAYS = 60  # a title counts as fresh in messages of its first 60 days

_BACKLIST_FROM = date(2012, 1, 9)
_BACKLIST_DAYS = 4300  # the last of the backlist is out well before the first message
_NEW_FROM = date(2024, 7, 2)
_NEW_EVERY_DAYS = 7.5  # a new series about once a week, until the last message


@dataclass(frozen=True)
class Series:
    """One series: how many volumes are out, since when, and whether its title sounds critical."""

    title: str
    volumes: int
    released: date
    is_loud: bool = False


@dataclass(frozen=True)
class Catalogue:
    """All series, in order of release."""

    series: tuple[Series, ...]
    _days: tuple[date, ...]

    def settled(self, day: date) -> tuple[Series, ...]:
        """Return the series that are out for more than `FRESH_DAYS` on that day."""
        return self.series[: bisect_right(self._days, day - timedelta(days=FRESH_DAYS + 1))]

    def fresh(self, day: date) -> tuple[Series, ...]:
        """Return the series that came out within the last `FRESH_DAYS`."""
        return self.series[len(self.settled(day)) : bisect_right(self._days, day)]


@cache
def load_catalogue() -> Catalogue:
    """Build the catalogue; it is the same whatever the seed of the messages."""
    dice = Dice("mangaassist-catalogue")
    titles = read_sections("catalogue")
    loud = set(titles["titles that sound critical"])
    series = [
        Series(
            title,
            dice.between(3, 28),
            _BACKLIST_FROM + timedelta(days=dice.below(_BACKLIST_DAYS)),
            title in loud,
        )
        for title in titles["titles backlist"]
    ]
    for i, title in enumerate(dice.shuffle(titles["titles new"])):
        day = _NEW_FROM + timedelta(days=int(i * _NEW_EVERY_DAYS) + dice.below(5))
        series.append(Series(title, dice.between(1, 4), day, title in loud))
    series.sort(key=lambda item: (item.released, item.title))
    return Catalogue(tuple(series), tuple(item.released for item in series))
