import numpy as np
import pytest

from edgekd.distill.learner import RowWords
from edgekd.distill.learners.classify import Classify
from edgekd.distill.logs.dominating import SHOWN, DominatingRows

LABELS = ("order", "return")


def losses_of(golden) -> np.ndarray:
    return np.array(golden["batch_of_8"]["combined_per_example"])


def listed(rows: DominatingRows, count: int):
    texts = [f"text {i}" for i in range(count)]
    return rows.event("small", 3, texts, lambda shown: [RowWords("order")] * len(shown))


def test_worked_batch(golden):
    rows = DominatingRows(8)
    rows.record(np.arange(8), losses_of(golden))
    rows.end_epoch()
    assert sorted(rows.persistent(1) + 1) == golden["batch_of_8"]["dominating_examples_1_based"]
    assert list(rows.persistent(1)) == [5, 2]  # the highest loss first


def test_only_what_dominates_epoch_after_epoch_is_listed():
    rows = DominatingRows(6)
    for epoch in range(3):
        losses = np.ones(6)
        losses[0] = 9
        losses[epoch + 1] = 5
        for picked in (np.array([0, 4, 5]), np.array([1, 2, 3])):
            rows.record(picked, losses[picked])
        rows.end_epoch()
    assert list(rows.persistent(3)) == [0] and sorted(rows.persistent(1)) == [0, 1, 2, 3]
    found = listed(rows, 6)
    assert (found.least_epochs, found.count, found.rows) == (2, 1, 6)
    (example,) = found.examples
    assert (example.row, example.text, example.epochs_over, example.epochs_seen) == (0, "text 0", 3, 3)
    assert example.mean_loss == pytest.approx(9)


def test_event_tells_class_and_teachers_answer():
    rows = DominatingRows(4)
    for _ in range(2):
        rows.record(np.arange(4), np.array([9.0, 0, 0, 8]))
        rows.end_epoch()
    teacher = np.array([[0, 1], [1, 0], [1, 0], [1, 0]], dtype=np.float16)
    classes = np.array([0, 0, 0, -1])
    texts = ["x" * 500, "", "", "?"]

    def describe(shown):
        return Classify(LABELS).describe(classes[shown], teacher[shown])

    first, second = rows.event("small", 2, texts, describe).examples
    assert (first.class_name, first.teacher_answer, len(first.text)) == ("order", "return", 200)
    assert (second.class_name, second.teacher_answer) == (None, "order")  # a row without a label


def test_a_row_drawn_twice_counts_an_epoch_once():
    rows = DominatingRows(3)
    for _ in range(2):
        rows.record(np.array([0, 1, 2, 0]), np.array([9.0, 1, 1, 9]))
        rows.record(np.array([0]), np.array([2.0]))
    rows.end_epoch()
    assert (rows.epochs_over[0], rows.epochs_seen[0]) == (1, 1)
    assert list(rows.persistent(1)) == [0]


def test_killed_epoch_is_not_counted_and_what_ended_is_kept(tmp_path):
    whole, killed, resumed = (DominatingRows(5) for _ in range(3))
    first, second = np.array([9.0, 1, 1, 1, 1]), np.array([7.0, 1, 9, 1, 1])
    for rows in (whole, killed):
        rows.record(np.arange(5), first)
        rows.end_epoch()
    killed.save(tmp_path / "epoch-1.dominating")
    killed.record(np.arange(5), np.array([0.0, 0, 0, 0, 9]))
    resumed.load(tmp_path / "epoch-1.dominating")
    for rows in (whole, resumed):
        rows.record(np.arange(5), second)
        rows.end_epoch()
    assert listed(whole, 5).examples == listed(resumed, 5).examples
    assert [e.row for e in listed(resumed, 5).examples] == [0]


def test_a_loss_is_known_beside_those_of_its_time(tmp_path):
    rows, resumed = DominatingRows(4000), DominatingRows(4000)
    for batch in range(400):  # losses fall to a fiftieth; every tenth row's is five times that of its batch
        rows.record(np.arange(10 * batch, 10 * batch + 10), 0.99**batch * np.r_[5.0, np.ones(9)])
    rows.end_epoch()
    assert np.array_equal(rows.relative > 1, np.arange(4000) % 10 == 0)
    rows.save(tmp_path / "epoch-1.dominating")
    resumed.load(tmp_path / "epoch-1.dominating")
    for one in (rows, resumed):
        one.record(np.arange(10), np.ones(10))
        one.end_epoch()
    assert np.array_equal(rows.relative, resumed.relative) and (rows.relative[:10] == 1).all()


def test_counts_all_and_lists_the_worst():
    rng, rows = np.random.default_rng(0), DominatingRows(1000)
    for _ in range(2):
        rows.record(np.arange(1000), np.where(np.arange(1000) < 100, 5, 1) + rng.random(1000))
        rows.end_epoch()
    found = listed(rows, 1000)
    means = [example.mean_loss for example in found.examples]
    assert found.count == 100 and len(means) == SHOWN and means == sorted(means, reverse=True)


def test_nothing_seen_lists_nothing():
    assert listed(DominatingRows(3), 3).examples == () and listed(DominatingRows(0), 0).count == 0
