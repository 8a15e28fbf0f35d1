"""What the studies measure: artifacts that a study's run made, and validation texts of CLINC150."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path

from edgekd.compile import open_artifact
from edgekd.export.graph import open_graph
from edgekd.serving.heads import read_head

DIGEST = "[0-9a-f]" * 8
"""What a run's folder ends on."""
HERE = Path(__file__).resolve().parent
_TEXTS = HERE.parent.parent / "shared" / "data" / "clinc150" / "clinc150.jsonl.gz"


def find_artifact(variant: str, *, target: str = "lambda-x86", study: str = "clinc150") -> Path:
    """Return the newest artifact of a variant that a study made for a target; ends where there is none."""
    found = list(HERE.glob(f"studies/.edgekd/runs/{study}-{DIGEST}/artifacts/{target}/{variant}"))
    if not found:
        sys.exit(f"no artifact {variant}: run edgekd run bench/studies/{study}.yaml first")
    return max(found, key=lambda path: path.stat().st_mtime).resolve()


def find_export(artifact: Path) -> Path:
    """Return the exported graph that an artifact was compiled from: of its student, before any recipe."""
    made = open_artifact(artifact).manifest
    found = HERE.glob(f"studies/.edgekd/store/export/{made['student']}/*/student.onnx")
    for path in found:
        graph = open_graph(
            path,
            path.parent / "tokenizer.json",
            student=made["student"],
            kind=made["student_kind"],
            head=read_head(made),
            max_tokens=made["max_tokens"],
        )
        if graph.digest == made["provenance"]["graph"]:
            return path
    sys.exit(f"{artifact}: the graph that it was compiled from is not in the store; run its study again")


def validation_texts() -> list[str]:
    """Read the texts of the validation rows, in the order of the file."""
    return read_texts("val")


def read_texts(split: str) -> list[str]:
    """Read the texts of the splits whose names begin so, in the order of the file."""
    with gzip.open(_TEXTS, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    return [row["text"] for row in rows if row["split"].startswith(split)]
