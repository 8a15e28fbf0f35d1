"""The verbs of `edgekd claims`: what a teacher claims, held against what is known."""

from __future__ import annotations

from pathlib import Path

import click

from edgekd.cli.options import set_option as _set
from edgekd.cli.outcome import Outcome, tells

_FILE = click.Path(path_type=Path)
_out = click.option("--out", type=_FILE, help="Write what was found as JSON lines.")
_confident = click.option(
    "--confident", type=float, default=0.9, show_default=True, help="From this probability on one is sure."
)


@click.group()
def claims() -> None:
    """Hold claims against records, and measure what errors of fact a student copied."""


@claims.command()
@click.argument("rows", type=_FILE)
@click.argument("project", type=_FILE, default="edgekd.yaml")
@_set
@_out
@tells
def check(rows: Path, project: Path, settings: tuple[str, ...], out: Path | None) -> Outcome:
    """Give each claim of ROWS its verdict by the rules of PROJECT, and say what becomes of it.

    ROWS (.jsonl, .csv, .parquet) hold the columns that the rules read, `claim`, and `confidence`.
    """
    from edgekd.cli.claiming import check_rows

    return check_rows(rows, project, settings, out)


@claims.command()
@click.argument("rows", metavar="CLAIMS", type=_FILE)
@click.option("--records", type=_FILE, required=True, help="Catalogue: .parquet, .csv, .jsonl, or DuckDB.")
@click.option("--key", required=True, help="Column of the catalogue that names a record.")
@click.option("--table", help="Table of a DuckDB database.")
@_out
@tells
def fields(rows: Path, records: Path, key: str, table: str | None, out: Path | None) -> Outcome:
    """Give each of CLAIMS (`subject`, `field`, `value`) its verdict by the record of that name."""
    from edgekd.cli.claiming import check_record_fields

    return check_record_fields(rows, records, key, table, out)


@claims.command()
@click.argument("answers", type=_FILE)
@click.option("--slice", "slice_column", metavar="COLUMN", help="Measure each value of a column, too.")
@_confident
@_out
@tells
def figures(answers: Path, slice_column: str | None, confident: float, out: Path | None) -> Outcome:
    """Measure errors of fact over ANSWERS (`teacher`, `student`, `truth`), and what the student copied."""
    from edgekd.cli.claiming import measure_errors

    return measure_errors(answers, slice_column, confident, out)


@claims.command()
@click.argument("targets", type=_FILE)
@click.option(
    "--filter",
    "filters",
    multiple=True,
    required=True,
    metavar="COLUMN",
    help="Column that says from 0 to 1 how much a target counts after a filter; repeatable, in order.",
)
@_out
@tells
def left(targets: Path, filters: tuple[str, ...], out: Path | None) -> Outcome:
    """Measure which share of TARGETS is false (column `is_false`) before and after filters."""
    from edgekd.cli.claiming import measure_filters

    return measure_filters(targets, filters, out)


@claims.command()
@click.argument("log", type=_FILE)
@tells
def explain(log: Path) -> Outcome:
    """Say what each `distill_eval_slice` event of a LOG means, and which cannot be of one set of rows."""
    from edgekd.cli.claiming import explain_log

    return explain_log(log)
