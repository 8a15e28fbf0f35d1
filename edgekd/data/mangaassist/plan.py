"""Plan the splits: how many rows of which intent, language and device, and in which weeks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from edgekd.data.mangaassist.compose import Wish
from edgekd.data.mangaassist.dice import Dice, apportion
from edgekd.data.mangaassist.intents import CRITICAL, FAMILIES, FAMILY_OF

_LANGUAGES = (("en", 0.72), ("es", 0.09), ("de", 0.06), ("fr", 0.055), ("pt", 0.045), ("ja", 0.03))
_DEVICES = (("web", 0.35), ("ios", 0.27), ("android", 0.22), ("android-lowmem", 0.09), ("kiosk", 0.07))
_REGIONS = {
    "en": (("na", 0.5), ("eu", 0.3), ("apac", 0.16), ("latam", 0.04)),
    "es": (("latam", 0.62), ("eu", 0.26), ("na", 0.12)),
    "de": (("eu", 1.0),),
    "fr": (("eu", 0.8), ("na", 0.2)),
    "pt": (("latam", 0.75), ("eu", 0.25)),
    "ja": (("apac", 0.9), ("na", 0.1)),
}

_LABELLING = (date(2024, 9, 2), date(2025, 5, 31))
_CHECKING = (date(2025, 6, 1), date(2025, 7, 31))
_SERVING = (date(2025, 8, 1), date(2025, 10, 31))

_MULTI_SHARE = 0.08
_MULTI_CRITICAL = 0.04  # who reports a fraud or a threat seldom asks for something else as well
_FRESH_SHARE = 0.10

# Wording moves on: after labelling was done, this share of messages uses phrasings that the
# labelled train split has never seen; of critical messages fewer do, as a shop has those labelled
# at once.
_NEW_WORDING = 0.10
_NEW_CRITICAL = 0.3


@dataclass(frozen=True)
class Split:
    """One split (or the critical sample of the test split): its weeks and how its rows are drawn."""

    name: str
    sample: str
    weeks: tuple[date, date]
    rows: tuple[tuple[str, int], ...]
    reserved_share: float
    fresh_share: float

    @property
    def key(self) -> str:
        """Name the split's own stream of draws."""
        return f"{self.name}/{self.sample}"


def plan_splits(
    *, train: int, unlabelled: int, calibration: int, validation: int, test: int, critical: int
) -> tuple[Split, ...]:
    """List the splits in the order in which they are written: the test split is written first."""
    new, fresh = _NEW_WORDING, _FRESH_SHARE
    return (
        Split("test", "traffic", _SERVING, _traffic(test), new, fresh),
        Split("test", "critical", _SERVING, _critical(critical), new, fresh),
        Split("validation", "traffic", _CHECKING, _traffic(validation), new, fresh),
        Split("calibration", "traffic", _CHECKING, _traffic(calibration), new, fresh),
        Split("train", "traffic", _LABELLING, _traffic(train), 0.0, fresh),
        Split("unlabelled", "traffic", _LABELLING, _traffic(unlabelled), new, 0.0),
    )


def _traffic(total: int) -> tuple[tuple[str, int], ...]:
    shares = [
        (intent, share * within) for share, intents in FAMILIES.values() for intent, within in intents.items()
    ]
    return tuple(apportion(total, shares, least=2 if total >= 200 else 0))


def _critical(each: int) -> tuple[tuple[str, int], ...]:
    return tuple(row for family in CRITICAL for row in apportion(each, list(FAMILIES[family][1].items())))


def draw_wishes(split: Split, dice: Dice) -> list[tuple[Wish, str]]:
    """Draw what each row of a split is to be, with its region; languages and devices are stratified."""
    wishes: list[tuple[Wish, str]] = []
    first, last = split.weeks
    for family in FAMILIES:
        intents = [
            intent for intent, count in split.rows if FAMILY_OF[intent] == family for _ in range(count)
        ]
        languages = _deal(len(intents), _LANGUAGES, dice)
        devices = _deal(len(intents), _DEVICES, dice)
        for intent, language, device in zip(intents, languages, devices, strict=True):
            wish = Wish(
                intent=intent,
                language=language,
                day=first + timedelta(days=dice.between(0, (last - first).days)),
                device=device,
                multi=dice.chance(_MULTI_CRITICAL if family in CRITICAL else _MULTI_SHARE),
                fresh=dice.chance(split.fresh_share),
                reserved_share=split.reserved_share * (_NEW_CRITICAL if family in CRITICAL else 1.0),
            )
            wishes.append((wish, dice.weigh(_REGIONS[language])))
    return wishes


def _deal(total: int, shares: tuple[tuple[str, float], ...], dice: Dice) -> list[str]:
    return dice.shuffle([name for name, count in apportion(total, shares) for _ in range(count)])
