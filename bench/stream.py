"""MangaAssist's stream of 90 days: is each planted event named within 7 days, and are quiet days quiet?

    python bench/stream.py --seeds 20 --out docs/results/stream.md

Each seed is one world with five streams of one event each, one with all five, and one quiet one. The last
five seeds have other volumes, rates and sizes of events than the code was written with.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from datetime import timedelta
from pathlib import Path

import numpy as np
from stream_rows import EVENTS, REFERENCE, START, WATCHED, World, change_world, draw_log, is_named, write_pool

from edgekd.curate.drift.streams import add_up
from edgekd.curate.drift.watch import Change, Watching, name_alarms, watch

SETTINGS = Watching(reference=REFERENCE)
LATEST = 60
"""Day on which an event starts at the latest, so that there are days to see it."""


def alarms_of(log) -> tuple[Change, ...]:  # noqa: ANN001
    """Watch a stream."""
    return name_alarms(watch(add_up(log), SETTINGS, START, START + timedelta(WATCHED - 1)))


def delay(alarms: tuple[Change, ...], event: str, world: World, start: int) -> int | None:
    """Return after how many days an event is named; None if never."""
    days = [
        (alarm.day - START).days - start
        for alarm in alarms
        if is_named(event, world, alarm.stream.signal, alarm.stream.slice)
        and (alarm.day - START).days >= start
    ]
    return min(days, default=None)


def count_others(alarms: tuple[Change, ...], world: World, start: int) -> int:
    """Count the alarms after an event's start that name no event."""
    return sum(
        not any(is_named(event, world, alarm.stream.signal, alarm.stream.slice) for event in EVENTS)
        for alarm in alarms
        if (alarm.day - START).days >= start
    )


def run(seeds: int, changed: int, pool_rows: int) -> str:
    """Run all streams and write the table."""
    delays: dict[str, list[int | None]] = defaultdict(list)
    before: list[int] = []
    further: list[int] = []
    quiet: list[int] = []
    rows = []
    for seed in range(seeds):
        world = change_world(World(), seed) if seed >= seeds - changed else World()
        pool = write_pool(seed, pool_rows)
        rng = np.random.default_rng(seed)
        quiet.append(len(alarms_of(draw_log(pool, world, 10 * seed, {}))))
        starts = {event: int(rng.integers(5, LATEST)) for event in EVENTS}
        own = []
        for number, event in enumerate(EVENTS):
            alarms = alarms_of(draw_log(pool, world, 10 * seed + 1 + number, {event: starts[event]}))
            own.append(delay(alarms, event, world, starts[event]))
            delays[event].append(own[-1])
            further.append(count_others(alarms, world, starts[event]))
            before.append(sum((alarm.day - START).days < starts[event] for alarm in alarms))
        alarms = alarms_of(draw_log(pool, world, 10 * seed + 9, starts))
        together = [delay(alarms, event, world, starts[event]) for event in EVENTS]
        for event, days in zip(EVENTS, together, strict=True):
            delays[f"{event}, with the others"].append(days)
        kind = "changed" if seed >= seeds - changed else "as written"
        shown = [*own, *together]
        rows.append(
            f"| {seed} | {kind} | {' | '.join('-' if d is None else str(d) for d in shown)} | {quiet[-1]} |"
        )
        print(rows[-1], flush=True)
    heads = [*EVENTS, *(f"{event}, all at once" for event in EVENTS)]
    lines = [
        "# A stream of 90 days with planted events",
        "",
        f"`python bench/stream.py --seeds {seeds} --changed {changed} --pool {pool_rows}`: days until each "
        "event is named, alone and with the others on, and alarms in 90 quiet days. `-`: never named.",
        "",
        f"| seed | world | {' | '.join(heads)} | quiet: alarms |",
        f"|{' --- |' * (len(heads) + 3)}",
        *rows,
        "",
        "| event | named within 7 days | latest |",
        "| --- | --- | --- |",
    ]
    for event, found in delays.items():
        late = [days for days in found if days is None or days > 7]
        known = [days for days in found if days is not None]
        lines.append(f"| {event} | {len(found) - len(late)} of {len(found)} | {max(known, default='-')} |")
    lines += [
        "",
        f"Quiet streams with more than one alarm: {sum(n > 1 for n in quiet)} of {len(quiet)}; "
        f"alarms in all: {sum(quiet)}. "
        f"Alarms before an event's start: {sum(before)} in {len(before)} streams. Alarms after it that name "
        f"no planted event (what it moved besides, as other shares and words): {sum(further)}.",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--changed", type=int, default=5)
    parser.add_argument("--pool", type=int, default=3000)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    text = run(given.seeds, given.changed, given.pool)
    print(text)
    if given.out is not None:
        given.out.write_text(text, encoding="utf-8")
