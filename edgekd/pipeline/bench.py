"""The step that measures: teacher and artifacts in one interleaved run."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, replace
from pathlib import Path
from typing import Any

from edgekd.compile import Artifact, open_artifact
from edgekd.data.taskdata import TaskData
from edgekd.engines.step import Folder, Inputs, Part, Settings, Step
from edgekd.measure.bench_file import load_bench
from edgekd.measure.environment import read_environment
from edgekd.measure.groups import measure_groups
from edgekd.measure.plan import MeasurePlan
from edgekd.measure.result import BenchResult
from edgekd.measure.scenarios.offline import OFFLINE_PLAN, measure_throughput
from edgekd.measure.subject import Subject
from edgekd.pipeline.compiling import artifact_of, open_built
from edgekd.pipeline.context import Context
from edgekd.pipeline.opening import open_rows
from edgekd.progress import Progress
from edgekd.serving.subject import open_subject
from edgekd.single.bench import streams_of
from edgekd.single.requests import make_requests
from edgekd.single.scenarios import ALL_AT_ONCE
from edgekd.stats.interval import Interval
from edgekd.store import Stage, Store, write_atomic

_ARTIFACT = "artifact "  # and a number: how the keywords of measured artifacts begin
_ONE_BY_ONE = " (latency mode)"
_OFFLINE, _RATES = "offline", "rates.json"
TEACHER, TEACHER_ONNX = "teacher.pytorch-eager", "teacher.onnxruntime.fp32"


@dataclass(frozen=True)
class Throughput:
    """Texts per second of an artifact that works on several at once, and of the same one text after text."""

    streams: int
    rate: Interval
    latency_mode: Interval


@dataclass(frozen=True)
class Bench:
    """One interleaved measurement: its result, and each artifact's name in it by digest."""

    result: BenchResult
    names: dict[str, str]
    stage: Stage | None = None

    def ratio(self, one: str, other: str, q: float = 0.95) -> Interval:
        """Ratio of two artifacts' percentiles; without bounds where it cannot be told."""
        return self._known(self.result.ratio(self.names[one], self.names[other], q))

    def cold_start_ratio(self, one: str, other: str) -> Interval:
        """Ratio of two artifacts' cold starts; without bounds where it cannot be told."""
        return self._known(self.result.cold_start_ratio(self.names[one], self.names[other]))

    def teacher_ms(self, name: str, q: float) -> Interval | None:
        """Return a percentile of the teacher in one of its forms; None where that was not measured."""
        return in_ms(self.result.percentile(name, q)) if self._has(name) else None

    def speedup(self, name: str, over: str) -> Interval | None:
        """How many times a variant's p95 the teacher's is in one of its forms; None as above."""
        found = self.result.ratio(name, over, 0.95) if self._has(over) else None
        return found and Interval(1 / found.estimate, 1 / found.high, 1 / found.low, found.confidence)

    def throughput(self, digest: str) -> Throughput | None:
        """Return the throughput of an artifact with several streams; None of any other."""
        path = self.stage.path / _OFFLINE / _RATES if self.stage else None
        if path is None or not path.is_file():
            return None
        found = json.loads(path.read_text(encoding="utf-8")).get(self.names[digest])
        if found is None:
            return None
        return Throughput(found["streams"], Interval(*found["rate"]), Interval(*found["latency_mode"]))

    def _has(self, name: str) -> bool:
        return any(subject.name == name for subject in self.result.subjects)

    def _known(self, found: Interval | None) -> Interval:
        return found or Interval(1.0, 0.0, math.inf, self.result.plan.confidence)


def bench_step(
    context: Context,
    teacher: Step,
    teacher_onnx: Part,
    artifacts: Sequence[Part | Folder],
    threads: int,
) -> Step:
    """Measure the teacher and every artifact that shares a thread count, in one interleaved run."""
    setting = context.project.measure
    plan = MeasurePlan(
        rounds=setting.rounds,
        seconds=setting.seconds,
        threads=threads,
        precision=setting.precision,
        budget_seconds=setting.budget_seconds,
    )
    return Step(
        f"bench/{threads}-threads",
        4,
        "edgekd.pipeline.bench:build_bench",
        settings={"plan": asdict(plan), "inputs": setting.inputs, **_candidates(context, threads)},
        inputs={
            "rows": context.data.part("validation"),
            **({"teacher": teacher} if setting.pytorch else {}),
            "teacher in ONNX": teacher_onnx,
            **{f"{_ARTIFACT}{number}": artifact for number, artifact in enumerate(artifacts)},
        },
        reads={"environment": read_environment(threads).fingerprint},
        alone=True,
    )


def _candidates(context: Context, threads: int) -> dict[str, int]:
    """Say how many candidates a timed request has: the most that a target with these threads names."""
    asked = [target.limits.candidates for target in context.targets if target.threads == threads]
    known = [count for count in asked if count is not None]
    return {"candidates": max(known)} if known else {}


