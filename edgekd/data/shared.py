"""Texts that stand in more than one place: in two splits, or under two labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import permutations
from typing import Any

import numpy as np

from edgekd.data.near import find_near
from edgekd.data.taskdata import SPLITS
from edgekd.errors import DataError

HELD_OUT = ("calibration", "validation", "test")
"""Splits whose texts no student learns from."""

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Overlap:
    """How many rows of a split have a text that another split has, too, after `normalise`.

    `near_rows` counts further rows, whose text is nearly that of a row there (`edgekd.data.near`). An
    example names a row of each split; it is empty where there is none.
    """

    split: str
    other: str
    rows: int
    of: int
    example: tuple[str, ...]
    near_rows: int
    near_example: tuple[str, ...]


@dataclass(frozen=True)
class Contradiction:
    """One text with several labels; `rows` names each row, with its split and label."""

    text: str
    rows: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class SharedTexts:
    """What a data set repeats; the counts are of rows, after carving.

    `dropped` rows of labelled splits were left out because the project says so (`data.drop_shared_text`);
    `unlabelled_left_out` are unlabelled rows whose text a held-out split has.
    """

    overlaps: tuple[Overlap, ...] = ()
    contradictions: tuple[Contradiction, ...] = ()
    dropped: int = 0
    unlabelled_left_out: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> SharedTexts:
        """Read what `to_json` gave."""
        pairs = [
            Overlap(
                **{**entry, "example": tuple(entry["example"]), "near_example": tuple(entry["near_example"])}
            )
            for entry in document["overlaps"]
        ]
        contradictions = [
            Contradiction(entry["text"], tuple((a, b, c) for a, b, c in entry["rows"]))
            for entry in document["contradictions"]
        ]
        counts = document["dropped"], document["unlabelled_left_out"]
        return cls(tuple(pairs), tuple(contradictions), *counts)


def find_shared(
    rows: Rows,
    forms: Sequence[str],
    places: Sequence[str],
    columns: Sequence[str] = (),
    dropped: int = 0,
    unlabelled: int = 0,
) -> SharedTexts:
    """Count equal and nearly equal texts across splits, and list texts with several labels.

    `forms` are the rows' normalised texts, `places` their names for people. Rows contradict each other only
    where these `columns` are equal, too. Nearly equal texts are counted for rows of held-out splits alone.
    """
    names = {form: number for number, form in enumerate(dict.fromkeys(forms))}
    text = np.array([names[form] for form in forms], np.int64)
    split = np.array([SPLITS.index(row["split"]) for row in rows], np.int64)
    occurs = np.zeros((len(names), len(SPLITS)), bool)
    occurs[text, split] = True
    first = {
        (int(t), int(s)): n
        for n, t, s in zip(range(len(rows) - 1, -1, -1), text[::-1], split[::-1], strict=True)
    }
    pairs = find_near(list(names), occurs, np.array([name in HELD_OUT for name in SPLITS]))
    overlaps = []
    for one, other in permutations(range(len(SPLITS)), 2):
        of = int((split == one).sum())
        if not of or not (split == other).any() or SPLITS[one] not in HELD_OUT:
            continue
        if SPLITS[other] in HELD_OUT and one < other:
            continue  # counted the other way round
        same = (split == one) & occurs[text, other]
        near_texts = pairs[
            occurs[pairs[:, 0], one] & ~occurs[pairs[:, 0], other] & occurs[pairs[:, 1], other]
        ]
        near = (split == one) & np.isin(text, near_texts[:, 0])
        if not same.any() and not near.any():
            continue
        example: tuple[str, ...] = ()
        near_example: tuple[str, ...] = ()
        if same.any():
            row = int(np.argmax(same))
            example = places[row], places[first[int(text[row]), other]]
        if near.any():
            a, b = (int(value) for value in near_texts[0])
            near_example = places[first[a, one]], places[first[b, other]]
        counts = int(same.sum()), int(near.sum())
        overlaps.append(Overlap(SPLITS[one], SPLITS[other], counts[0], of, example, counts[1], near_example))
    return SharedTexts(tuple(overlaps), _contradictions(rows, forms, places, columns), dropped, unlabelled)


def _contradictions(
    rows: Rows, forms: Sequence[str], places: Sequence[str], columns: Sequence[str]
) -> tuple[Contradiction, ...]:
    members: dict[str, list[int]] = {}
    for place, form in enumerate(forms):
        if rows[place]["split"] != "unlabelled":
            members.setdefault(form, []).append(place)
    return tuple(
        Contradiction(
            rows[group[0]]["text"], tuple((places[i], rows[i]["split"], rows[i]["label"]) for i in group)
        )
        for same_text in members.values()
        if len(same_text) > 1
        for group in _group(rows, same_text, columns)
        if any(rows[i]["label"] != rows[group[0]]["label"] for i in group)
    )


def _group(rows: Rows, places: Sequence[int], columns: Sequence[str]) -> list[list[int]]:
    groups: dict[str, list[int]] = {}
    for place in places:
        groups.setdefault(str([rows[place][name] for name in columns]), []).append(place)
    return list(groups.values())


def refuse_shared(shared: SharedTexts, source: str) -> None:
    """Refuse test rows whose text another split has.

    Raises:
        DataError: naming how many rows, one of them, and what to do.
    """
    found = [entry for entry in shared.overlaps if entry.split == "test" and entry.rows]
    if not found:
        return
    worst = max(found, key=lambda entry: entry.rows)
    others = ", ".join(f"{entry.rows:,} in {entry.other}" for entry in found)
    raise DataError(
        f"{source}: of {worst.of:,} test rows some have a text that another split has, too ({others}), "
        f"as {worst.example[0]} has that of {worst.example[1]}; remove the rows from one side, or set "
        "data.drop_shared_text: true (the other splits lose them) or data.allow_shared_text: true"
    )


def describe_shared(shared: SharedTexts) -> tuple[str, ...]:
    """Say in lines for people what a data set repeats; nothing where it repeats nothing."""
    lines = []
    if shared.dropped:
        lines.append(
            f"{_rows(shared.dropped)} left out of other splits, because a test row has the same text"
        )
    if shared.unlabelled_left_out:
        lines.append(
            f"{_rows(shared.unlabelled_left_out)} without a label left out, because a validation, "
            "calibration or test row has the same text"
        )
    for entry in shared.overlaps:
        if entry.rows:
            lines.append(
                f"{entry.rows:,} of {entry.of:,} {entry.split} rows have a text that {entry.other} has, too "
                f"({' and '.join(entry.example)})"
            )
        if entry.near_rows:
            lines.append(
                f"{entry.near_rows:,} of {entry.of:,} {entry.split} rows are nearly equal to a row of "
                f"{entry.other} ({' and '.join(entry.near_example)})"
            )
    for contradiction in shared.contradictions[:3]:
        labels = ", ".join(
            f"'{label}' in {place} ({split})" for place, split, label in contradiction.rows[:4]
        )
        lines.append(f"one text, several labels: {contradiction.text!r} is {labels}")
    if len(shared.contradictions) > 3:
        lines.append(f"{len(shared.contradictions):,} texts in all have several labels")
    return tuple(lines)


def _rows(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"
