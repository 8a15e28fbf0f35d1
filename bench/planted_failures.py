"""One failure at a time, planted into the real answers of a promoted student: refused, and for that reason?

    make demo
    python bench/planted_failures.py --out docs/results/planted_failures.md

What was promoted for `mobile-lowmem` in the demo answers the test rows. One failure at a time is planted into
its answers: a row is made wrong (or right) by exchanging two logits, so that the model is as sure as it was.
Failures of critical classes are planted into the teacher's answers, too. A slower phone is the artifact
itself with a loader that waits, both measured here, interleaved; times are scaled so that the artifact as it
is has a p95 of 240 ms, of 300 allowed. Exits with 1 where a failure is not refused for the named reason.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from planted import plant_slowdown

from edgekd.ci.artifacts import artifact_subject
from edgekd.compile import open_artifact
from edgekd.config import load_project
from edgekd.config.gates import Gates
from edgekd.config.routing import Routing
from edgekd.evaluate.classify.calibration import calibration_intervals
from edgekd.evaluate.classify.route_rows import TuningRows
from edgekd.evaluate.classify.routing import judge_routing, route_rows
from edgekd.evaluate.judge import evaluate
from edgekd.evaluate.predictions import Predictions, load_predictions
from edgekd.evaluate.scorer import JudgedRows
from edgekd.gate.carving import list_carved
from edgekd.gate.evidence import VariantEvidence
from edgekd.gate.verdict import GateVerdict, judge_target
from edgekd.measure.plan import MeasurePlan
from edgekd.measure.session import measure_subjects
from edgekd.pipeline.answering import served_predictions
from edgekd.pipeline.replaying import Question
from edgekd.pipeline.routing import carve_policy, find_saving
from edgekd.serving.calibrate import spread_bias
from edgekd.stats.interval import Interval

STUDY = Path(__file__).parent / "studies" / "mangaassist.yaml"
TARGET = "mobile-lowmem"
ROUTING = Routing(teacher_per_1k=3.0, billing="accepted", carve_out=("not-english", "fresh-titles"))
STUDENT_PER_1K = 0.2
CRITICAL = ("safety_abuse", "safety_self_harm", "dispute_charge", "dispute_unauthorised")
Hits = npt.NDArray[np.bool_]


class World:
    """The promoted variant's evidence, and what can be planted into it."""

    def __init__(self, study: Path) -> None:
        project = load_project(study)
        runs = study.parent / project.workspace / "runs"
        found = sorted(
            runs.glob(f"{project.name}-????????/evidence/questions/{TARGET}.json"),
            key=lambda p: p.stat().st_mtime,
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
        self.bias = spread_bias(dict(question.biases.get(self.kept.variant, {})), self.labels)
        self.answers = self.predict(self.answers.outputs)
        self.rng = np.random.default_rng(0)

    def predict(self, logits: npt.NDArray[np.float32]) -> Predictions:
        """Name the artifact as whose logits they are, with its bias."""
        return served_predictions(
            self.kept.artifact_digest, Predictions("", logits), self.temperature, self.bias
        )

    def carve(self, logits: npt.NDArray[np.float32]) -> dict[str, object]:
        """Carve out what the student loses, on validation rows that are taken to be as these."""
        table = Predictions("", logits).probabilities(self.temperature)
        rows = TuningRows(table, self.teacher.labels, self.truth, self.labels, self.bias)
        return carve_policy(self.own_policy(), rows, self.texts, ROUTING, self.slices, self.masks)

    def own_policy(self) -> dict[str, object]:
        """Return the policy that the variant was promoted with; without one it answers everything."""
        return {"max_prob": 0.0} if self.kept.routing is None else dict(self.kept.routing.policy)

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
        own = self.answers if logits is None else self.predict(logits)
        if policy is None and self.kept.routing is not None:
            policy = self.own_policy()
        compared = {"teacher": teacher or self.teacher}
        judged = JudgedRows(self.truth, self.labels, self.slices, self.masks, self.traffic)
        result = evaluate(own, compared, judged, temperature=self.temperature)
        figures: dict[str, Interval] = {}
        overall, table = self.masks["overall"], own.probabilities(self.temperature)
        if gates is not None:
            figures |= calibration_intervals(table[overall], self.truth[overall])
        routed = None
        if policy:
            taught = (teacher or self.teacher).labels
            found = route_rows(policy, self.labels, self.texts, table, taught, self.masks, self.bias)
            routed = judge_routing(own.subject, policy, found, taught, judged)
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

    def answered_as(
        self, logits: npt.NDArray[np.float32], name: str, other: str, share: float
    ) -> npt.NDArray[np.float32]:
        """Have a share of a class's rows answered as another class, as surely as they were answered."""
        rows = np.flatnonzero(self.truth == self.labels.index(name))
        out, place = logits.copy(), self.labels.index(other)
        for row in self.rng.choice(rows, round(share * len(rows)), replace=False):
            exchange(out[row], int(out[row].argmax()), place)
        return out

    def threshold(self, share: float) -> float:
        """Return the top probability below which this share of the traffic lies."""
        table = self.answers.probabilities(self.temperature)[self.masks["overall"]]
        return float(np.quantile(table.max(axis=1), share))


def exchange(row: npt.NDArray[np.float32], one: int, other: int) -> None:
    """Exchange two logits."""
    row[one], row[other] = row[other], row[one]


@dataclass(frozen=True)
class Case:
    """One failure: how it was planted, the verdict, and the check that must refuse it, if any."""

    name: str
    how: str
    verdict: GateVerdict
    refused_by: str = ""

    @property
    def is_as_expected(self) -> bool:
        """Whether it is promoted where nothing was planted, and refused for the named reason elsewhere."""
        failing = [check.name for check in self.verdict.variants[0].checks if not check.passes]
        return self.refused_by in failing if self.refused_by else not failing

    @property
    def told(self) -> str:
        """What became of it, and what did not pass."""
        held = [check for check in self.verdict.variants[0].checks if not check.passes]
        if not held:
            return "promoted"
        return "refused: " + "; ".join(f"{c.name} {c.status}, {c.found} (limit {c.limit})" for c in held)


def plant(world: World) -> list[Case]:
    """Judge every case."""
    real = np.array(world.answers.outputs)

    def rate(logits: npt.NDArray[np.float32], name: str) -> str:
        return f"{100 * world.hits(logits, name).mean():.1f} %"

    cases = [Case("nothing", "the answers as they were", world.judge()[0])]
    safety = "safety-escalation"
    worse = world.at_rate(world.mended(real, 0.3, safety), safety, world.hits(real, safety).mean() - 0.13)
    words = (
        f"safety recall {rate(real, safety)} to {rate(worse, safety)}, "
        f"the whole {rate(real, 'overall')} to {rate(worse, 'overall')}"
    )
    verdict = world.judge(worse)[0]
    cases.append(Case("safety recall falls, the whole rises", words, verdict, f"quality {safety}"))
    cases += plant_critical(world, real)
    own, slow = world.p95_ms(0.375)
    cases.append(Case("a phone as fast as it was", "240 ms", world.judge(p95_ms=own)[0]))
    cases.append(Case("a phone gets slower", "waits 3/8 of each call", world.judge(p95_ms=slow)[0], "p95_ms"))
    for name in ("not-english", "fresh-titles"):
        worse = world.at_rate(real, name, world.hits(real, name).mean() - 0.12)
        words = f"{rate(real, name)} to {rate(worse, name)}"
        cases.append(Case(f"{name} falls", words, world.judge(worse, policy={})[0], f"quality {name}"))
        policy = world.carve(worse)
        carved = list_carved(policy, ROUTING.carve_out, ROUTING.risky)
        verdict, evidence = world.judge(worse, policy=policy, gates=Gates(cost_reduction=0.3))
        words = f"{', '.join(carved) or 'nothing'} to the teacher; saved {saving(evidence)}"
        cases.append(Case(f"{name} falls, with a carve-out", words, verdict))
    overall = world.masks["overall"]
    table = world.answers.probabilities(world.temperature)[overall]
    known = calibration_intervals(table, world.truth[overall])
    gates = Gates(**{name: round(1.2 * known[name].high, 3) for name in ("ece", "confident_error_rate")})
    words = (
        f"limits 1.2 times what its bounds are: ECE {gates.ece}, sure and wrong {gates.confident_error_rate}"
    )
    cases.append(Case("as sure as it was", words, world.judge(gates=gates)[0]))
    boasting = np.where((real.argmax(axis=1) != world.truth)[:, None], 8 * real, real)
    words = "the same answers, those that are wrong with 8 times the logits"
    verdict = world.judge(boasting, gates=gates)[0]
    cases.append(Case("confidently wrong at equal accuracy", words, verdict, "confident_error_rate"))
    for name, policy, refused_by in (
        ("as often as it was", world.own_policy(), ""),
        ("60 %", {"max_prob": world.threshold(0.6)}, "cost_reduction"),
    ):
        verdict, evidence = world.judge(policy=policy, gates=Gates(cost_reduction=0.6))
        words = f"{name} to the teacher; saved {saving(evidence)}"
        cases.append(Case("fallback", words, verdict, refused_by))
    return cases


def plant_critical(world: World, real: npt.NDArray[np.float32]) -> list[Case]:
    """Plant what goes wrong with critical classes, into the teacher's answers as well as the student's.

    A student that copies its teacher has no drop against it, so only a floor can refuse it.
    """

    def judge(logits: npt.NDArray[np.float32]) -> GateVerdict:
        return world.judge(logits, teacher=Predictions("teacher", logits), policy={})[0]

    ill = "safety_self_harm"
    weak = world.answered_as(real, ill, "faq_membership", 0.77)
    hidden = world.answered_as(real, "dispute_unauthorised", "dispute_charge", 1.0)
    family = world.answered_as(real, ill, "safety_abuse", 0.2)
    alarmed = real.copy()
    calm = np.flatnonzero(~np.isin(world.truth, [world.labels.index(name) for name in CRITICAL]))
    abuse = world.labels.index("safety_abuse")
    for row in world.rng.choice(calm, len(calm) // 40, replace=False):
        exchange(alarmed[row], int(alarmed[row].argmax()), abuse)
    floor = "floor safety-escalation:safety_self_harm"
    return [
        Case("a weak teacher", "77 % of self-harm is called a question, by both", judge(weak), floor),
        Case(
            "one class of a family at 0 %",
            "every unauthorised payment is called a wrong charge",
            judge(hidden),
            "floor payment-dispute:dispute_unauthorised",
        ),
        Case(
            "over-escalation",
            "one calm message in 40 is called abuse",
            judge(alarmed),
            "floor false-escalations",
        ),
        Case("a floor met by the family alone", "a fifth of self-harm is called abuse", judge(family), floor),
    ]


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
    cases = plant(world)
    lines = [
        "# Failures planted into a trained student\n",
        f"`python bench/planted_failures.py`: `{world.kept.variant}`, promoted for `{TARGET}` in the demo; "
        f"its own answers to {len(world.truth):,} test rows, one failure planted at a time.\n",
        "| planted | how | the gate |\n| --- | --- | --- |",
        *(f"| {case.name} | {case.how} | {case.told.replace('|', '/')} |" for case in cases),
    ]
    text = "\n".join(lines) + "\n"
    print(text)
    if asked.out:
        asked.out.write_text(text, encoding="utf-8")
    if wrong := [case.name for case in cases if not case.is_as_expected]:
        sys.exit(f"not refused for the named reason, or refused without one: {', '.join(wrong)}")


if __name__ == "__main__":
    main()
