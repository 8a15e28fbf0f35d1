"""The job's summary: one table, then what is doubtful about it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from edgekd.ci.cases import CaseOutcome, JobCase
from edgekd.ci.line import Outcome, judge, one_line, print_change, print_names, verdict_words
from edgekd.measure.compare import Comparison

_MARK: dict[Outcome, str] = {"passed": "✅", "slower": "❌", "too noisy": "⚠️"}
_CASE_MARK: dict[CaseOutcome, str] = {"passed": "✅", "failed": "❌", "error": "❌", "skipped": "⚠️"}
_SPECIAL = re.compile(r"[\\`*_\[\]<>|~&#!$@]")
_HEADS = ("What", "Verdict", "p50", "p95", "Rounds", "Seconds")


def render_summary(comparisons: Sequence[Comparison], cases: Sequence[JobCase] = ()) -> str:
    """Render comparisons and the other cases as GitHub-flavoured Markdown."""
    parts = [f"# Latency: {_headline(comparisons, cases)}"]
    if comparisons:
        rows = [
            (
                _escape(print_names(comparison)),
                f"{_MARK[judge(comparison)]} {_escape(verdict_words(comparison))}",
                print_change(comparison.p50),
                print_change(comparison.p95),
                str(comparison.rounds),
                f"{comparison.seconds:.1f}",
            )
            for comparison in comparisons
        ]
        rule = ("---", "---", *["---:"] * 4)
        parts += [_table((_HEADS, rule, *rows)), _reading(comparisons)]
    if cases:
        found = [
            (
                _escape(one_line(case.subject)),
                f"{_CASE_MARK[case.outcome]} {_escape(one_line(case.name))}",
                _escape(one_line(case.line)),
            )
            for case in cases
        ]
        parts.append(_table((("What", "Case", "Found"), ("---",) * 3, *found)))
    flags = [
        f"- {_escape(print_names(comparison))}: {_escape(one_line(flag))}"
        for comparison in comparisons
        for flag in comparison.result.flags
    ]
    if flags:
        parts += ["## What makes this doubtful", "\n".join(flags)]
    return "\n\n".join(parts) + "\n"


def _table(rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def _headline(comparisons: Sequence[Comparison], cases: Sequence[JobCase]) -> str:
    outcomes = [judge(comparison) for comparison in comparisons]
    counts = {outcome: outcomes.count(outcome) for outcome in _MARK}
    said = [f"{count} {outcome}" for outcome, count in counts.items() if count and outcome != "passed"]
    if said:
        said[-1] += f" of {len(outcomes)}"
    for outcome, words in (("failed", "over a limit"), ("error", "not measured")):
        if count := sum(case.outcome == outcome for case in cases):
            said.append(f"{count} {words}")
    if said:
        return ", ".join(said)
    return "nothing is slower" if comparisons else "nothing was compared"


def _reading(comparisons: Sequence[Comparison]) -> str:
    """Say how the figures are to be read, with the confidence that they were made with."""
    rule = comparisons[0].p50.rule
    return (
        f"Figures are of the first over the second, positive is slower; brackets hold {rule.confidence:.1%} "
        f"intervals. A change in p50 is called where the whole interval lies beyond {rule.guard:.0%}, "
        f"none where it lies within {rule.effect:.0%}; between the two it is too noisy to say."
    )


def _escape(text: str) -> str:
    """Escape what Markdown, GitHub's mentions and HTML would read as theirs."""
    return _SPECIAL.sub(lambda found: f"&#{ord(found[0])};", text)
