"""Generate the MangaAssist table."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

import pyarrow as pa

from edgekd.data.mangaassist.catalogue import load_catalogue
from edgekd.data.mangaassist.compose import Composer
from edgekd.data.mangaassist.dice import Dice
from edgekd.data.mangaassist.intents import FAMILY_OF
from edgekd.data.mangaassist.plan import Sizes, Split, draw_wishes, plan_splits

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("text", pa.string()),
        ("intent", pa.string()),
        ("family", pa.string()),
        ("language", pa.string()),
        ("device", pa.string()),
        ("region", pa.string()),
        ("date", pa.string()),
        ("noisy", pa.bool_()),
        ("multi_intent", pa.bool_()),
        ("fresh", pa.bool_()),
        ("new_wording", pa.bool_()),
        ("near_miss", pa.bool_()),
        ("sample", pa.string()),
        ("split", pa.string()),
    ]
)

_WORD = re.compile(r"[^\W_]+")

_ORDER = ("train", "unlabelled", "calibration", "validation", "test")


def generate(*, seed: int = 0, **sizes: int) -> pa.Table:
    """Generate the customer messages of a manga shop's assistant, for intent classification.

    The same arguments give the same table on any machine. No two rows hold the same words, whatever
    their case, their marks, their spaces and the Unicode form of their characters. Splits follow each
    other in time: train and unlabelled, then calibration and validation, then test. The test rows
    depend on `seed`, `test`, `critical` and `near_misses_test` alone.

    Column `new_wording` is true where what is wanted is phrased as no labelled train row phrases it.
    In the critical families and in near misses, the phrasings that are new in the test split occur in
    no other split at all. Column `near_miss` is true where a message sounds like a payment dispute or a
    safety matter and is neither ("I'm dying to read {title}"); that is 3 % of other messages.

    Args:
        seed: another seed gives other messages about the same catalogue.
        sizes: how many rows, by the names in `edgekd.data.mangaassist.plan.Sizes`.

    Returns:
        A table with the columns of `SCHEMA`, by split and then by date. `intent` and `family` are
        null in the unlabelled split.

    >>> generate(train=30, unlabelled=10, calibration=10, validation=10, test=10, critical=2).num_rows
    74
    """
    seen: set[str] = set()
    rows: list[dict[str, Any]] = []
    for split in plan_splits(Sizes(**sizes)):
        rows.extend(_write_split(split, seed, seen))
    rows.sort(key=lambda row: (_ORDER.index(row["split"]), row["date"]))
    for i, row in enumerate(rows):
        row["id"] = f"ma-{i:06d}"
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def fold_text(text: str) -> str:
    """Reduce a text to its words: two rows of the table never have the same ones.

    >>> fold_text("Ｈello,  WORLD...")
    'hello world'
    """
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(_WORD.findall(plain))


def _write_split(split: Split, seed: int, seen: set[str]) -> list[dict[str, Any]]:
    """Write one sample's rows, in drawn order; `seen` holds every folded text so far and grows."""
    dice = Dice(f"mangaassist/{seed}/{split.key}")
    composer = Composer(dice, load_catalogue())
    labelled = split.name != "unlabelled"
    rows: list[dict[str, Any]] = []
    for wish, region in draw_wishes(split, dice):
        message = composer.compose(wish)
        while (folded := fold_text(message.text)) in seen:
            message = composer.compose(wish)
        seen.add(folded)
        rows.append(
            {
                "text": message.text,
                "intent": wish.intent if labelled else None,
                "family": FAMILY_OF[wish.intent] if labelled else None,
                "language": wish.language,
                "device": wish.device,
                "region": region,
                "date": wish.day.isoformat(),
                "noisy": message.noisy,
                "multi_intent": wish.multi,
                "fresh": message.fresh,
                "new_wording": message.new_wording,
                "near_miss": wish.near_miss,
                "sample": split.sample,
                "split": split.name,
            }
        )
    return dice.shuffle(rows)
