"""The verbs of `edgekd logs`: what a service has logged."""

from __future__ import annotations

from pathlib import Path

import click

from edgekd.cli.outcome import Outcome, tells


@click.group()
def logs() -> None:
    """Logs that a service writes with edgekd.serve_log."""


@logs.command()
@click.argument("folder", type=click.Path(path_type=Path))
@tells
def pack(folder: Path) -> Outcome:
    """Pack the days of a log into Parquet; FOLDER is the log's hot/ or audit/ folder."""
    from dataclasses import asdict

    from edgekd.curate.logs.pack import pack_log

    found = pack_log(folder)
    smaller = f", {found.bytes_before / found.bytes_now:.1f} times smaller" if found.bytes_now else ""
    return Outcome((f"{found.files:,} files, {found.rows:,} rows packed{smaller}",), asdict(found))
