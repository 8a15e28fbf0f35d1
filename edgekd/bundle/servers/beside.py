"""The files beside a model repository: tokenizer, labels, golden answers, the client and how it decides.

A server gives logits. The client makes answers of them with the artifact's own `calibration.json` and the
code that was judged, `serving/`: temperature, decision bias, routing policy.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from edgekd.bundle.servers.served import Served

LABELS = "labels.txt"
_DECIDING = ("errors", "calibrate", "route")
"""The modules that make an answer of logits; they need numpy and one another."""


def write_beside(served: Served, folder: Path, inputs: Sequence[str]) -> None:
    """Write what a client needs; `inputs` are the model's, ids first, then masks."""
    source = served.artifact.path
    shutil.copyfile(source / "tokenizer.json", folder / "tokenizer.json")
    shutil.copyfile(Path(__file__).with_name("client.py"), folder / "client.py")
    shutil.copyfile(source / "calibration.json", folder / "calibration.json")
    (folder / "serving").mkdir()
    for name in _DECIDING:
        shutil.copyfile(source / "serving" / f"{name}.py", folder / "serving" / f"{name}.py")
    settings = {
        "model": served.name,
        "inputs": list(inputs),
        "output": served.manifest["output"]["name"],
        "max_tokens": served.manifest["max_tokens"],
    }
    (folder / "client.json").write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")
    write_labels(served, folder / LABELS)
    if served.golden:
        lines = (json.dumps(asdict(row), ensure_ascii=False) + "\n" for row in served.golden)
        (folder / "golden.jsonl").write_text("".join(lines), encoding="utf-8")


def write_labels(served: Served, path: Path) -> None:
    """Write one label a line, in the order of the logits."""
    path.write_text("".join(f"{label}\n" for label in served.manifest["labels"]), encoding="utf-8")
