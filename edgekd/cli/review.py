"""The verbs of `edgekd review`: what people look at, and what they say."""

from __future__ import annotations

from pathlib import Path

import click

from edgekd.cli.outcome import Outcome, tells

_FILE = click.Path(path_type=Path)
_files = click.argument("judgments", metavar="JUDGMENTS...", type=_FILE, nargs=-1, required=True)
_raters = click.option(
    "--raters", type=_FILE, help="CSV of Label Studio's users: id, name. Without it they are called by id."
)
_level = click.option(
    "--level",
    type=click.Choice(["nominal", "ordinal", "interval", "ratio"]),
    default="nominal",
    show_default=True,
    help="How answers differ.",
)
_out = click.option("--out", type=_FILE, help="File to write.")


@click.group()
def review() -> None:
    """Plan what people look at, read what they say, and learn from it.

    JUDGMENTS are sheets (.csv) that `edgekd review queue` wrote and raters filled in, and exports of Label
    Studio (.json) of the tasks that it wrote.
    """


@review.command()
@click.argument("rows", type=_FILE)
@click.option("--capacity", type=int, required=True, help="Judgments that can be made in a week.")
@click.option("--twice", type=float, default=0.1, show_default=True, help="Share of rows for two raters.")
@click.option("--seed", type=int, default=0, show_default=True, help="Draws the rows for two raters.")
@click.option(
    "--answers",
    metavar="A,B,...",
    help="What raters choose from, for Label Studio; else the rows' own answers.",
)
@click.option("--out", type=_FILE, required=True, help="Sheet (.csv), or tasks for Label Studio (.json).")
@tells
def queue(rows: Path, capacity: int, twice: float, seed: int, answers: str | None, out: Path) -> Outcome:
    """Choose the week's rows of ROWS, most expected gain first, and write them for raters.

    ROWS (.jsonl, .csv, .parquet) hold `id`, `text`, `answer`, and `probability`, `cost`, `reach` or `gain`.
    """
    from edgekd.cli.reviewing import write_queue

    return write_queue(rows, capacity, twice, seed, answers, out)


@review.command()
@_files
@_raters
@_level
@click.option("--order", metavar="A,B,...", help="Answers from lowest to highest, for --level ordinal.")
@tells
def agree(judgments: tuple[Path, ...], raters: Path | None, level: str, order: str | None) -> Outcome:
    """Measure how far raters agree: Krippendorff's alpha of all, Cohen's kappa of every two."""
    from edgekd.cli.reviewing import tell_agreement

    return tell_agreement(judgments, raters, level, order)


@review.command()
@_files
@_raters
@click.option(
    "--adjudicator",
    "adjudicators",
    multiple=True,
    metavar="RATER",
    help="Whose word decides where raters differ; repeatable.",
)
@click.option("--rows", type=_FILE, help="The rows that were reviewed: --out is then rows to learn from.")
@_out
@tells
def decide(
    judgments: tuple[Path, ...],
    raters: Path | None,
    adjudicators: tuple[str, ...],
    rows: Path | None,
    out: Path | None,
) -> Outcome:
    """Decide each row by its raters, and list those that an adjudicator must decide.

    With --rows each decided row is written as a row to learn from, with `label` and `origin`.
    """
    from edgekd.cli.reviewing import tell_decisions

    return tell_decisions(judgments, raters, adjudicators, rows, out)


@review.command()
@_files
@_raters
@click.option("--since", required=True, help="Day from which on raters are compared with before.")
@click.option("--margin", type=float, default=0.05, show_default=True, help="Fall that does not matter.")
@click.option("--known", type=_FILE, help="Rows with `id` and `answer` that are known to be right.")
@tells
def drift(
    judgments: tuple[Path, ...], raters: Path | None, since: str, margin: float, known: Path | None
) -> Outcome:
    """Find raters who judge otherwise than before; exit code 1 where one does."""
    from edgekd.cli.reviewing import tell_drift

    return tell_drift(judgments, raters, since, margin, known)


@review.command()
@click.argument("rows", type=_FILE)
@_files
@_raters
@_level
@click.option("--now", "at", required=True, help="The day, or time, that figures are of.")
@click.option("--weeks", type=int, default=4, show_default=True, help="Weeks that rates are taken over.")
@_out
@tells
def health(
    rows: Path,
    judgments: tuple[Path, ...],
    raters: Path | None,
    level: str,
    at: str,
    weeks: int,
    out: Path | None,
) -> Outcome:
    """Measure how review keeps up with ROWS, all that came in, as a `review_pipeline_health` event."""
    from edgekd.cli.reviewing import tell_health

    return tell_health((rows, *judgments), raters, level, at, weeks, out)


@review.command()
@click.argument("rows", type=_FILE)
@_files
@_raters
@click.option("--corrections", type=int, default=3, show_default=True, help="Least corrections of a kind.")
@click.option("--precision", type=float, default=0.8, show_default=True, help="Least share a rule is right.")
@click.option("--risky", type=float, default=0.3, show_default=True, help="Least share wrong in a slice.")
@tells
def rules(
    rows: Path,
    judgments: tuple[Path, ...],
    raters: Path | None,
    corrections: int,
    precision: float,
    risky: float,
) -> Outcome:
    """Propose settings of `routing` from corrections that are made again and again."""
    from edgekd.cli.reviewing import tell_rules

    return tell_rules((rows, *judgments), raters, corrections, precision, risky)


@review.command()
@click.argument("log", type=_FILE)
@tells
def explain(log: Path) -> Outcome:
    """Say what each `review_pipeline_health` event of a LOG means."""
    from edgekd.cli.reviewing import explain_log

    return explain_log(log)
