import numpy as np
import pytest

from edgekd.config import Slice
from edgekd.evaluate.classify.shadow import Counts, ShadowRows, compare_shadow, count_slices
from edgekd.report.lines import shadow_lines

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


def offline(rate, n=3000, name="overall"):
    """Test rows whose truth is what the teacher says, so that both shares are one."""
    return {name: Counts(round(rate * n), n, round(rate * n), n)}


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
    known = offline(before, n=800, name="escalation")
    found = {entry.name: entry for entry in compare_shadow(rows, LABELS, SLICES, masks, known)}
    assert found["escalation"].mismatch.low > 0
    assert any("MISMATCH of right answers: offline +" in line for line in shadow_lines(list(found.values())))
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


def without_labels(rows):
    """The same traffic where nobody has said what was right."""
    return ShadowRows(rows.student, rows.incumbent, rows.teacher, np.full_like(rows.truth, -1), rows.wins)


def imperfect(n, seed):
    """A student that answers as its teacher does in 98 of 100 rows; the teacher is right in 85 of 100."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(3, n, p=[0.6, 0.3, 0.1])
    teacher = np.where(rng.random(n) < 0.85, truth, (truth + 1) % 3)
    student = np.where(rng.random(n) < 0.98, teacher, (teacher + 1) % 3)
    masks = {entry.name: np.ones(n, np.bool_) for entry in SLICES}
    return ShadowRows(student, teacher, teacher, truth, np.full(n, np.nan)), masks


def test_agreement_is_not_taken_for_the_truth():
    """Up to 2d017b4 rows without a label took the teacher for right: 98 % on traffic against 85 % offline."""
    test, masks = imperfect(3000, seed=0)
    known = count_slices(test.student, test.teacher, test.truth, LABELS, SLICES, masks)
    assert known["overall"].right / known["overall"].judged == pytest.approx(0.84, abs=0.02)
    rows, masks = imperfect(3000, seed=1)
    for traffic in (rows, without_labels(rows)):
        for entry in compare_shadow(traffic, LABELS, SLICES, masks, known):
            assert (entry.mismatch, entry.preference_mismatch) == (None, None), entry.name
    unlabelled = compare_shadow(without_labels(rows), LABELS, SLICES, masks, known)
    assert (unlabelled[0].n, unlabelled[0].labelled) == (3000, 0)
    assert unlabelled[1].policy_escalation_recall is None  # recall of what nobody knows
    assert unlabelled[1].teacher_preference_match.estimate == pytest.approx(0.98, abs=0.02)


def test_a_match_that_falls_on_traffic_is_called_out():
    rows, masks = make(n=400, seed=3, student=0.5, recall=0.5)
    known = {"overall": Counts(0, 0, 3000, 3000)}
    (overall, *_) = compare_shadow(without_labels(rows), LABELS, SLICES, masks, known)
    assert overall.mismatch is None
    assert overall.preference_mismatch.estimate == pytest.approx(0.5, abs=0.06)
    assert overall.preference_mismatch.low > 0.4
    assert "MISMATCH of match with the teacher: offline +" in shadow_lines([overall])[0]


def test_only_rows_with_a_label_say_what_is_right():
    rows, masks = make(n=2000, seed=4, student=0.9)
    said = np.arange(2000) % 4 == 0
    some = ShadowRows(rows.student, rows.incumbent, rows.teacher, np.where(said, rows.truth, -1), rows.wins)
    known = offline(0.99)
    (overall, escalation, _) = compare_shadow(some, LABELS, SLICES, masks, known)
    assert (overall.n, overall.labelled) == (2000, 500)
    assert overall.mismatch.estimate == pytest.approx(0.09, abs=0.04)
    assert escalation.labelled == (rows.truth[said] == 2).sum()
