"""One job on a device: a JSON request on stdin, a line of JSON on stdout; standard library only.

{"do": "round", "number": 0, "folder": "...", "plan": {...}, "subjects": [...], ...}   one round
{"do": "environment", "threads": 1}   {"do": "cores", "count": 1}   {"do": "digest", "path": "..."}
"""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

from edgekd.errors import EdgekdError
from edgekd.measure.environment import quiet_cores, read_environment
from edgekd.measure.plan import MeasurePlan
from edgekd.measure.remote.tar_stream import digest
from edgekd.measure.round import Bench, measure_round
from edgekd.measure.subject import Subject
from edgekd.measure.worker import die_with_parent


def do(job: dict[str, Any]) -> Any:
    """Do a job and return what JSON can hold of it."""
    kind = job["do"]
    if kind == "environment":
        return dataclasses.asdict(read_environment(job["threads"]))
    if kind == "cores":
        return quiet_cores(job["count"])
    if kind == "digest":
        return digest(Path(job["path"]))
    processes, conditions = measure_round(_read_bench(job), job["number"])
    return {
        "processes": [dataclasses.asdict(process) for process in processes],
        "conditions": dataclasses.asdict(conditions),
    }


def _read_bench(job: dict[str, Any]) -> Bench:
    return Bench(
        folder=Path(job["folder"]),
        plan=MeasurePlan(**job["plan"]),
        subjects=tuple(
            Subject(name, factory, tuple(args), python) for name, factory, args, python in job["subjects"]
        ),
        inputs=tuple(job["inputs"]),
        cores=tuple(job["cores"]),
        turns=job["turns"],
        limit_seconds=job["limit_seconds"],
    )


def main(lifeline: int) -> None:
    """Answer the request on stdin; die with the agent."""
    die_with_parent(lifeline)
    try:
        answer = {"ok": do(json.load(sys.stdin))}
    except EdgekdError as error:
        answer = {"error": {"kind": type(error).__name__, "message": str(error)}}
    except OSError as error:
        answer = {"error": {"kind": "MeasurementError", "message": str(error)}}
    print(json.dumps(answer))


if __name__ == "__main__":
    main(int(sys.argv[1]))
