"""`edgekd ledger`: check, sign and replay promotions."""

from __future__ import annotations

from pathlib import Path

import click

from edgekd.cli.options import as_json_option, project_argument, set_option
from edgekd.cli.outcome import finish


@click.group()
def ledger() -> None:
    """Look into the ledger of promotions."""


@ledger.command()
@project_argument
@set_option
@click.option("--public-key", type=click.Path(path_type=Path), help="Also: every line is signed by this key.")
@as_json_option
def verify(project: Path, settings: tuple[str, ...], public_key: Path | None, as_json: bool) -> None:
    """Check the chain of every entry, every file that it rests on, and every promoted folder."""
    from edgekd.cli.promotions import verify_chain

    finish(verify_chain(project, settings, public_key), as_json)


@ledger.command()
@project_argument
@set_option
@click.option("--key", type=click.Path(path_type=Path), required=True, help="Ed25519 private key, PEM.")
@as_json_option
def sign(project: Path, settings: tuple[str, ...], key: Path, as_json: bool) -> None:
    """Sign the newest entry, and with it every one before."""
    from edgekd.cli.verbs import sign_chain

    finish(sign_chain(project, settings, key), as_json)


@ledger.command("replay")
@project_argument
@click.argument("number", type=int)
@set_option
@as_json_option
def replay_one(project: Path, number: int, settings: tuple[str, ...], as_json: bool) -> None:
    """Recompute the verdict of an entry, by its line's NUMBER, from the samples that it rests on."""
    from edgekd.cli.verbs import replay_entry

    finish(replay_entry(project, settings, number), as_json)
