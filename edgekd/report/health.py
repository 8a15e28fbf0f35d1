"""The health of a project as a page that asks the network for nothing, and as lines for a console."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files

from edgekd.errors import MissingExtraError
from edgekd.health.figure import GROUPS, WHOLE, Figure
from edgekd.health.minimum import Release

WORDS: Mapping[str, str] = {
    "requests_per_second": "requests per second",
    "p50_ms": "p50 latency, ms",
    "p95_ms": "p95 latency, ms",
    "fallback_rate": "share that goes to the teacher",
    "refusal_rate": "share that is refused",
    "teacher_daily_cost_usd": "teacher's cost a day, USD",
    "teacher_preference_match": "answers as the teacher's",
    "human_win_rate": "wins against the incumbent",
    "hallucination_rate": "errors of fact",
    "grounded_rate": "answers that the evidence supports",
    "accuracy": "right answers",
    "best_checkpoint_score": "score of the kept checkpoint",
    "escalation_recall": "escalations found",
    "confident_error_rate": "confident errors",
    "data_age_p50_days": "median age of training rows, days",
    "data_age_p95_days": "age of 95 % of training rows, days",
    "review_backlog": "rows that wait for review",
    "review_delay_days": "days until a row is reviewed",
    "ece": "calibration error (ECE)",
    "brier": "Brier score",
    "kd_loss": "distillation loss",
    "hard_loss": "loss against labels",
    "rare_query_recall": "recall of rare classes",
}
_WHOLE_FROM = 1000
_SHARES = ("rate", "match", "recall", "accuracy")


def print_value(name: str, value: float) -> str:
    """Print a figure's value: shares in percent, others with three digits.

    >>> print_value("fallback_rate", 0.384), print_value("p95_ms", 12.345)
    ('38.4 %', '12.3')
    """
    if name.endswith(_SHARES):
        return f"{100 * value:.1f} %"
    return f"{value:,.0f}" if abs(value) >= _WHOLE_FROM else f"{value:.3g}"


def worst_first(figures: Sequence[Figure]) -> list[Figure]:
    """Sort figures that have a target by how far they are from it, relative to it; the worst first."""

    def distance(figure: Figure) -> float:
        assert figure.target is not None
        over = figure.value - figure.target.limit
        return (over if figure.target.at_most else -over) / max(abs(figure.target.limit), 1e-9)

    held = [figure for figure in figures if figure.target is not None]
    return sorted(held, key=distance, reverse=True)


def health_lines(figures: Sequence[Figure], release: Release, alerts: Sequence[str]) -> Iterator[str]:
    """Say what is wrong first, then the minimum set, then all of the traffic as a whole."""
    bad = [figure for figure in worst_first(figures) if figure.state == "bad"]
    for figure in bad:
        yield f"bad: {_say(figure)}"
    yield from (f"alert: {line}" for line in alerts)
    yield from release.lines
    for name, reason in release.left_out.items():
        yield f"{name} is left out: {reason}"
    for group in GROUPS:
        for figure in figures:
            if figure.group == group and figure.slice == WHOLE and figure not in bad:
                yield f"{group}: {_say(figure)}"


def _say(figure: Figure) -> str:
    where = "" if figure.slice == WHOLE else f" of {figure.slice}"
    shown = print_value(figure.name, figure.value)
    if figure.low != figure.high:
        ends = (print_value(figure.name, end) for end in (figure.low, figure.high))
        shown += f" ({' to '.join(ends)})"
    if figure.before is not None:
        shown += f", was {print_value(figure.name, figure.before)}"
    if figure.target is not None:
        side = "most" if figure.target.at_most else "least"
        shown += f"; target at {side} {print_value(figure.name, figure.target.limit)}"
    return f"{WORDS.get(figure.name, figure.name)}{where}: {shown} [{figure.source}]"


def render_health(project: str, figures: Sequence[Figure], release: Release, alerts: Sequence[str]) -> str:
    """Render the page.

    Raises:
        MissingExtraError: if jinja2 is not installed.
    """
    try:
        from jinja2 import Environment, StrictUndefined
    except ImportError:
        raise MissingExtraError("jinja2", "report") from None
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"worded": lambda name: WORDS.get(name, name)}
    template = files("edgekd.report.templates").joinpath("health.html.j2").read_text(encoding="utf-8")
    return environment.from_string(template).render(
        project=project,
        groups=GROUPS,
        figures=sorted(figures, key=lambda figure: (figure.name, figure.slice != WHOLE, figure.slice)),
        worst=[figure for figure in worst_first(figures) if figure.state in ("bad", "unsure")],
        release=release,
        alerts=alerts,
        value=print_value,
        whole=WHOLE,
    )
