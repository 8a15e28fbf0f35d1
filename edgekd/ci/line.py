"""A comparison in one line, and the words that every output shares."""

from __future__ import annotations

import re
from typing import Literal

from edgekd.measure.compare import Change, Comparison
from edgekd.measure.result import BenchResult
from edgekd.stats.interval import Interval
from edgekd.units import format_ms

Outcome = Literal["passed", "slower", "too noisy"]
"""What a job makes of a comparison: only `passed` is a pass."""

# Line breaks, other control characters (XML cannot hold them) and half surrogate pairs.
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff\ud800-\udfff]+")


def judge(comparison: Comparison) -> Outcome:
    """Say what a job makes of it: slower in either figure fails; too noisy to tell at p50 is no pass either.

    p95 alone may be too noisy: a comparison ends once p50 is clear, which is long before p95 has to be.
    """
    if "slower" in (comparison.p50.verdict, comparison.p95.verdict):
        return "slower"
    return "too noisy" if comparison.p50.verdict == "too noisy" else "passed"


def verdict_words(comparison: Comparison) -> str:
    """Say p50's verdict, and p95's where that alone is slower."""
    if comparison.p95.verdict == "slower" != comparison.p50.verdict:
        return f"slower at p95, {comparison.p50.verdict} at p50"
    return comparison.p50.verdict


def comparison_line(comparison: Comparison) -> str:
    """Say everything that decides in one line.

    Example:
        "slower: p50 +10.1 % [+9.4 to +10.8], p95 +9.8 % [+6.1 to +13.6]; 6 rounds, 6.1 s: static@ab12cd34
        against static@99ee00aa"
    """
    return (
        f"{verdict_words(comparison)}: p50 {print_change(comparison.p50)}, "
        f"p95 {print_change(comparison.p95)}; "
        f"{comparison.rounds} rounds, {comparison.seconds:.1f} s: {print_names(comparison)}"
    )


def result_line(result: BenchResult, name: str) -> str:
    """Say how fast a subject is that was measured without a baseline, in one line."""
    p50, p95 = (_print_ms(result.percentile(name, q)) for q in (0.5, 0.95))
    rounds = len(result.subject(name).processes)
    return f"no baseline: p50 {p50}, p95 {p95}; {rounds} rounds: {one_line(name)}"


def print_names(comparison: Comparison) -> str:
    """Name both sides, printable."""
    return f"{one_line(comparison.candidate)} against {one_line(comparison.baseline)}"


def print_change(change: Change) -> str:
    """Print how much slower a percentile is, in percent of the baseline's, with its interval."""
    ratio = change.ratio
    if ratio is None:
        return "not known (too few rounds or calls)"
    return f"{_percent(ratio.estimate)} % [{_percent(ratio.low)} to {_percent(ratio.high)}]"


def what_to_do(comparison: Comparison) -> str:
    """Say what may help where a comparison was too noisy: what was seen, else what always helps."""
    if comparison.result.flags:
        return one_line(comparison.result.flags[0])
    return "stop other work on the machine, or give it more time, and compare again"


def one_line(text: str) -> str:
    r"""Put a text on one line that every output can hold.

    >>> one_line("a\nb\x00")
    'a b'
    """
    return _UNPRINTABLE.sub(" ", text).strip()


def _print_ms(ns: Interval | None) -> str:
    if ns is None:
        return "not known (too few calls)"
    return f"{format_ms(ns.estimate / 1e6)} [{format_ms(ns.low / 1e6)} to {format_ms(ns.high / 1e6)}]"


def _percent(ratio: float) -> str:
    return f"{round(100 * (ratio - 1), 1) + 0.0:+.1f}"  # adding 0.0 makes -0.0 a zero
