"""Plan the splits: how many rows of which intent, language and device, and in which weeks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from edgekd.data.mangaassist.bank import load_bank
from edgekd.data.mangaassist.compose import Wish
from edgekd.data.mangaassist.dice import Dice, apportion
from edgekd.data.mangaassist.intents import CRITICAL, FAMILIES, FAMILY_OF

_LANGUAGES = (("en", 0.72), ("es", 0.09), ("de", 0.06), ("fr", 0.055), ("pt", 0.045), ("ja", 0.03))
# A shop that asks for more rows to learn from asks for every language's. Traffic holds few ordinary rows in
# other languages, and a model takes what it does not know for critical.
_SOUGHT = {
    "critical": (("en", 0.36), ("es", 0.14), ("de", 0.13), ("fr", 0.16), ("pt", 0.15), ("ja", 0.06)),
    "near-miss": (("en", 0.28), ("es", 0.16), ("de", 0.15), ("fr", 0.16), ("pt", 0.15), ("ja", 0.10)),
    "other-language": (("es", 0.22), ("de", 0.22), ("fr", 0.23), ("pt", 0.25), ("ja", 0.08)),
}
_LIKE_CRITICAL = {"order_late": 2.0, "return_refund": 2.0, "faq_payment": 2.0}  # how much more rows they get
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
_MULTI_SOUGHT = 0.15  # of the extra critical train rows: beside another request a critical one is missed most
_FRESH_SHARE = 0.10
_NEAR_MISS_SHARE = 0.03  # of messages outside the critical families: they sound critical and are not
_LOUD_TITLES = 0.5  # of the extra near misses: ordinary words, and a title that sounds critical

# Wording moves on: after labelling was done, this share of messages uses phrasings that the
# labelled train split has never seen; of critical messages fewer do, as a shop has those labelled
# at once.
_NEW_WORDING = 0.10
_NEW_CRITICAL = 0.3
_NEW_SAMPLED = 0.35  # of the extra rows of the test and validation splits


@dataclass(frozen=True)
class Split:
    """One sample of one split: its weeks and how its rows are drawn.

    Sample "traffic" comes in the shares of real traffic, "critical" holds extra rows of the critical
    families, "near-miss" extra rows of other families that sound critical, and "other-language" extra rows
    of those families in other languages than English.
    """

    name: str
    sample: str
    weeks: tuple[date, date]
    rows: tuple[tuple[str, int], ...]
    reserved_share: float
    fresh_share: float = _FRESH_SHARE

    @property
    def key(self) -> str:
        """Name the split's own stream of draws."""
        return f"{self.name}/{self.sample}"


@dataclass(frozen=True)
class Sizes:
    """How many rows are drawn.

    Attributes:
        train: labelled rows, in the skew of real traffic.
        unlabelled: rows of the same weeks without a label, which also use newer wording.
        calibration: rows to set thresholds and temperatures on.
        validation: rows to choose models on.
        test: rows with `sample` "traffic".
        critical: further test rows for each of the two critical families, with `sample` "critical".
        critical_train: the same for the train split, but split evenly over a family's intents, since
            each intent has to be learned; 15 % of them hold another request, too.
        critical_validation: the same for the validation split, evenly too: 600 give 300 per intent.
        near_misses: further train rows that are near misses, with `sample` "near-miss".
        near_misses_test: the same for the test split.
        other_languages: further train rows outside the critical families, none of them in English, with
            `sample` "other-language".
    """

    train: int = 6000
    unlabelled: int = 24000
    calibration: int = 1000
    validation: int = 2000
    test: int = 6000
    critical: int = 800
    critical_train: int = 0
    critical_validation: int = 0
    near_misses: int = 0
    near_misses_test: int = 0
    other_languages: int = 0


