"""What measuring one compiled, untrained shape showed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field, TypeAdapter

from edgekd.compile import Artifact
from edgekd.config import StudentModel
from edgekd.measure.result import BenchResult
from edgekd.measure.samples import Samples, weighted_quantile
from edgekd.serving.heads import Head, open_reader
from edgekd.serving.request import split_request
from edgekd.sizing.shapes import Shape
from edgekd.store import write_atomic

MIB = 1 << 20
_STUDENTS: TypeAdapter[StudentModel] = TypeAdapter(Annotated[StudentModel, Field(discriminator="kind")])
_NAME = "measured.json"
_NOISE = np.linspace(0.025, 0.975, 20)


@dataclass(frozen=True)
class Measured:
    """One shape as it was measured.

    Attributes:
        shape: What it is.
        rows: Rows of its table of tokens.
        outputs: Numbers that a run gives.
        runs: For each text that was timed, the tokens of each run that answered it.
        candidates: How many candidates each of them has; 0 of a text alone.
        ms: Median time of each of these texts.
        noise: Quantiles of a call's time over the median of its text, at 0.025, 0.075, ... 0.975.
        p50_ms: Median of all calls, each text weighing the same.
        p95_ms: Their 95th percentile.
        cold_starts_ms: From the start of a process to its first answer, one for each process.
        peak_rss_mib: Largest resident memory of any process.
        files: Bytes of each file of the artifact.
    """

    shape: Shape
    rows: int
    outputs: int
    runs: tuple[tuple[int, ...], ...]
    candidates: tuple[int, ...]
    ms: tuple[float, ...]
    noise: tuple[float, ...]
    p50_ms: float
    p95_ms: float
    cold_starts_ms: tuple[float, ...]
    peak_rss_mib: float
    files: dict[str, int]

    @property
    def artifact_bytes(self) -> int:
        """Size of the whole artifact."""
        return sum(self.files.values())

    @property
    def cold_start_ms(self) -> float:
        """Median cold start."""
        return float(np.median(self.cold_starts_ms))

    def of(self, figure: str) -> float:
        """Return the measured figure of a cost by its name."""
        return self.artifact_bytes / MIB if figure == "artifact_mib" else float(getattr(self, figure))


def read_bench(shape: Shape, artifact: Artifact, texts: Sequence[str], result: BenchResult) -> Measured:
    """Derive what a cost model reads from raw samples; `result` has one subject."""
    name = result.subjects[0].name
    parts = result.samples(name)
    whole = Samples(
        np.concatenate([part.ns for part in parts]),
        np.concatenate([part.inputs for part in parts]),
        np.concatenate([part.blocks for part in parts]),
    )
    medians = {int(one): float(np.median(whole.ns[whole.inputs == one])) for one in np.unique(whole.inputs)}
    timed = sorted(medians)
    ratios = whole.ns / np.array([medians[int(one)] for one in whole.inputs])
    read = open_reader(artifact.path / "tokenizer.json", artifact.manifest["max_tokens"], artifact.head)
    tokenizer = json.loads((artifact.path / "tokenizer.json").read_text(encoding="utf-8"))
    manifest = (artifact.path / "manifest.json").stat().st_size
    return Measured(
        shape=shape,
        rows=len(tokenizer["model"]["vocab"]),
        outputs=artifact.head.width,
        runs=tuple(count_runs(read(texts[place]), artifact.head) for place in timed),
        candidates=tuple(len(split_request(texts[place])[1]) for place in timed),
        ms=tuple(medians[place] / 1e6 for place in timed),
        noise=tuple(float(one) for one in np.quantile(ratios, _NOISE)),
        p50_ms=weighted_quantile(whole, 0.5) / 1e6,
        p95_ms=weighted_quantile(whole, 0.95) / 1e6,
        cold_starts_ms=tuple(p.cold_start.total_ns / 1e6 for p in result.subjects[0].processes),
        peak_rss_mib=result.peak_rss_bytes(name) / MIB,
        files={
            "manifest.json": manifest,
            **{name: entry["bytes"] for name, entry in artifact.manifest["files"].items()},
        },
    )


def count_runs(runs: Sequence[Sequence[int]], head: Head) -> tuple[int, ...]:
    """Return the tokens of each run that a request costs; a run without any has one.

    Two towers keep the vectors of candidates that they have met, so that a request costs its query.
    """
    return tuple(max(1, len(ids)) for ids in (runs[:1] if head.towers else runs))


def save_measured(measured: Measured, folder: Path) -> None:
    """Write what was measured to a step's folder."""
    document: dict[str, Any] = dict(vars(measured))
    document["shape"] = {
        **vars(measured.shape),
        "model": measured.shape.model.model_dump(mode="json", exclude_none=True),
    }
    write_atomic(folder / _NAME, json.dumps(document, indent=1))


def load_measured(folder: Path) -> Measured:
    """Read what `save_measured` wrote."""
    document = json.loads((folder / _NAME).read_text(encoding="utf-8"))
    shape = document["shape"]
    lists = {key: tuple(document[key]) for key in ("candidates", "ms", "noise", "cold_starts_ms")}
    runs = tuple(tuple(one) for one in document["runs"])
    model = _STUDENTS.validate_python(shape["model"])
    return Measured(**{**document, **lists, "runs": runs, "shape": Shape(**{**shape, "model": model})})
