"""What a verb ends with."""

from __future__ import annotations

import functools
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from edgekd.errors import naming


@dataclass(frozen=True)
class Outcome:
    """Lines for people, one JSON document for machines, and the exit code."""

    lines: tuple[str, ...]
    document: Any
    exit_code: int = 0


def tells(verb: Callable[..., Outcome]) -> Callable[..., None]:
    """Give a verb the option --json, say what it returns, and end with its exit code."""

    @click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
    @functools.wraps(verb)
    def told(*given: Any, as_json: bool, **named: Any) -> None:
        outcome = verb(*given, **named)
        if os.environ.get("RANK", "0") == "0":  # of several processes under torchrun the first one speaks
            whole = json.dumps(outcome.document, indent=1, allow_nan=False) if as_json else None
            with naming(Path("stdout")):
                for line in outcome.lines if whole is None else (whole,):
                    click.echo(line)
        sys.exit(outcome.exit_code)

    return told