def plan_splits(sizes: Sizes) -> tuple[Split, ...]:
    """List the samples in the order in which they are written: those of the test split come first."""
    new, sampled = _NEW_WORDING, _NEW_SAMPLED
    return (
        Split("test", "traffic", _SERVING, _traffic(sizes.test), new),
        Split("test", "critical", _SERVING, _critical(sizes.critical), sampled),
        Split("test", "near-miss", _SERVING, _near_misses(sizes.near_misses_test), sampled),
        Split("validation", "traffic", _CHECKING, _traffic(sizes.validation), new),
        Split("validation", "critical", _CHECKING, _critical(sizes.critical_validation, even=True), sampled),
        Split("calibration", "traffic", _CHECKING, _traffic(sizes.calibration), new),
        Split("train", "traffic", _LABELLING, _traffic(sizes.train), 0.0),
        Split("train", "critical", _LABELLING, _critical(sizes.critical_train, even=True), 0.0),
        Split("train", "near-miss", _LABELLING, _near_misses(sizes.near_misses), 0.0),
        Split("train", "other-language", _LABELLING, _ordinary(sizes.other_languages), 0.0),
        Split("unlabelled", "traffic", _LABELLING, _traffic(sizes.unlabelled), new, fresh_share=0.0),
    )


def _traffic(total: int) -> tuple[tuple[str, int], ...]:
    shares = [
        (intent, share * within) for share, intents in FAMILIES.values() for intent, within in intents.items()
    ]
    return tuple(apportion(total, shares, least=2 if total >= 200 else 0))


def _critical(each: int, *, even: bool = False) -> tuple[tuple[str, int], ...]:
    """Give each critical family its rows, split over its intents as in traffic, or evenly."""
    return tuple(
        row
        for family in CRITICAL
        for row in apportion(
            each, [(intent, 1.0 if even else share) for intent, share in FAMILIES[family][1].items()]
        )
    )


def _near_misses(total: int) -> tuple[tuple[str, int], ...]:
    """Split the rows over the intents by how many near misses English words for each."""
    bank = load_bank("en")
    weights = [
        (intent, float(len(bank.phrases(f"near {intent}"))))
        for intent, family in FAMILY_OF.items()
        if family not in CRITICAL
    ]
    return tuple(apportion(total, weights))


def _ordinary(total: int) -> tuple[tuple[str, int], ...]:
    """Split the rows over the intents outside the critical families."""
    weights = [
        (intent, _LIKE_CRITICAL.get(intent, 1.0))
        for intent, family in FAMILY_OF.items()
        if family not in CRITICAL
    ]
    return tuple(apportion(total, weights))


def draw_wishes(split: Split, dice: Dice) -> list[tuple[Wish, str]]:
    """Draw what each row of a split is to be, with its region; languages and devices are stratified."""
    wishes: list[tuple[Wish, str]] = []
    first, last = split.weeks
    for family in FAMILIES:
        intents = [
            intent for intent, count in split.rows if FAMILY_OF[intent] == family for _ in range(count)
        ]
        shares = _SOUGHT.get(split.sample, _LANGUAGES) if split.name == "train" else _LANGUAGES
        languages = _deal(len(intents), shares, dice)
        devices = _deal(len(intents), _DEVICES, dice)
        critical = family in CRITICAL
        multi_share = _MULTI_CRITICAL if critical else _MULTI_SHARE
        if split.name == "train" and split.sample == "critical":
            multi_share = _MULTI_SOUGHT
        new_share = split.reserved_share
        if critical and split.sample == "traffic":
            new_share *= _NEW_CRITICAL
        for intent, language, device in zip(intents, languages, devices, strict=True):
            wish = Wish(
                intent=intent,
                language=language,
                day=first + timedelta(days=dice.between(0, (last - first).days)),
                device=device,
                multi=dice.chance(multi_share),
                fresh=dice.chance(split.fresh_share),
                near_miss=split.sample == "near-miss" or (not critical and dice.chance(_NEAR_MISS_SHARE)),
                reserved_share=new_share,
                for_test=split.name == "test",
                brief=split.name == "train" and split.sample != "traffic",
                loud_title=split.sample == "near-miss" and dice.chance(_LOUD_TITLES),
            )
            wishes.append((wish, dice.weigh(_REGIONS[language])))
    return wishes


def _deal(total: int, shares: tuple[tuple[str, float], ...], dice: Dice) -> list[str]:
    return dice.shuffle([name for name, count in apportion(total, shares) for _ in range(count)])
