"""Write steps down as JSON, for another process to make; and read them back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from edgekd.engines.step import Folder, Part, Step, in_order
from edgekd.store import Stage

_PLAIN = ("name", "version", "function", "settings", "reads", "how", "alone", "together")


def pack_steps(steps: Iterable[Step], made: Mapping[Step, Stage]) -> str:
    """Write steps and all that they rest on in one line, with the results of those that are made."""
    order = in_order(steps)
    numbers = {step: number for number, step in enumerate(order)}
    packed = [
        {
            **{name: getattr(step, name) for name in _PLAIN},
            "inputs": {keyword: _pack_read(read, numbers) for keyword, read in step.inputs.items()},
            "made": _pack_stage(made[step]) if step in made else None,
        }
        for step in order
    ]
    return json.dumps(packed, allow_nan=False)


def unpack_steps(text: str) -> tuple[list[Step], dict[Step, Stage]]:
    """Read what `pack_steps` wrote: the steps, each after what it reads, and the results that are there."""
    steps: list[Step] = []
    made: dict[Step, Stage] = {}
    for entry in json.loads(text):
        inputs = {keyword: _unpack_read(read, steps) for keyword, read in entry["inputs"].items()}
        step = Step(**{name: entry[name] for name in _PLAIN}, inputs=inputs)
        steps.append(step)
        if entry["made"] is not None:
            made[step] = Stage(**{**entry["made"], "path": Path(entry["made"]["path"])})
    return steps, made


def _pack_read(read: Step | Part | Folder, numbers: Mapping[Step, int]) -> dict[str, Any]:
    if isinstance(read, Folder):
        return {"path": str(read.path), "digest": read.digest}
    if isinstance(read, Part):
        return {"step": numbers[read.of], "names": list(read.names), "at": read.at}
    return {"step": numbers[read]}


def _unpack_read(read: Mapping[str, Any], steps: Sequence[Step]) -> Step | Part | Folder:
    if "path" in read:
        return Folder(Path(read["path"]), read["digest"])
    step: Step = steps[read["step"]]
    return step.part(*read["names"], at=read["at"]) if "names" in read else step


def _pack_stage(stage: Stage) -> dict[str, Any]:
    return {**asdict(stage), "path": str(stage.path)}
