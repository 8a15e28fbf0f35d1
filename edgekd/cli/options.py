"""What most verbs take."""

from __future__ import annotations

from pathlib import Path

import click

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
project_argument = click.argument("project", type=click.Path(path_type=Path), default="edgekd.yaml")
set_option = click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="Override a key of the file."
)
