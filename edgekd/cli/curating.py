"""What verbs print of data: noisy twins, and what logs say of drift and freshness."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

from edgekd.cli.outcome import Outcome
from edgekd.cli.verbs import open_context


def compare_twins(path: Path, settings: tuple[str, ...], targets: tuple[str, ...]) -> Outcome:
    """Compare answers to noisy twins with those to the clean rows; exit code 1 where a margin is exceeded."""
    context = open_context(path, settings)
    from edgekd.pipeline.twinning import compare_twins as compare

    found = compare(context, targets, shlex.join(["edgekd", *sys.argv[1:]]))
    lines, documents = [], []
    for result in found:
        drop = result.drop
        asked = ""
        if result.margin is not None:
            asked = f", margin {100 * result.margin:g}: {'exceeded' if result.fails else 'not exceeded'}"
        lines.append(
            f"{result.target}: {result.variant}: {result.kind}: {result.clean:.1%} on {drop.n} clean rows, "
            f"{result.noisy:.1%} on their twins; drop {100 * drop.estimate:.1f} points "
            f"({100 * drop.low:.1f} to {100 * drop.high:.1f}){asked}; {result.left_out} rows have no twin"
        )
        document: dict[str, Any] = {
            "target": result.target,
            "variant": result.variant,
            "slice": f"twins:{result.kind}",
            "n": drop.n,
            "left_out": result.left_out,
            "clean": result.clean,
            "noisy": result.noisy,
            "drop": {"estimate": drop.estimate, "low": drop.low, "high": drop.high},
            "margin": result.margin,
            "fails": result.fails,
        }
        documents.append(document)
    failed = any(result.fails for result in found)
    return Outcome(tuple(lines), {"twins": documents, "exit_code": int(failed)}, int(failed))
