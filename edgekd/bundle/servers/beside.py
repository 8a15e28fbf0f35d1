"""The files beside a model repository: tokenizer, labels, golden answers, the client and how it decides.

A server gives outputs. The client makes answers of them with the artifact's own `calibration.json` and the
code that was judged, `serving/`: the artifact's head, and what that needs.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import edgekd.serving
from edgekd.bundle.servers.served import Served
from edgekd.serving.heads import import_head

LABELS = "labels.txt"


def write_beside(served: Served, folder: Path, inputs: Sequence[str]) -> None:
    """Write what a client needs; `inputs` are the model's, ids first, then masks."""
    source = served.artifact.path
    shutil.copyfile(source / "tokenizer.json", folder / "tokenizer.json")
    shutil.copyfile(Path(__file__).with_name("client.py"), folder / "client.py")
    shutil.copyfile(source / "calibration.json", folder / "calibration.json")
    _copy_head(served, folder / "serving")
    settings = {
        "model": served.name,
        "head": served.artifact.head.name,
        "inputs": list(inputs),
        "output": served.manifest["output"]["name"],
        "max_tokens": served.manifest["max_tokens"],
    }
    (folder / "client.json").write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")
    write_labels(served, folder)
    if served.golden:
        lines = (json.dumps(row.to_json(), ensure_ascii=False) + "\n" for row in served.golden)
        (folder / "golden.jsonl").write_text("".join(lines), encoding="utf-8")


def write_labels(served: Served, folder: Path) -> None:
    """Write one label a line, in the order of the outputs; no file where there are no labels."""
    labels = served.artifact.head.labels
    if labels:
        (folder / LABELS).write_text("".join(f"{label}\n" for label in labels), encoding="utf-8")


def _copy_head(served: Served, folder: Path) -> None:
    """Copy the modules that make an answer of outputs; they need numpy and one another."""
    name = served.artifact.head.name
    own = served.artifact.path / "serving"
    source = (
        own if (own / "heads").is_dir() else Path(edgekd.serving.__file__).parent
    )  # before there were any
    (folder / "heads").mkdir(parents=True)
    for module in ("errors", "heads/__init__", f"heads/{name}", *import_head(name).NEEDS):
        shutil.copyfile(source / f"{module}.py", folder / f"{module}.py")
