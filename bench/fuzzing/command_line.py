"""Inputs of the command line itself: its words, in this process as a shell would give them."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from pathlib import Path
from random import Random

from yaml import safe_dump

from edgekd.cli.main import main
from edgekd.errors import BadInputError
from fuzzing.reader import Input, Reader
from fuzzing.rows import to_lines
from fuzzing.settings import PROJECT
from fuzzing.values import YAML

VERBS = (
    "check",
    "run",
    "show",
    "diagnose",
    "predict",
    "bench",
    "compile",
    "bundle",
    "ledger verify",
    "gate",
    "plan",
    "doctor",
)
WORDS = (
    *(
        "p.yaml",
        "gone.yaml",
        ".",
        "rows.jsonl",
        "targets",
        "models",
        "schema",
        "runs",
        "--json",
        "--help",
        "--plan",
        "-x",
        "--",
        "1",
    ),
    *(
        "--target",
        "gpu",
        "lamda-x86",
        "../x",
        "--set",
        "seed=1",
        "seed=true",
        "--texts",
        "--out",
        "p.yaml/x",
        "--baseline",
        "--on",
    ),
    *(
        "ssh://nobody@localhost:1",
        "--live",
        "rows.jsonl",
        "--shadow",
        "--loss",
        "nan",
        "1e400",
        "-1",
        "",
        "漫画",
        "--effect",
        "0",
    ),
    *(
        "--memory",
        "9" * 30,
        "--also",
        "floor",
        "--count",
        "x" * 5000,
        "a\nb",
        "--expects",
        "abc",
        "--slice",
        "--student-only",
    ),
)


def make_words(rng: Random) -> Input:
    """Draw words of the command line, of verbs that end before anything is trained."""
    files = {
        "p.yaml": safe_dump({**PROJECT, "data": {"source": "rows.jsonl"}}).encode(),
        "rows.jsonl": to_lines([{"text": "a"}]),
    }
    words = [*rng.choice(VERBS).split(), *(rng.choice(WORDS) for _ in range(rng.randrange(0, 5)))]
    if rng.random() < 0.3:
        words += ["--set", f"{rng.choice(('seed', 'data.source', 'students'))}={rng.choice(YAML)}"]
    return Input(files, {"words": words})


def read_words(given: Input, folder: Path) -> None:
    """Say the words; what is printed on stderr is one line where the exit code is not 0."""
    out, err, before = io.StringIO(), io.StringIO(), (sys.argv, Path.cwd())
    code = 0
    try:
        os.chdir(folder)
        sys.argv = ["edgekd", *given.values["words"]]
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main()
    except SystemExit as stop:
        code = int(stop.code or 0)
    finally:
        sys.argv = before[0]
        os.chdir(before[1])
    lines = [line for line in err.getvalue().splitlines() if line.startswith("edgekd: ")]
    said = f"{given.values['words']!s:.200}: {lines!s:.300}"
    if "Traceback" in err.getvalue() or "a defect" in err.getvalue() or code not in (0, 1, 2, 3):
        raise AssertionError(f"exit code {code}: {said}")
    if code in (2, 3) and len(lines) != 1:
        raise AssertionError(f"exit code {code} with {len(lines)} lines: {said}")
    if code in (2, 3):
        raise BadInputError(lines[0])


READERS = (Reader("command line", make_words, read_words),)
