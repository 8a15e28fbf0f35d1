"""The files beside a model repository: tokenizer, labels, golden answers, the client and how it decides.

A server gives outputs. The client makes answers of them with the artifact's own `calibration.json` and the
code that was judged, `serving/`: the artifact's head, and what that needs. Where a request has candidates,
that code reads them, too. Of two models that rank in turn the first has its tokenizer and settings in
`first/`.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import edgekd.serving
from edgekd.bundle.servers.served import Served
from edgekd.compile import Artifact
from edgekd.errors import BadInputError
from edgekd.serving.characters import NAME as CHARACTERS
from edgekd.serving.heads import describe_head, import_head
from edgekd.serving.heads.rank import FIRST

LABELS = "labels.txt"

_READING = ("tokenize", "wordpiece", "characters")
"""What reads pairs, beside what the head itself names."""


def write_beside(served: Served, folder: Path, read_inputs: Callable[[Artifact], Sequence[str]]) -> None:
    """Write what a client needs; `read_inputs` names a model's inputs, ids first, then masks.

    Raises:
        BadInputError: the artifact's loader is too old to read requests for a client.
    """
    for name in ("client.py", "golden.py"):
        shutil.copyfile(Path(__file__).with_name(name), folder / name)
    _copy_head(served, folder / "serving")
    places = (folder, folder / FIRST)
    for one, place in zip(served.parts, places[: len(served.parts)], strict=True):
        place.mkdir(exist_ok=True)
        _write_own(one, place, read_inputs(one.artifact))
    if served.golden:
        lines = (json.dumps(row.to_json(), ensure_ascii=False) + "\n" for row in served.golden)
        (folder / "golden.jsonl").write_text("".join(lines), encoding="utf-8")


def write_labels(served: Served, folder: Path) -> None:
    """Write one label a line, in the order of the outputs; no file where there are no labels."""
    labels = served.artifact.head.labels
    if labels:
        (folder / LABELS).write_text("".join(f"{label}\n" for label in labels), encoding="utf-8")


def _write_own(served: Served, folder: Path, inputs: Sequence[str]) -> None:
    source, manifest = served.artifact.path, served.manifest
    for name in ("tokenizer.json", "calibration.json", *((CHARACTERS,) if served.ranks else ())):
        if name in manifest["files"]:
            shutil.copyfile(source / name, folder / name)
    head = {name: value for name, value in describe_head(served.artifact.head).items() if name != "labels"}
    settings: dict[str, Any] = {
        "model": served.name,
        **head,
        "inputs": list(inputs),
        "output": manifest["output"]["name"],
        "max_tokens": manifest["max_tokens"],
    }
    if served.ranks:
        settings["together"] = served.together
    if served.first is not None:
        settings[FIRST] = manifest[FIRST]
    (folder / "client.json").write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")
    write_labels(served, folder)


def _copy_head(served: Served, folder: Path) -> None:
    """Copy the modules that read requests and make an answer of outputs; they need numpy and one another."""
    name, own = served.artifact.head.name, served.loader
    source = (
        own if (own / "heads").is_dir() else Path(edgekd.serving.__file__).parent
    )  # before there were any
    modules = ["errors", "heads/__init__", f"heads/{name}", *import_head(name).NEEDS]
    if served.ranks:
        modules += _READING
    (folder / "heads").mkdir(parents=True)
    for module in modules:
        if not (source / f"{module}.py").is_file():
            raise BadInputError(
                f"{served.artifact.path}: has no serving/{module}.py, which a client reads requests with; "
                "compile it again"
            )
        shutil.copyfile(source / f"{module}.py", folder / f"{module}.py")
