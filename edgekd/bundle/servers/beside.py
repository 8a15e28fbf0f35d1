"""The files beside a model repository: tokenizer, labels, golden answers, the client and its settings."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from edgekd.bundle.servers.served import Served

LABELS = "labels.txt"


def write_beside(served: Served, folder: Path, inputs: Sequence[str]) -> None:
    """Write what a client needs; `inputs` are the model's, ids first, then masks."""
    source = served.artifact.path
    shutil.copyfile(source / "tokenizer.json", folder / "tokenizer.json")
    shutil.copyfile(Path(__file__).with_name("client.py"), folder / "client.py")
    calibration = json.loads((source / "calibration.json").read_text(encoding="utf-8"))
    settings = {
        "model": served.name,
        "inputs": list(inputs),
        "output": served.manifest["output"]["name"],
        "max_tokens": served.manifest["max_tokens"],
        "temperature": calibration["temperature"],
    }
    (folder / "client.json").write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")
    write_labels(served, folder / LABELS)
    if served.golden:
        lines = (json.dumps(asdict(row), ensure_ascii=False) + "\n" for row in served.golden)
        (folder / "golden.jsonl").write_text("".join(lines), encoding="utf-8")


def write_labels(served: Served, path: Path) -> None:
    """Write one label a line, in the order of the logits."""
    path.write_text("".join(f"{label}\n" for label in served.manifest["labels"]), encoding="utf-8")
