"""Does a device reached over SSH show the figures that it shows by itself?

    python bench/remote.py ssh://localhost ARTIFACT       # its folder; ssh must lead to this machine

Measures one artifact on this machine directly and through SSH, round by round in turns (here, there, there,
here), and judges "there" against "here" as a comparison would. The copy that travelled is another file: what
lies elsewhere in memory differs between any two processes, so the verdict to expect is "no change".
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from studied import HERE, validation_texts

from edgekd.measure.device import Device, ThisMachine
from edgekd.measure.plan import MeasurePlan
from edgekd.measure.remote.ssh import open_ssh
from edgekd.measure.result import BenchResult
from edgekd.measure.session import Session, open_session
from edgekd.measure.subject import Subject
from edgekd.measure.verdict import P50_RULE, P95_RULE, Rule, judge_rounds

FILE = HERE.parent / "docs" / "results" / "remote.jsonl"
PLAN = MeasurePlan(rounds=2, seconds=0.4, warmup_seconds=0.1)


def measure_in_turns(
    subject: Subject, texts: list[str], there: Device, rounds: int, folder: Path
) -> tuple[list[BenchResult], list[list[float]]]:
    """Run rounds here and there in turns; return both results, and the seconds that each round took."""
    sessions: list[Session] = []
    devices: tuple[Device, Device] = (ThisMachine(), there)
    for name, device in zip(("here", "there"), devices, strict=True):
        sessions.append(open_session([subject], texts, folder / name, PLAN, device=device))
    results: list[BenchResult | None] = [None, None]
    seconds: list[list[float]] = [[], []]
    for number in range(rounds):
        for side in (0, 1) if number % 2 == 0 else (1, 0):
            began = time.monotonic()
            results[side] = sessions[side].run_round()
            seconds[side].append(time.monotonic() - began)
        print(f"round {number + 1} of {rounds}", file=sys.stderr, flush=True)
    return [result for result in results if result is not None], seconds


def compare(here: BenchResult, there: BenchResult, name: str, q: float, rule: Rule) -> dict[str, object]:
    """Judge percentile `q` there over here, pairing rounds that ran one after the other."""
    logs = np.log(there.process_percentiles(name, q) / here.process_percentiles(name, q))
    verdict, interval = judge_rounds(logs, rule)
    return {
        "here_us": round(float(np.median(here.process_percentiles(name, q))) / 1e3, 2),
        "there_us": round(float(np.median(there.process_percentiles(name, q))) / 1e3, 2),
        "ratio": None
        if interval is None
        else [round(x, 4) for x in (interval.estimate, interval.low, interval.high)],
        "verdict": verdict,
    }


def run_study(url: str, artifact: Path, rounds: int) -> dict[str, object]:
    """Measure one artifact; return its line of the file."""
    subject = Subject("artifact", "edgekd.serving.subject:open_subject", (str(artifact.resolve()), "1"))
    texts = random.Random(0).sample(validation_texts(), 300)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as kept, open_ssh(url) as device:
        connected = time.monotonic() - began
        (here, there), seconds = measure_in_turns(subject, texts, device, rounds, Path(kept))
        cold = [
            float(np.median([process.cold_start.total_ns for process in result.subjects[0].processes])) / 1e6
            for result in (here, there)
        ]
        return {
            "artifact": artifact.name,
            "artifact_bytes": sum(file.stat().st_size for file in artifact.iterdir() if file.is_file()),
            "rounds": rounds,
            "p50": compare(here, there, subject.name, 0.5, P50_RULE),
            "p95": compare(here, there, subject.name, 0.95, P95_RULE),
            "cold_start_ms": [round(value, 1) for value in cold],
            "peak_rss_mib": [
                round(result.peak_rss_bytes(subject.name) / 2**20, 1) for result in (here, there)
            ],
            "connect_seconds": round(connected, 2),
            "first_round_seconds": [round(took[0], 2) for took in seconds],
            "round_seconds": [round(float(np.median(took[1:])), 2) for took in seconds],
            "environments_differ": list(there.environment.differences(here.environment)),
            "flags": [list(here.flags), list(there.flags)],
        }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("artifact", type=Path, nargs="+")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--file", type=Path, default=FILE, help="gets a line of JSON for each artifact")
    arguments = parser.parse_args()
    for folder in arguments.artifact:
        line = json.dumps(run_study(arguments.url, folder, arguments.rounds))
        with arguments.file.open("a", encoding="utf-8") as out:
            out.write(line + "\n")
        print(line, flush=True)
