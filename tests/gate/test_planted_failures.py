"""MangaAssist's messages with answers made to fail in one place: refused for that reason, and only then."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgekd.config import Target, load_project
from edgekd.config.gates import Gates
from edgekd.config.routing import Routing
from edgekd.data.load import load_data
from edgekd.data.slices import select_traffic, slice_masks
from edgekd.evaluate.classify.calibration import calibration_intervals
from edgekd.evaluate.classify.route_rows import TuningRows
from edgekd.evaluate.classify.routing import judge_routing, route_rows
from edgekd.evaluate.judge import evaluate
from edgekd.evaluate.predictions import Predictions
from edgekd.evaluate.scorer import JudgedRows
from edgekd.gate.carving import list_carved
from edgekd.gate.evidence import VariantEvidence
from edgekd.gate.verdict import judge_target
from edgekd.impact.fallback import Prices
from edgekd.pipeline.routing import carve_policy, find_saving
from edgekd.stats.interval import Interval

STUDY = Path(__file__).parents[2] / "bench" / "studies" / "mangaassist.yaml"
DIGEST = "c" * 64
TARGET = Target(
    name="mobile-lowmem",
    hardware={"arch": "aarch64", "memory_mib": 512},
    builds=[{"runtime": "onnxruntime", "recipe": "int8-dynamic"}],
    limits={"p95_ms": 300},
)


SAFETY = ("safety_abuse", "safety_self_harm")
CRITICAL = (*SAFETY, "dispute_charge", "dispute_unauthorised")


@pytest.fixture(scope="module")
def world():
    """Test rows, their slices, and a teacher: right in 92 of 100, in 97 where it is critical."""
    project = load_project(STUDY)
    few = {"train": 400, "unlabelled": 0, "calibration": 100, "validation": 200}
    options = {**few, "test": 6000, "critical": 2500, "near_misses_test": 300}
    data = project.data.model_copy(update={"options": options})
    rows = load_data(data, STUDY.parent).split("test")
    rng = np.random.default_rng(0)
    critical = np.isin(rows.classes, [rows.outputs.index(name) for name in CRITICAL])
    right = rng.random(len(rows)) < np.where(critical, 0.97, 0.92)
    return World(project, rows, slice_masks(rows, project.slices), rows.classes, right)


class World:
    def __init__(self, project, rows, masks, truth, right):
        self.project, self.rows, self.masks, self.truth, self.right = project, rows, masks, truth, right
        self.labels = rows.outputs
        self.traffic = select_traffic(rows, project.data.sample)
        others = [place for place, name in enumerate(self.labels) if name not in CRITICAL]
        away = np.array(others)[np.arange(len(truth)) * 7 % len(others)]
        after = np.array(others)[(np.arange(len(truth)) * 7 + 1) % len(others)]
        self.wrong = np.where(away == truth, after, away)  # no wrong answer is a critical class

    def labels_of(self, right):
        """Labels of a model that is right where `right` says."""
        return np.where(right, self.truth, self.wrong)

    def rows_of(self, *names):
        return np.isin(self.truth, [self.labels.index(name) for name in names])

    def answers(self, chosen, sure=0.9):
        """Logits of a model that answers `chosen`, each with probability `sure`."""
        k = len(self.labels)
        sure = np.broadcast_to(sure, chosen.shape)
        table = np.repeat(np.log((1 - sure) / (k - 1))[:, None], k, axis=1)
        table[np.arange(len(chosen)), chosen] = np.log(sure)
        return Predictions(DIGEST, table.astype(np.float32))

    def student(self, seed=1):
        """As good as the teacher, and differing from it in 3 of 100 rows."""
        rng = np.random.default_rng(seed)
        right = self.right.copy()
        lose = np.flatnonzero(self.right & (rng.random(len(right)) < 0.015))
        right[lose] = False
        right[rng.choice(np.flatnonzero(~self.right), len(lose), replace=False)] = True
        return right

    def at_rate(self, right, name, rate, seed=2):
        """Set the share of hits in a slice."""
        rng = np.random.default_rng(seed)
        out, rows = right.copy(), np.flatnonzero(self.slice_rows(name))
        out[rows] = True
        out[rng.choice(rows, round((1 - rate) * len(rows)), replace=False)] = False
        return out

    def slice_rows(self, name):
        entry = next(one for one in self.project.slices if one.name == name)
        if not entry.recall_of:
            return self.masks[name]
        return self.masks[name] & np.isin(self.truth, [self.labels.index(x) for x in entry.recall_of])

    def carve(self, right, policy, routing):
        """Carve out what a student loses on validation rows that are as these."""
        answers = self.answers(self.labels_of(right)).probabilities()
        taught = self.labels_of(self.right)
        rows = TuningRows(answers, taught, self.truth, self.labels)
        return carve_policy(policy, rows, self.rows.texts, routing, self.project.slices, self.masks)

    def judge(self, right, **settings):
        return self.judge_answers(self.labels_of(right), **settings)

    def judge_answers(
        self, chosen, *, taught=None, p95=240.0, sure=0.9, gates=None, policy=None, routing=None
    ):
        answers = self.answers(chosen, sure)
        teacher = self.answers(self.labels_of(self.right) if taught is None else taught)
        slices, masks = self.project.slices, self.masks
        judged = JudgedRows(self.truth, self.labels, slices, masks, self.traffic)
        result = evaluate(answers, {"teacher": teacher}, judged)
        routed, figures = None, {}
        if policy is not None:
            table, taught = answers.probabilities(), teacher.labels
            found = route_rows(policy, self.labels, self.rows.texts, table, taught, masks)
            routed = judge_routing(DIGEST, policy, found, taught, replace(judged, traffic=None))
            figures["cost_reduction"] = find_saving(routing, routed.slice_named("overall").fallback, 0.2)
        if gates is not None:
            overall = masks["overall"]
            figures |= calibration_intervals(answers.probabilities()[overall], self.truth[overall])
        near = Interval(p95, 0.98 * p95, 1.02 * p95, 0.95)
        evidence = VariantEvidence(
            "v", "s", "onnxruntime", "int8-dynamic", DIGEST, 1000, near, near, near, 1000, "native", "",
            result, True, routing=routed, figures=figures,
        )  # fmt: skip
        return judge_target(TARGET, [evidence], order=["v"], gates=gates), routed


def failing(verdict):
    return [check.name for check in verdict.variants[0].checks if not check.passes]


def test_without_a_planted_failure_it_is_promoted(world):
    verdict, _ = world.judge(world.student())
    assert verdict.promoted == "v", failing(verdict)


def test_safety_recall_falls_while_the_whole_rises(world, golden):
    story = golden["rare_class_story"]
    accuracy, recall = np.subtract(*story["global_accuracy"][::-1]), story["safety_recall"]
    right = world.student()
    better = right | (np.random.default_rng(3).random(len(right)) < 0.3)
    right = world.at_rate(better, "safety-escalation", recall[1])
    overall = world.masks["overall"]
    assert right[overall].mean() - world.right[overall].mean() > accuracy > 0
    verdict, _ = world.judge(right)
    assert verdict.promoted is None
    assert "quality safety-escalation" in failing(verdict)
    assert "floor safety-escalation" in failing(verdict)
    assert {name.split()[1].partition(":")[0] for name in failing(verdict)} <= {
        "safety-escalation",
        "new-wordings",
    }
    found = world.at_rate(right, "safety-escalation", recall[0] + 0.02)  # the floor is 93, with a bound
    assert world.judge(found)[0].promoted == "v"


@pytest.mark.parametrize(("name", "rate"), [("not-english", None), ("fresh-titles", 0.8)])
def test_a_watched_slice_falls_and_can_be_carved_out(world, golden, name, rate):
    rate = rate or golden["device_slice_table"]["non_english_factuality"][1]
    right = world.at_rate(world.student(), name, rate)
    verdict, _ = world.judge(right)
    assert verdict.promoted is None and f"quality {name}" in failing(verdict)
    routing = Routing(teacher_per_1k=3.0, carve_out=(name,))
    plain = {"max_prob": 0.0}
    bad = {check.partition(" ")[2].partition(":")[0] for check in failing(verdict)} - {"overall"}
    routing = routing.model_copy(update={"carve_out": tuple(bad)})
    policy = world.carve(right, plain, routing)
    carved = list_carved(policy, routing.carve_out, routing.risky)
    assert name in carved
    verdict, routed = world.judge(right, policy=policy, routing=routing, gates=Gates(cost_reduction=0.5))
    assert verdict.promoted == "v", failing(verdict)
    assert routed.slice_named(name).fallback.estimate == 1
    assert 0 < routed.slice_named("overall").fallback.estimate < 0.5
    assert world.carve(right, plain, routing.model_copy(update={"carve_out": ()})) == plain


def test_a_phone_gets_slower_while_the_others_get_faster(world, golden):
    before, after = golden["device_slice_table"]["low_memory_mobile_p95_ms"]
    right = world.student()
    assert world.judge(right, p95=before)[0].promoted == "v"
    verdict, _ = world.judge(right, p95=after)
    assert failing(verdict) == ["p95_ms"]
    assert "the whole interval is above the limit" in verdict.reason


def test_confidently_wrong_at_equal_accuracy(world):
    right = world.student()
    gates = Gates(confident_error_rate=0.03, ece=0.05)
    rng = np.random.default_rng(6)
    unsure = np.where(right, rng.random(len(right)) < 0.095, rng.random(len(right)) < 0.79)
    humble = np.where(unsure, 0.58, 0.98)  # right in 98 of 100 where it says so
    assert world.judge(right, sure=humble, gates=gates)[0].promoted == "v"
    verdict, _ = world.judge(right, sure=np.full(len(right), 0.99), gates=gates)
    assert failing(verdict) == ["ece", "confident_error_rate"]


def test_fallback_that_eats_the_saving(world):
    rng = np.random.default_rng(4)
    sure = np.where(rng.random(len(world.truth)) < 0.62, 0.95, 0.6)
    routing = Routing(teacher_per_1k=3.0, billing="accepted")
    gates = Gates(cost_reduction=0.7)
    few, many = {"max_prob": 0.55}, {"max_prob": 0.72}
    verdict, _ = world.judge(world.student(), sure=sure, policy=few, routing=routing, gates=gates)
    assert verdict.promoted == "v", failing(verdict)
    verdict, routed = world.judge(world.student(), sure=sure, policy=many, routing=routing, gates=gates)
    assert routed.slice_named("overall").fallback.estimate == pytest.approx(0.38, abs=0.02)
    assert failing(verdict) == ["cost_reduction"]
    # per thousand, as in the worked example: 0.62 x 0.20 + 0.38 x 3.00 against 3.00
    assert Prices(3.0, 0.2, "accepted").per_1k(0.38) == pytest.approx(1.264)


def reasons(verdict):
    return {check.name: check.reason for check in verdict.variants[0].checks if not check.passes}


def test_a_weak_teacher_excuses_no_student(world):
    lost = world.rows_of("safety_self_harm") & (np.random.default_rng(7).random(len(world.truth)) > 0.23)
    taught = world.labels_of(world.right & ~lost)
    verdict, _ = world.judge_answers(taught, taught=taught)  # the student copies its teacher to the letter
    assert verdict.promoted is None
    assert not [name for name in failing(verdict) if name.startswith("quality")]
    reason = reasons(verdict)["floor safety-escalation:safety_self_harm"]
    assert "missed for certain" in reason and "the teacher itself misses it with 2" in reason


def test_one_class_of_a_family_at_nothing_is_refused(world):
    chosen = world.labels_of(world.student())
    hidden = world.rows_of("dispute_unauthorised")
    chosen[hidden] = world.labels.index("dispute_charge")
    verdict, _ = world.judge_answers(chosen, taught=chosen)
    assert "floor payment-dispute" not in failing(verdict)  # as a family it is found
    assert "recall 0.00 %" in next(
        c.found for c in verdict.variants[0].checks if c.name == "floor payment-dispute:dispute_unauthorised"
    )
    assert {name for name in failing(verdict) if name.startswith("floor payment")} == {
        "floor payment-dispute:dispute_unauthorised"
    }


def test_over_escalation_is_refused(world):
    chosen = world.labels_of(world.student())
    calm = np.flatnonzero(~world.rows_of(*CRITICAL))
    alarmed = np.random.default_rng(8).choice(calm, len(calm) // 40, replace=False)
    chosen[alarmed] = world.labels.index("safety_abuse")
    verdict, _ = world.judge_answers(chosen, taught=chosen)
    assert failing(verdict) == ["floor false-escalations"]
    assert "missed for certain" in reasons(verdict)["floor false-escalations"]


def test_a_floor_met_by_the_family_alone_is_refused(world):
    chosen = world.labels_of(np.ones(len(world.truth), dtype=bool))
    rows = np.flatnonzero(world.rows_of("safety_self_harm"))
    lost = np.random.default_rng(9).choice(rows, len(rows) // 8, replace=False)
    chosen[lost] = world.wrong[lost]
    verdict, _ = world.judge_answers(chosen, taught=chosen)
    assert failing(verdict) == ["floor safety-escalation:safety_self_harm"]
    family = next(c for c in verdict.variants[0].checks if c.name == "floor safety-escalation")
    assert family.status == "pass"
