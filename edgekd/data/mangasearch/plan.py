"""Plan the splits: how many searches of which kind, language and device, and in which weeks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from edgekd.data.mangaassist.dice import Dice, apportion

KINDS = (
    ("title", 0.16),
    ("volume number", 0.24),
    ("format", 0.16),
    ("author", 0.09),
    ("genre", 0.11),
    ("price limit", 0.13),
    ("age limit", 0.11),
)
"""Kinds of search, as sections of `bank/` call them, and their shares."""

_LANGUAGES = (("en", 0.5), ("es", 0.14), ("de", 0.11), ("fr", 0.1), ("pt", 0.09), ("ja", 0.06))
_DEVICES = (("web", 0.35), ("ios", 0.27), ("android", 0.22), ("android-lowmem", 0.09), ("kiosk", 0.07))

_LEARNING = (date(2024, 9, 2), date(2025, 5, 31))
_CHECKING = (date(2025, 6, 1), date(2025, 7, 31))
_SERVING = (date(2025, 8, 1), date(2025, 10, 31))

_FRESH_SHARE = 0.12
_NEW_SHARE = 0.3  # of the searches of later splits: worded as no training row is
_HELD_BACK_SHARE = 0.25  # of the searches by title of later splits: for a title that no training row knows


@dataclass(frozen=True)
class Sizes:
    """How many searches are drawn, and how many candidates each has.

    Attributes:
        train: searches with grades, to learn from.
        unlabelled: searches of the same weeks without grades, for the teacher to grade.
        calibration: searches to fit ranges on.
        validation: searches to choose models on.
        test: searches to judge on.
        candidates: books that each search comes with, from 10 to 200.
    """

    train: int = 1600
    unlabelled: int = 0
    calibration: int = 300
    validation: int = 300
    test: int = 600
    candidates: int = 50

    def __post_init__(self) -> None:
        if not 10 <= self.candidates <= 200:
            raise ValueError(f"candidates must be from 10 to 200, got {self.candidates}")


@dataclass(frozen=True)
class Search:
    """What a search is to be: settled by the plan, written by `compose`."""

    kind: str
    language: str
    device: str
    day: date
    fresh: bool
    new_wording: bool
    held_back: bool


@dataclass(frozen=True)
class Split:
    """One split: its weeks, how many searches it has, and whether these know only what training knows."""

    name: str
    rows: int
    weeks: tuple[date, date]
    is_known: bool


def plan_splits(sizes: Sizes) -> tuple[Split, ...]:
    """List the splits in the order in which they are written: those that are held out come first."""
    return (
        Split("test", sizes.test, _SERVING, False),
        Split("validation", sizes.validation, _CHECKING, False),
        Split("calibration", sizes.calibration, _CHECKING, False),
        Split("train", sizes.train, _LEARNING, True),
        Split("unlabelled", sizes.unlabelled, _LEARNING, True),
    )


def draw_searches(split: Split, dice: Dice) -> list[Search]:
    """Draw what each search of a split is to be; kinds, languages and devices have their exact shares."""
    first, last = split.weeks
    searches = []
    for kind, count in apportion(split.rows, KINDS):
        languages, devices = _deal(count, _LANGUAGES, dice), _deal(count, _DEVICES, dice)
        for language, device in zip(languages, devices, strict=True):
            searches.append(
                Search(
                    kind=kind,
                    language=language,
                    device=device,
                    day=first + timedelta(days=dice.between(0, (last - first).days)),
                    fresh=dice.chance(_FRESH_SHARE),
                    new_wording=dice.chance(_NEW_SHARE) and not split.is_known,
                    held_back=dice.chance(_HELD_BACK_SHARE) and not split.is_known,
                )
            )
    return dice.shuffle(searches)


def _deal(total: int, shares: tuple[tuple[str, float], ...], dice: Dice) -> list[str]:
    return dice.shuffle([name for name, count in apportion(total, shares) for _ in range(count)])
