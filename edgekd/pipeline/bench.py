"""The stage that measures: teacher and artifacts in one interleaved run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekd.compile import Artifact
from edgekd.data.taskdata import TaskData
from edgekd.measure.bench_file import load_bench
from edgekd.measure.environment import read_environment
from edgekd.measure.plan import MeasurePlan
from edgekd.measure.result import BenchResult
from edgekd.measure.session import measure_subjects
from edgekd.measure.subject import Subject
from edgekd.pipeline.context import Context
from edgekd.pipeline.staging import run_stage
from edgekd.progress import Progress
from edgekd.serving.subject import open_subject
from edgekd.stats.interval import Interval
from edgekd.store import Stage, digest_json

TEACHER, TEACHER_ONNX = "teacher.pytorch-eager", "teacher.onnxruntime.fp32"


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

    def _has(self, name: str) -> bool:
        return any(subject.name == name for subject in self.result.subjects)

    def _known(self, found: Interval | None) -> Interval:
        return found or Interval(1.0, 0.0, math.inf, self.result.plan.confidence)


def bench_stage(
    context: Context,
    data: TaskData,
    teacher: Stage,
    teacher_onnx: Artifact,
    artifacts: Sequence[Artifact],
    threads: int,
) -> Bench:
    """Measure the teacher and every artifact that shares a thread count, in one interleaved run."""
    unique = {artifact.digest: artifact for artifact in artifacts}
    names = {
        digest: f"{a.student}.{a.runtime}.{a.recipe}@{digest[:8]}" for digest, a in sorted(unique.items())
    }
    texts = _spread(data.split("validation"), context.project.measure.inputs)
    setting = context.project.measure
    plan = MeasurePlan(
        rounds=setting.rounds,
        seconds=setting.seconds,
        threads=threads,
        precision=setting.precision,
        budget_seconds=setting.budget_seconds,
    )
    reads = {
        "teacher": [*((teacher.digest,) if setting.pytorch else ()), teacher_onnx.digest],
        "artifacts": sorted(unique),
        "texts": digest_json(texts),
        "plan": [plan.rounds, plan.seconds, plan.threads, plan.precision, plan.budget_seconds],
        "environment": read_environment(threads).fingerprint,
    }
    of = "edgekd.serving.subject:open_subject"
    eager = Subject(TEACHER, "edgekd.distill.eager:open_eager", (str(teacher.path), str(threads)))
    subjects = [
        *((eager,) if setting.pytorch else ()),
        Subject(TEACHER_ONNX, of, (str(teacher_onnx.path), str(threads))),
        *(Subject(names[d], of, (str(a.path), str(threads))) for d, a in sorted(unique.items())),
    ]

    def build(folder: Path, progress: Progress) -> None:
        scored = {names[d]: _answers(a, texts, threads) for d, a in unique.items()}
        measure_subjects(subjects, texts, folder, plan, progress, expected=scored)

    stage = run_stage(context, f"bench/{threads}-threads", 3, reads, build)
    return Bench(load_bench(stage.path), {**names, teacher_onnx.digest: TEACHER_ONNX}, stage)


def _answers(artifact: Artifact, texts: Sequence[str], threads: int) -> list[str]:
    """Answer texts as they are scored: what the timed calls must answer, too."""
    model = open_subject(str(artifact.path), str(threads))
    return [repr(model(text)) for text in texts]


def _spread(rows: TaskData, count: int) -> list[str]:
    texts = rows.texts
    step = max(1, len(texts) // count)
    return texts[::step][:count]


def in_ms(nanoseconds: Interval | None) -> Interval | None:
    """Convert an interval of nanoseconds to milliseconds."""
    if nanoseconds is None:
        return None
    low, high = nanoseconds.low / 1e6, nanoseconds.high / 1e6
    return Interval(nanoseconds.estimate / 1e6, low, high, nanoseconds.confidence)