def bench_artifacts(
    context: Context, teacher: Step, teacher_onnx: Step, artifacts: Sequence[Artifact], threads: int
) -> Bench:
    """Measure artifacts that are there, equal ones once; `teacher_onnx` compiled the teacher."""
    unique = {artifact.digest: artifact for artifact in artifacts}
    folders = [Folder(unique[digest].path, digest) for digest in sorted(unique)]
    step = bench_step(context, teacher, artifact_of(teacher_onnx), folders, threads)
    context.engine.run(step.sources)
    stage = find_wider(context.store, step, context.engine.made)
    if stage is None:
        stage = context.engine.make(step)
    else:
        context.note(f"{step.name}: cached, with more artifacts")
    names = {digest: _name(artifact) for digest, artifact in unique.items()}
    compiled = open_built(context.engine.make(teacher_onnx).path)
    return Bench(load_bench(stage.path), {**names, compiled.digest: TEACHER_ONNX}, stage)


def find_wider(store: Store, step: Step, made: Mapping[Step, Stage]) -> Stage | None:
    """Return the newest measurement of all of a step's artifacts and more that is the same otherwise.

    None where the step's own result is there. What it rests on must be in `made`.
    """
    wanted = step.key_reads(step.folders(made))
    if store.find(step.name, step.version, wanted) is not None:
        return None
    rest, artifacts = _split_artifacts(wanted)

    def fits(_: Path, reads: Mapping[str, Any]) -> bool:
        other, more = _split_artifacts(reads)
        return other == rest and more > artifacts

    return store.find_like(step.name, step.version, fits)


def _split_artifacts(reads: Mapping[str, Any]) -> tuple[dict[str, Any], set[str]]:
    """Split what a measurement reads: all but the artifacts, and their digests."""
    inputs = reads["inputs"]
    artifacts = {name for name in inputs if name.startswith(_ARTIFACT)}
    rest = {**reads, "inputs": {name: inputs[name] for name in inputs if name not in artifacts}}
    return rest, {inputs[name] for name in artifacts}


def build_bench(folder: Path, settings: Settings, inputs: Inputs, progress: Progress) -> None:
    """Measure, and keep every sample."""
    plan = MeasurePlan(**settings["plan"])
    texts: Sequence[str] = _spread(open_rows(inputs["rows"].path).split("validation"), settings["inputs"])
    if count := settings.get("candidates"):
        texts = make_requests(texts, count)
    of, threads = "edgekd.serving.subject:open_subject", str(plan.threads)
    references, subjects, expected = [], [], {}
    if "teacher" in inputs:
        path = str(inputs["teacher"].path)
        references.append(Subject(TEACHER, "edgekd.distill.eager:open_eager", (path, threads)))
    references.append(Subject(TEACHER_ONNX, of, (str(inputs["teacher in ONNX"].path), threads)))
    for keyword, read in inputs.items():
        if keyword.startswith(_ARTIFACT):
            name = _name(open_artifact(read.path))
            subjects.append(Subject(name, of, (str(read.path), threads)))
            expected[name] = _answers(read.path, texts, plan.threads)
    measure_groups(references, subjects, texts, folder, plan, progress, expected=expected)
    built = [open_artifact(one.path) for keyword, one in inputs.items() if keyword.startswith(_ARTIFACT)]
    if many := [artifact for artifact in built if streams_of(artifact) > 1]:
        _measure_throughput(many, texts, folder / _OFFLINE, plan)


def _measure_throughput(
    artifacts: Sequence[Artifact], texts: Sequence[str], folder: Path, plan: MeasurePlan
) -> None:
    """Measure artifacts with several streams when all texts are there, beside one text after the other."""
    of, threads, subjects = "edgekd.serving.subject:open_subject", str(plan.threads), []
    for artifact in artifacts:
        name, path = _name(artifact), str(artifact.path)
        subjects += [
            Subject(name, of, (path, threads)),
            Subject(f"{name}{_ONE_BY_ONE}", of, (path, threads, "1")),
        ]
    offline = replace(OFFLINE_PLAN, threads=plan.threads, rounds=plan.rounds)
    found = measure_throughput(subjects, texts, folder, offline, ALL_AT_ONCE)
    rates = {
        name: {
            "streams": streams_of(artifact),
            "rate": astuple(found.throughput(name)),
            "latency_mode": astuple(found.throughput(f"{name}{_ONE_BY_ONE}")),
        }
        for artifact in artifacts
        if (name := _name(artifact))
    }
    write_atomic(folder / _RATES, json.dumps(rates, indent=1))


def _name(artifact: Artifact) -> str:
    return f"{artifact.student}.{artifact.runtime}.{artifact.recipe}@{artifact.digest[:8]}"


def _answers(artifact: Path, texts: Sequence[str], threads: int) -> list[str]:
    """Answer texts as they are scored: what the timed calls must answer, too."""
    model = open_subject(str(artifact), str(threads))
    return [repr(model(text)) for text in texts]


def _spread(rows: TaskData, count: int) -> list[str]:
    texts = rows.requests
    step = max(1, len(texts) // count)
    return texts[::step][:count]


def in_ms(nanoseconds: Interval | None) -> Interval | None:
    """Convert an interval of nanoseconds to milliseconds."""
    if nanoseconds is None:
        return None
    low, high = nanoseconds.low / 1e6, nanoseconds.high / 1e6
    return Interval(nanoseconds.estimate / 1e6, low, high, nanoseconds.confidence)
