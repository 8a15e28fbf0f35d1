"""What most verbs take."""

from __future__ import annotations

import re
from pathlib import Path

import click

project_argument = click.argument("project", type=click.Path(path_type=Path), default="edgekd.yaml")
anyway_option = click.option(
    "--anyway", is_flag=True, help="Let out what the newest verdict fails; the card and the ledger say so."
)
set_option = click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="Override a key of the file."
)
target_option = click.option(
    "--target", "targets", multiple=True, metavar="NAME", help="Only this target; repeatable."
)


def check_digest(given: str | None, *words: str) -> str | None:
    """Refuse what is no beginning of a digest, 8 digits at least, nor one of the words.

    Raises:
        click.UsageError: it is neither.
    """
    if given is None or given in words or re.fullmatch(r"[0-9a-f]{8,64}", given):
        return given
    allowed = "".join(f", or {word}" for word in words)
    raise click.UsageError(
        f"--expects: expected the first 8 digits or more of a digest{allowed}, got {given!r}"
    )
