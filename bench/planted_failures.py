"""One failure at a time, planted into the real answers of a promoted student: refused, and for that reason?

    make demo
    python bench/planted_failures.py --out docs/results/planted_failures.md

What was promoted for `mobile-lowmem` in the demo answers the test rows; into its answers one failure is
planted: a row is made wrong (or right) by exchanging two logits, so that the model is as sure as
it was. Where the teacher is planted to be weak, the student is given the very same answers. A slower phone is the artifact itself with a loader that waits, both measured here, interleaved; times
are scaled so that the artifact as it is has a p95 of 240 ms, of 300 allowed.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from planted import plant_slowdown

from edgekd.ci.artifacts import artifact_subject
from edgekd.compile import open_artifact
from edgekd.config import load_project
from edgekd.config.gates import Gates
from edgekd.config.routing import Routing
from edgekd.evaluate.calibration import calibration_intervals
from edgekd.evaluate.judge import evaluate
from edgekd.evaluate.predictions import Predictions, load_predictions
from edgekd.evaluate.route_tuning import Rows
from edgekd.evaluate.routing import judge_routing, route_rows
from edgekd.gate.carving import list_carved
from edgekd.gate.evidence import VariantEvidence
from edgekd.gate.verdict import GateVerdict, judge_target
from edgekd.measure.plan import MeasurePlan
from edgekd.measure.session import measure_subjects
from edgekd.pipeline.replaying import Question
from edgekd.pipeline.routing import carve_policy, find_saving
from edgekd.stats.interval import Interval

STUDY = Path(__file__).parent / "studies" / "mangaassist.yaml"
TARGET = "mobile-lowmem"
ROUTING = Routing(teacher_per_1k=3.0, billing="accepted", carve_out=("not-english", "fresh-titles"))
STUDENT_PER_1K = 0.2
Hits = npt.NDArray[np.bool_]


class World:
    """The promoted variant's evidence, and what can be planted into it."""

    def __init__(self, study: Path) -> None:
        project = load_project(study)
        runs = study.parent / project.workspace / "runs"
        found = sorted(
            runs.glob(f"{project.name}-*/evidence/questions/{TARGET}.json"), key=lambda p: p.stat().st_mtime
        )
        if not found:
            raise SystemExit(f"{study}: has no run that asked for {TARGET}; edgekd run {study}")
        evidence = found[-1].parents[1]
        question = Question.from_json(json.loads(found[-1].read_text(encoding="utf-8")))
        verdict = json.loads((evidence.parent / "verdicts" / f"{TARGET}.json").read_text(encoding="utf-8"))
        place = evidence / TARGET / str(verdict["promoted"])
        self.kept = VariantEvidence.from_json(
            json.loads(place.with_name(place.name + ".json").read_text("utf-8"))
        )
        rows = json.loads((evidence / "rows" / "rows.json").read_text(encoding="utf-8"))
        self.texts, self.truth = rows["texts"], np.array(rows["truth"])
        self.masks = {
            name: np.isin(np.arange(len(self.truth)), picked) for name, picked in rows["masks"].items()
        }
        self.traffic = np.isin(np.arange(len(self.truth)), rows["traffic"])
        self.artifact = open_artifact((evidence.parent / "artifacts" / TARGET / place.name).resolve())
        self.answers = load_predictions(place / "logits.npy", rows["ids"])
        self.teacher = load_predictions(evidence / "rows" / "teacher.npy", rows["ids"])
        self.target, self.slices, self.labels = question.target, question.slices, question.labels
        self.temperature = question.temperatures[self.kept.variant]
        self.rng = np.random.default_rng(0)

    def carve(self, logits: npt.NDArray[np.float32]) -> dict[str, object]:
        """Carve out what the student loses, on validation rows that are taken to be as these."""
        table = Predictions("", logits).probabilities(self.temperature)
        rows = Rows(table, self.teacher.labels, self.truth, self.labels)
        return carve_policy({"max_prob": 0.0}, rows, self.texts, ROUTING, self.slices, self.masks)

    def rows_of(self, name: str) -> tuple[Hits, list[int]]:
        """Return a slice's rows, and the labels that are a hit there; none: the truth alone."""
        entry = next(one for one in self.slices if one.name == name)
        inside = [self.labels.index(label) for label in entry.recall_of]
        mask = self.masks[name]
        return (mask & np.isin(self.truth, inside) if inside else mask), inside

    def hits(self, logits: npt.NDArray[np.float32], name: str) -> Hits:
        """Say for each row of a slice whether it is answered right."""
        mask, inside = self.rows_of(name)
        said = logits[mask].argmax(axis=1)
        return np.isin(said, inside) if inside else said == self.truth[mask]

    def at_rate(self, logits: npt.NDArray[np.float32], name: str, rate: float) -> npt.NDArray[np.float32]:
        """Make rows of a slice wrong until its share of hits is `rate`."""
        mask, inside = self.rows_of(name)
        rows = np.flatnonzero(mask)[self.hits(logits, name)]
        out = logits.copy()
        for row in self.rng.choice(rows, max(0, len(rows) - round(rate * mask.sum())), replace=False):
            others = out[row].copy()
            others[[*inside, self.truth[row]]] = -np.inf
            exchange(out[row], int(out[row].argmax()), int(others.argmax()))
        return out

    def mended(self, logits: npt.NDArray[np.float32], share: float, spared: str) -> npt.NDArray[np.float32]:
        """Make a share of the wrong rows right, but for those of one slice."""
        wrong = (logits.argmax(axis=1) != self.truth) & ~self.rows_of(spared)[0]
        out = logits.copy()
        for row in np.flatnonzero(wrong & (self.rng.random(len(wrong)) < share)):
            exchange(out[row], int(out[row].argmax()), int(self.truth[row]))
        return out

    def judge(
        self,
        logits: npt.NDArray[np.float32] | None = None,
        p95_ms: Interval | None = None,
        gates: Gates | None = None,
        policy: dict[str, object] | None = None,
        teacher: Predictions | None = None,
    ) -> tuple[GateVerdict, VariantEvidence]:
        """Judge the variant as the gate does."""
        own = Predictions(self.kept.artifact_digest, self.answers.logits if logits is None else logits)
        compared = {"teacher": teacher or self.teacher}
        result = evaluate(
            own, compared, self.truth, self.labels, self.slices, self.masks, temperature=self.temperature,
            traffic=self.traffic,
        )  # fmt: skip
        figures: dict[str, Interval] = {}
        overall, table = self.masks["overall"], own.probabilities(self.temperature)
        if gates is not None:
            figures |= calibration_intervals(table[overall], self.truth[overall])
        routed = None
        if policy is not None:
            taught = self.teacher.labels
            found = route_rows(policy, self.labels, self.texts, table, taught, self.masks)
            routed = judge_routing(
                own.subject, policy, found, taught, self.truth, self.labels, self.slices, self.masks
            )
            rate = routed.slice_named("overall").fallback
            assert rate is not None
            figures["cost_reduction"] = find_saving(ROUTING, rate, STUDENT_PER_1K)
        target = self.target
        if p95_ms is not None:
            limits = target.limits.model_copy(update={"p95_ms": 300.0})
            target = target.model_copy(update={"limits": limits})
        timed = p95_ms or self.kept.p95_ms
        evidence = replace(self.kept, evaluation=result, figures=figures, routing=routed, p95_ms=timed)
        return judge_target(target, [evidence], order=[evidence.variant], gates=gates), evidence

    def p95_ms(self, slowed_by: float) -> tuple[Interval, Interval]:
        """Measure the artifact and a copy that waits a share of each call; the first is scaled to 240 ms."""
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            copy = plant_slowdown(self.artifact.path, folder / "slowed", slowed_by)
            pair = [
                replace(artifact_subject(artifact, 1), name=name)
                for name, artifact in (("own", self.artifact), ("slowed", open_artifact(copy)))
            ]
            plan = MeasurePlan(rounds=16, seconds=0.5)
            result = measure_subjects(pair, self.texts[:: len(self.texts) // 300], folder / "bench", plan)
            found = [result.percentile(name, 0.95) for name in ("own", "slowed")]
        scale = 240.0 / found[0].estimate
        own, slow = (Interval(scale * f.estimate, scale * f.low, scale * f.high, f.confidence) for f in found)
        return own, slow

    def threshold(self, share: float) -> float:
        """Return the top probability below which this share of the traffic lies."""
        table = self.answers.probabilities(self.temperature)[self.masks["overall"]]
        return float(np.quantile(table.max(axis=1), share))


def exchange(row: npt.NDArray[np.float32], one: int, other: int) -> None:
    """Exchange two logits."""
    row[one], row[other] = row[other], row[one]


def tell(verdict: GateVerdict) -> str:
    """Say what became of it, and what did not pass."""
    held = [check for check in verdict.variants[0].checks if check.status != "pass"]
    if not held:
        return "promoted"
    return "refused: " + "; ".join(f"{c.name} {c.status}, {c.found} (limit {c.limit})" for c in held)


def plant(world: World) -> list[tuple[str, str, str]]:
    """Return the name, what was planted and the verdict of each case."""
    real = np.array(world.answers.logits)

    def rate(logits: npt.NDArray[np.float32], name: str) -> str:
        return f"{100 * world.hits(logits, name).mean():.1f} %"

    found = [("nothing", "the answers as they were", tell(world.judge()[0]))]
    safety = "safety-escalation"
    worse = world.at_rate(world.mended(real, 0.3, safety), safety, world.hits(real, safety).mean() - 0.13)
    words = (
        f"safety recall {rate(real, safety)} to {rate(worse, safety)}, "
        f"the whole {rate(real, 'overall')} to {rate(worse, 'overall')}"
    )
    found.append(("safety recall falls, the whole rises", words, tell(world.judge(worse)[0])))
    own, slow = world.p95_ms(0.375)
    found.append(("a phone as fast as it was", "240 ms", tell(world.judge(p95_ms=own)[0])))
    found.append(("a phone gets slower", "waits 3/8 of each call", tell(world.judge(p95_ms=slow)[0])))
    for name in ("not-english", "fresh-titles"):
        worse = world.at_rate(real, name, world.hits(real, name).mean() - 0.12)
        words = f"{rate(real, name)} to {rate(worse, name)}"
        found.append((f"{name} falls", words, tell(world.judge(worse)[0])))
        policy = world.carve(worse)
        carved = list_carved(policy, ROUTING.carve_out, ROUTING.risky)
        verdict, evidence = world.judge(worse, policy=policy, gates=Gates(cost_reduction=0.5))
        words = f"{', '.join(carved) or 'nothing'} to the teacher; saved {saving(evidence)}"
        found.append((f"{name} falls, with a carve-out", words, tell(verdict)))
    overall = world.masks["overall"]
    table = world.answers.probabilities(world.temperature)[overall]
    known = calibration_intervals(table, world.truth[overall])
    gates = Gates(**{name: round(1.2 * known[name].high, 3) for name in ("ece", "confident_error_rate")})
    words = (
        f"limits 1.2 times what its bounds are: ECE {gates.ece}, sure and wrong {gates.confident_error_rate}"
    )
    found.append(("as sure as it was", words, tell(world.judge(gates=gates)[0])))
    boasting = np.where((real.argmax(axis=1) != world.truth)[:, None], 8 * real, real)
    words = "the same answers, those that are wrong with 8 times the logits"
    found.append(("confidently wrong at equal accuracy", words, tell(world.judge(boasting, gates=gates)[0])))
    for share in (0.08, 0.38):
        policy = {"max_prob": world.threshold(share)}
        verdict, evidence = world.judge(policy=policy, gates=Gates(cost_reduction=0.7))
        words = f"{100 * share:.0f} % to the teacher; saved {saving(evidence)}"
        found.append(("fallback", words, tell(verdict)))
    return found


def saving(evidence: VariantEvidence) -> str:
    """Print the share of the teacher's cost that is saved."""
    return f"{100 * evidence.figures['cost_reduction'].estimate:.1f} %"


def main() -> None:
    """Plant, judge, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--study", type=Path, default=STUDY)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    world = World(asked.study)
    lines = [
        "# Failures planted into a trained student\n",
        f"`python bench/planted_failures.py`: `{world.kept.variant}`, promoted for `{TARGET}` in the demo; "
        f"its own answers to {len(world.truth):,} test rows, one failure planted at a time.\n",
        "| planted | how | the gate |\n| --- | --- | --- |",
        *(f"| {name} | {how} | {verdict.replace('|', '/')} |" for name, how, verdict in plant(world)),
    ]
    text = "\n".join(lines) + "\n"
    print(text)
    if asked.out:
        asked.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
