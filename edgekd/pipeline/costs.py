"""What a run's evidence says of each student: parameters, latency, cost."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from edgekd.config import Target
from edgekd.distill.diagnosis.capacity import Cost
from edgekd.errors import BadInputError
from edgekd.evaluate.record import read_record
from edgekd.gate.evidence import VariantEvidence
from edgekd.measure.bench_file import load_bench
from edgekd.report.bench import cost_usd
from edgekd.store import parse_json


@dataclass(frozen=True)
class StudentCosts:
    """Costs by student; `where` names the target and basis; `notes` say what could not be read."""

    of: Mapping[str, Cost]
    where: str
    notes: tuple[str, ...] = ()


def student_costs(run: Path, settings: Mapping[str, Any], students: Sequence[str]) -> StudentCosts:
    """Read the evidence of the first target that was measured: each student's fastest variant there."""
    params = {name: _parameters(run / "students" / name / "model.safetensors") for name in students}
    bare = {name: Cost(params_millions=params[name]) for name in students}
    for document in settings["targets"]:
        folder = run / "evidence" / document["name"]
        try:
            target = Target.model_validate(document)
            found = [read_record(VariantEvidence, path) for path in sorted(folder.glob("*.json"))]
            fastest = {name: _fastest(found, name) for name in students}
            if not any(fastest.values()):
                continue
            costs = {
                name: Cost(params[name], _p95(best), _usd(run, target, best))
                for name, best in fastest.items()
            }
        except (BadInputError, ValidationError) as error:
            words = " ".join(str(error).split())[:200]
            return StudentCosts(bare, "", (f"evidence of {document['name']} is not read: {words}",))
        basis = next(best.basis for best in fastest.values() if best is not None)
        return StudentCosts(costs, f"{target.name}, {basis}")
    return StudentCosts(bare, "")


def _fastest(found: Sequence[VariantEvidence], student: str) -> VariantEvidence | None:
    timed = [(e.usable_p95_ms.estimate, e) for e in found if e.student == student and e.usable_p95_ms]
    return min(timed, key=lambda pair: pair[0])[1] if timed else None


def _p95(evidence: VariantEvidence | None) -> float | None:
    found = evidence.usable_p95_ms if evidence else None
    return found.estimate if found else None


def _usd(run: Path, target: Target, evidence: VariantEvidence | None) -> float | None:
    folder = run / "evidence" / "bench" / f"{target.threads}-threads"
    if evidence is None or target.price is None or not folder.is_dir():
        return None
    name = f"{evidence.student}.{evidence.runtime}.{evidence.recipe}@{evidence.artifact_digest[:8]}"
    return cost_usd(load_bench(folder), name, target)


def _parameters(weights: Path) -> float | None:
    """Count the parameters in millions, from the header of a safetensors file."""
    if not weights.is_file():
        return None
    with weights.open("rb") as file:
        header = parse_json(file.read(int.from_bytes(file.read(8), "little")))
    shapes = [entry["shape"] for name, entry in header.items() if name != "__metadata__"]
    return float(sum(math.prod(shape) for shape in shapes)) / 1e6
