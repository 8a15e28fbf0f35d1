import numpy as np
import pytest

from edgekd.config import Slice
from edgekd.evaluate.result import SliceResult
from edgekd.evaluate.shadow import ShadowRows, compare_shadow
from edgekd.report.lines import shadow_lines
from edgekd.stats.proportion import wilson_interval

LABELS = ("order", "return", "abuse")
SLICES = (
    Slice(name="overall", margin=1),
    Slice(name="escalation", recall_of=("abuse",), margin=3),
    Slice(name="empty", margin=3),
)


def make(n=2000, seed=0, student=0.9, recall=0.9):
    """Traffic whose student is right in `student` of the rows, and of abuse in `recall`."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(3, n, p=[0.6, 0.3, 0.1])
    wrong = np.where(truth == 2, 0, 1 - np.minimum(truth, 1))
    right = rng.random(n) < np.where(truth == 2, recall, student)
    incumbent = np.where(rng.random(n) < 0.93, truth, wrong)
    wins = np.where(rng.random(n) < 0.1, rng.choice([0.0, 0.5, 1.0], n), np.nan)
    rows = ShadowRows(np.where(right, truth, wrong), incumbent, truth, truth, wins)
    masks = {
        "overall": np.ones(n, np.bool_),
        "escalation": np.ones(n, np.bool_),
        "empty": np.zeros(n, np.bool_),
    }
    return rows, masks


def offline(rate, n=3000, name="overall", metric="accuracy"):
    return {name: SliceResult(name, "prove", metric, 0.01, n, wilson_interval(round(rate * n), n), ())}


def test_figures_are_those_of_the_rows():
    rows, masks = make()
    overall, escalation, empty = compare_shadow(rows, LABELS, SLICES, masks, {})
    assert overall.n == 2000 and overall.teacher_preference_match.estimate == pytest.approx(
        (rows.student == rows.teacher).mean()
    )
    assert overall.student_win_rate.estimate == pytest.approx(np.nanmean(rows.wins))
    assert overall.policy_escalation_recall is None
    abuse = rows.truth == 2
    assert escalation.n == abuse.sum()
    assert escalation.policy_escalation_recall.estimate == pytest.approx((rows.student == 2)[abuse].mean())
    assert escalation.baseline_escalation_recall.estimate == pytest.approx(
        (rows.incumbent == 2)[abuse].mean()
    )
    assert (empty.n, empty.teacher_preference_match, empty.mismatch) == (0, None, None)


def test_traffic_that_is_otherwise_than_the_test_rows_is_called_out(golden):
    """The worked example: escalation recall of .93 offline and .81 in shadow."""
    before, now = golden["offline_against_shadow"]["escalation_recall"]
    rows, masks = make(n=8000, recall=now)
    known = offline(before, n=800, name="escalation", metric="recall")
    found = {entry.name: entry for entry in compare_shadow(rows, LABELS, SLICES, masks, known)}
    assert found["escalation"].mismatch.low > 0
    assert any("MISMATCH: offline +" in line for line in shadow_lines(list(found.values())))
    few = compare_shadow(*make_few(now), known)
    assert few[1].mismatch is None  # eight rows of abuse show nothing


def make_few(recall):
    rows, masks = make(n=80, seed=1, recall=recall)
    return rows, LABELS, SLICES, masks


def test_by_chance_alone_slices_are_rarely_called_out():
    called = 0
    for seed in range(200):
        rows, masks = make(n=600, seed=seed)
        true = float((np.array([0.9, 0.9, 0.9]) * [0.6, 0.3, 0.1]).sum())
        hits = np.random.default_rng(1000 + seed).binomial(3000, true)
        called += any(
            entry.mismatch is not None
            for entry in compare_shadow(rows, LABELS, SLICES[:1], masks, offline(hits / 3000))
        )
    assert called <= 18  # 10 expected of 200; 18 are passed by chance once in a hundred such runs
