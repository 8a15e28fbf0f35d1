"""`edgekd ledger`: check, sign and replay promotions."""

from __future__ import annotations

from pathlib import Path

import click

from edgekd.cli.options import project_argument, set_option
from edgekd.cli.outcome import Outcome, tells


@click.group()
def ledger() -> None:
    """Look into the ledger of promotions."""


@ledger.command()
@project_argument
@set_option
@click.option("--public-key", type=click.Path(path_type=Path), help="Also: every line is signed by this key.")
@tells
def verify(project: Path, settings: tuple[str, ...], public_key: Path | None) -> Outcome:
    """Check the chain of every entry, every file that it rests on, and every promoted folder."""
    from edgekd.cli.promotions import verify_chain

    return verify_chain(project, settings, public_key)


@ledger.command()
@project_argument
@set_option
@click.option("--key", type=click.Path(path_type=Path), required=True, help="Ed25519 private key, PEM.")
@tells
def sign(project: Path, settings: tuple[str, ...], key: Path) -> Outcome:
    """Sign the newest entry, and with it every one before."""
    from edgekd.cli.verbs import sign_chain

    return sign_chain(project, settings, key)


@ledger.command("replay")
@project_argument
@click.argument("number", type=int)
@set_option
@tells
def replay_one(project: Path, number: int, settings: tuple[str, ...]) -> Outcome:
    """Recompute the verdict of an entry, by its line's NUMBER, from the samples that it rests on."""
    from edgekd.cli.verbs import replay_entry

    return replay_entry(project, settings, number)
