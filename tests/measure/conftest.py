import dataclasses
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from edgekd.measure.environment import Environment
from edgekd.measure.plan import MeasurePlan
from edgekd.measure.process_bench import (
    ColdStart,
    Conditions,
    Memory,
    ProcessBench,
    Resident,
    Scheduling,
    SubjectBench,
)
from edgekd.measure.result import BenchResult
from edgekd.measure.samples import RECORD


@pytest.fixture(autouse=True)
def _children_find_subjects(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))


@pytest.fixture
def small_plan():
    return MeasurePlan(rounds=2, seconds=0.02, warmup_seconds=0.0, block_ms=5.0, timeout_seconds=20.0)


ENVIRONMENT = Environment(
    cpu="a cpu",
    arch="x86_64",
    isa=("avx2",),
    cores=2,
    memory_bytes=1 << 30,
    governor="unknown",
    kernel="6.1",
    python="CPython 3.11",
    libraries=(("numpy", "2.0"),),
    huge_pages="madvise",
    threads=1,
)


def make_process(number, samples, **changes):
    process = ProcessBench(
        round=number,
        samples=samples,
        warmup="",
        answers="",
        timed_ns=1_000_000_000,
        blocks=1,
        cold_start=ColdStart(30_000_000 + number * 1_000_000, 20_000_000, 5_000_000, 3_000_000, 2_000_000),
        memory=Memory(*[Resident(20, None, None)] * 5, 30 + number, "built", None),
        scheduling=Scheduling(cpu_ns=1, run_delay_ns=0, voluntary_switches=1, involuntary_switches=0),
        is_full=False,
        overhead_ns=70,
        loop_ns=300,
        cache_ratio=None,
    )
    return dataclasses.replace(process, **changes)


@pytest.fixture
def make_result(tmp_path):
    """Build a result from scripted samples: {subject: [(ns, inputs) or ns, one a process]}."""

    made = count()

    def make(scripted, changes=None, conditions=None, **plan):
        folder = tmp_path / f"result-{next(made)}"
        folder.mkdir()
        subjects = []
        rounds = len(next(iter(scripted.values())))
        for name, processes in scripted.items():
            benches = []
            for number, given in enumerate(processes):
                ns, inputs = given if isinstance(given, tuple) else (given, np.zeros(len(given)))
                records = np.zeros(len(ns), RECORD)
                records["ns"], records["input"] = ns, inputs
                path = f"{name}-{number}.npy"
                np.save(folder / path, records)
                benches.append(make_process(number, path, **(changes or {}).get((name, number), {})))
            subjects.append(SubjectBench(name, "m:f", (), "", tuple(benches)))
        seen = conditions or {}
        return BenchResult(
            environment=ENVIRONMENT,
            plan=MeasurePlan(**{"rounds": max(2, rounds), "seconds": 1.0, **plan}),
            overhead_ns=70.0,
            loop_ns=300.0,
            inputs_sha256="",
            inputs=1,
            subjects=tuple(subjects),
            conditions=tuple(
                Conditions(
                    number, 1.0, **{"load_average": 0.1, "steal_share": 0.0, "others_share": 0.0, **seen}
                )
                for number in range(rounds)
            ),
            flags=(),
            folder=folder,
        )

    return make
