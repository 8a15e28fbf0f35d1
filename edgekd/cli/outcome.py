"""What a verb ends with."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from typing import Any, NoReturn

import click


@dataclass(frozen=True)
class Outcome:
    """Lines for people, one JSON document for machines, and the exit code."""

    lines: tuple[str, ...]
    document: Any
    exit_code: int = 0


def finish(outcome: Outcome, as_json: bool) -> NoReturn:
    """Say what a verb found, and end with its exit code."""
    if os.environ.get("RANK", "0") != "0":  # of several processes under torchrun the first one speaks
        sys.exit(outcome.exit_code)
    if as_json:
        click.echo(json.dumps(outcome.document, indent=1, allow_nan=False))
    else:
        for line in outcome.lines:
            click.echo(line)
    sys.exit(outcome.exit_code)
