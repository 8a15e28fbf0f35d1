"""The table of `verdicts.py`: false alarms, power, and the smallest p95 effect that is found.

python bench/verdicts_table.py    # reads docs/results/verdicts.jsonl, writes verdicts.md beside it
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from verdicts import FILE, read_lines

from edgekd.measure.verdict import P50_RULE, P95_RULE, judge_rounds
from edgekd.stats.proportion import exact_upper_bound, wilson_interval

TABLE = FILE.with_suffix(".md")
DEADLINE_SECONDS, DRAWS = 20.0, 400
Lines = Sequence[dict]


def count(lines: Lines, *verdicts: str) -> int:
    """Count the lines with one of these verdicts on p50."""
    return sum(line["p50"] in verdicts for line in lines)


def select(lines: Lines, slowdown: float, neighbour: str = "", size: str = "") -> list[dict]:
    """Return the lines of a slow-down, and of a neighbour and a size where they are given."""
    return [
        line
        for line in lines
        if line["slowdown"] == slowdown
        and neighbour in ("", line["neighbour"])
        and size in ("", line["size"])
    ]


def row(name: str, lines: Lines, found: Sequence[str]) -> str:
    """Return one row: how often each verdict came, and how long it took."""
    hits, n = count(lines, *found), len(lines)
    seconds = [line["seconds"] for line in lines]
    interval = wilson_interval(hits, n)
    share = f"{hits / n:.1%} [{interval.low:.1%}-{interval.high:.1%}]"
    if "faster" in found:
        share = f"{hits / n:.2%} (95 % bound {exact_upper_bound(hits, n):.2%})"
    return (
        f"| {name} | {n} | {count(lines, 'slower')} | {count(lines, 'faster')} | {count(lines, 'no change')} "
        f"| {count(lines, 'too noisy')} | {share} | {np.median([line['rounds'] for line in lines]):.0f} "
        f"| {np.median(seconds):.1f} / {max(seconds):.1f} |"
    )


def p95_alarms(lines: Lines) -> str:
    """Say how often p95 alone was called slower or faster."""
    found = [judge_rounds(np.array(line["log_p95"]), P95_RULE)[0] for line in lines]
    called = sum(verdict in ("slower", "faster") for verdict in found)
    return (
        f"p95, judged by its own rule on the same rounds: {called} of {len(found)} called slower or faster "
        f"(95 % bound {exact_upper_bound(called, len(found)):.2%}), {found.count('no change')} no change, "
        f"{found.count('too noisy')} too noisy."
    )


def smallest_p95_effect(lines: Lines, rounds: int) -> float | None:
    """Find the smallest slow-down of p95 that is called in 90 % of comparisons of so many rounds.

    By resampling the recorded rounds' log ratios (less the slow-down that was put in) and adding an effect.
    """
    logs = np.concatenate([np.array(line["log_p95"]) - np.log1p(line["slowdown"]) for line in lines])
    drawn = np.random.default_rng(0).choice(logs, (DRAWS, rounds))
    for effect in np.arange(0.03, 1.0, 0.01):
        if np.mean([judge_rounds(d + np.log1p(effect), P95_RULE)[0] == "slower" for d in drawn]) >= 0.9:
            return float(effect)
    return None


def write_table() -> None:
    """Write the table of all that was measured so far."""
    lines: Lines = read_lines(FILE)
    head = (
        "| what | comparisons | slower | faster | no change | too noisy | {} | rounds (median) "
        "| seconds (median / most) |\n"
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    )
    sizes = sorted({line["size"] for line in lines})
    medians = ", ".join(
        f"{size}: p50 {np.median([line['p50_us'] for line in lines if line['size'] == size]):.0f} us"
        for size in sizes
    )
    text = [
        "# How often a verdict is right", "",
        f"{len(lines)} comparisons, each in fresh processes and at most 20 s long, as "
        f"`edgekd bench ARTIFACT --baseline OTHER` runs them. Call times: {medians}.",
        "While the study ran its cells of 5 % were cut from 34 to 20 comparisons, to save time; what was "
        "measured by then is kept. The engine is that of commit f50022d.",
        f"A change of p50 is called where the whole {P50_RULE.confidence:.1%} interval lies beyond "
        f"{P50_RULE.guard:.0%}, none where it lies within {P50_RULE.effect:.0%}; looked at after each round "
        f"from the {P50_RULE.min_rounds}th. Busy: another process works in bursts of 0.3 s on average, "
        "as often as not.",
        "", "## A/A: an artifact against itself", "", head.format("false alarms"),
        *(row(f"{size}, {kind}", select(lines, 0.0, kind, size), ("slower", "faster"))
          for size in sizes for kind in ("quiet", "busy")),
        row("**all**", select(lines, 0.0), ("slower", "faster")),
        "", p95_alarms(select(lines, 0.0)),
        "", "## A/B: slowed down within every call", "", head.format("found"),
        *(row(f"{slow:.0%}, {kind}", select(lines, slow, kind), ("slower",))
          for slow in (0.05, 0.03) for kind in ("quiet", "busy")),
        row("3%, under a millisecond",
            select(lines, 0.03, size="0.1 ms") + select(lines, 0.03, size="0.6 ms"), ("slower",)),
        row("3%, 2.5 ms", select(lines, 0.03, size="2.5 ms"), ("slower",)),
        *(row(f"{slow:.0%}, {size}, {kind}", select(lines, slow, kind, size), ("slower",))
          for slow in (0.05, 0.03) for size in sizes for kind in ("quiet", "busy")),
        "", "## p95", "",
        "The smallest slow-down of p95 that is found 90 % of the time, by resampling the recorded rounds. "
        "A comparison ends with the verdict on p50, often after 5 rounds; the last column is what 20 s would "
        "give.", "", "| call | neighbour | spread of a round's p95 ratio (SD) | 5 rounds | 20 s |",
        "| --- | --- | ---: | ---: | ---: |",
    ]  # fmt: skip
    for size in sizes:
        for kind in ("quiet", "busy"):
            part = [line for line in lines if line["size"] == size and line["neighbour"] == kind]
            pace = np.median([line["seconds"] / line["rounds"] for line in part])
            logs = np.concatenate([np.array(line["log_p95"]) - np.log1p(line["slowdown"]) for line in part])
            found = [smallest_p95_effect(part, rounds) for rounds in (5, int(DEADLINE_SECONDS / pace))]
            shown = " | ".join("over 100 %" if effect is None else f"{effect:.0%}" for effect in found)
            text.append(f"| {size} | {kind} | {np.std(logs):.1%} | {shown} |")
    text += ["", "```sh", "python bench/verdicts.py && python bench/verdicts_table.py", "```"]
    TABLE.write_text("\n".join(text) + "\n", encoding="utf-8")
    print("\n".join(text))


if __name__ == "__main__":
    write_table()
