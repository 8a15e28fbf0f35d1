"""Answer texts from the command line: `python -m serving "where is my order?"` in the artifact."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from . import ServingError, load
from .respond import respond, round_numbers


def main(arguments: Sequence[str]) -> int:
    """Print one JSON line per text: texts of the arguments, else of stdin, where each line is one."""
    asked = _read(arguments)
    try:
        model = load(Path(__file__).resolve().parent.parent)
        for text in asked.texts or map(str.rstrip, sys.stdin):
            said = respond(model, model.parse(text), asked.slices, student_only=asked.student_only)
            line = {
                **{name: round_numbers(value) for name, value in said.items()},
                "model": model.digest[:12],
            }
            print(json.dumps(line, ensure_ascii=False), flush=True)
    except ServingError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _read(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m serving",
        description="Answer texts, as the artifact's routing policy says where it has one.",
        epilog="A text that begins with a dash comes after --. Where the artifact orders candidates, each "
        'text is JSON: {"query": "...", "candidates": ["...", ...]}.',
    )
    parser.add_argument("texts", nargs="*", metavar="TEXT", help="each is answered; else each line of stdin")
    parser.add_argument(
        "--slice",
        dest="slices",
        action="append",
        default=[],
        metavar="NAME",
        help="a slice that these texts are known to be in, such as a language; repeatable",
    )
    parser.add_argument(
        "--student-only",
        action="store_true",
        help="answer without the policy, which the gate did not judge by itself",
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
