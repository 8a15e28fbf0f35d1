"""Ninety days of MangaAssist traffic with planted events: what `bench/stream.py` has edgekd watch.

Texts are drawn from a pool that the built-in generator writes; what people and checks say of rows (reviewers
that agree or not, claims that are wrong) is drawn beside them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
import pyarrow as pa

from edgekd.curate.drift.lexicon import Lexicon
from edgekd.curate.drift.streams import Logged
from edgekd.curate.words import split_words
from edgekd.data.mangaassist import generate
from edgekd.data.mangaassist.dice import Dice
from edgekd.data.mangaassist.noise import mistype

REFERENCE, WATCHED = 28, 90
START = date(2025, 8, 1)
"""The first day that is watched."""


@dataclass(frozen=True)
class World:
    """What traffic is like; shares are of rows.

    Attributes:
        weekday: how much a weekday changes the share of a language, relative.
        jitter: how much a day does, beyond that.
    """

    rows_per_day: int = 1000
    weekday: float = 0.06
    jitter: float = 0.05
    typos: float = 0.16
    fresh: float = 0.10
    reviewed: float = 0.2
    reviewers: int = 6
    agreement: float = 0.92
    wrong: float = 0.005
    language: str = "pt"
    language_rises: float = 2.8
    fresh_rises: float = 2.4
    agreement_falls_to: float = 0.65
    wrong_rises_to: float = 0.06
    broken: int = 3


def change_world(world: World, seed: int) -> World:
    """Return another world: other volumes, rates and sizes of events."""
    rng = np.random.default_rng(900 + seed)
    return replace(
        world,
        rows_per_day=int(rng.integers(700, 1800)),
        weekday=float(rng.uniform(0.02, 0.10)),
        jitter=float(rng.uniform(0.02, 0.08)),
        typos=float(rng.uniform(0.12, 0.22)),
        fresh=float(rng.uniform(0.07, 0.14)),
        reviewed=float(rng.uniform(0.15, 0.3)),
        agreement=float(rng.uniform(0.86, 0.95)),
        language=str(rng.choice(["pt", "fr", "de"])),
        language_rises=float(rng.uniform(2.3, 3.2)),
        fresh_rises=float(rng.uniform(2.0, 2.8)),
        agreement_falls_to=float(rng.uniform(0.55, 0.68)),
        wrong_rises_to=float(rng.uniform(0.05, 0.09)),
        broken=int(rng.integers(0, 6)),
    )


EVENTS = ("new titles", "a language rises", "a broken reviewer", "wrong facts", "typos double")


def is_named(event: str, world: World, signal: str, part: str) -> bool:
    """Whether an alarm on `signal` of `part` names the event."""
    return {
        "new titles": (signal, part) == ("share", "fresh"),
        "a language rises": (signal, part) == ("share", f"language={world.language}"),
        "a broken reviewer": (signal, part) == ("agreement", f"reviewer=r{world.broken}"),
        "wrong facts": signal == "wrong claim",
        "typos double": signal == "misspelt",
    }[event]


@dataclass(frozen=True)
class Pool:
    """Texts to draw from, each clean and with typing errors, and what a lexicon says of both."""

    table: pa.Table
    misspelt: np.ndarray
    new: np.ndarray


def write_pool(seed: int, rows: int) -> Pool:
    """Generate the pool, and read its texts by the words of training rows."""
    whole = generate(
        seed=seed, train=rows, unlabelled=rows, calibration=0, validation=0, test=rows, critical=0
    )
    splits = np.array(whole["split"].to_pylist())
    lexicon = Lexicon.of(whole.filter(pa.array(splits == "train"))["text"].to_pylist())
    table = whole.filter(pa.array((splits == "test") & ~np.array(whole["noisy"].to_pylist())))
    dice = Dice(f"stream {seed}")
    texts = table["text"].to_pylist()
    both = [lexicon.look(split_words(form)) for form in (texts, [mistype(text, dice) for text in texts])]
    return Pool(table, np.stack([found.misspelt for found in both]), np.stack([found.new for found in both]))


def draw_log(pool: Pool, world: World, seed: int, events: dict[str, int]) -> Logged:
    """Draw the days; `events` says on which watched day each event starts."""
    rng = np.random.default_rng(seed)
    languages, fresh = np.array(pool.table["language"].to_pylist()), np.array(pool.table["fresh"].to_pylist())
    plain = np.where(fresh, world.fresh / max(fresh.mean(), 1e-9), (1 - world.fresh) / (1 - fresh.mean()))
    days, picked, typed = [], [], []
    reviewer, agrees, claim = [], [], []
    for number in range(REFERENCE + WATCHED):
        now = number - REFERENCE
        on = {event for event, start in events.items() if now >= start}
        day = START + timedelta(now)
        weights = plain.copy()
        for place, name in enumerate(sorted(set(languages) - {"en"})):
            swing = 1 + world.weekday * np.sin(2 * np.pi * (day.weekday() + place) / 7)
            weights[languages == name] *= max(0.1, swing + rng.normal(0, world.jitter))
        if "a language rises" in on:
            weights[languages == world.language] *= world.language_rises
        if "new titles" in on:
            weights[fresh] *= world.fresh_rises
        count = int(world.rows_per_day * (0.85 if day.weekday() >= 5 else 1.05))
        rows = rng.choice(len(weights), count, p=weights / weights.sum())
        typos = world.typos * (2 if "typos double" in on else 1) * (1 + rng.normal(0, world.jitter))
        who = np.where(rng.random(count) < world.reviewed, rng.integers(0, world.reviewers, count), -1)
        right = np.full(count, world.agreement)
        if "a broken reviewer" in on:
            right[who == world.broken] = world.agreement_falls_to
        days.append(np.full(count, day.toordinal()))
        picked.append(rows)
        typed.append((rng.random(count) < typos).astype(np.int64))
        reviewer.append(who)
        agrees.append(np.where(who < 0, np.nan, rng.random(count) < right))
        wrong = world.wrong_rises_to if "wrong facts" in on else world.wrong
        claim.append(np.where(rng.random(count) < 0.3, rng.random(count) < wrong, np.nan))
    rows, noise, who = np.concatenate(picked), np.concatenate(typed), np.concatenate(reviewer)
    devices = np.array(pool.table["device"].to_pylist())
    values = {
        "misspelt": pool.misspelt[noise, rows].astype(np.float32),
        "new words": pool.new[noise, rows].astype(np.float32),
        "agreement": np.concatenate(agrees).astype(np.float32),
        "wrong claim": np.concatenate(claim).astype(np.float32),
    }
    columns = {
        "language": {name: languages[rows] == name for name in sorted(set(languages))},
        "device": {name: devices[rows] == name for name in sorted(set(devices))},
        "reviewer": {f"r{one}": who == one for one in range(world.reviewers)},
    }
    return Logged(np.concatenate(days), {"fresh": fresh[rows]}, columns, values)
