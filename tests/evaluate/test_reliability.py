"""What was said against what was right, slice by slice."""

import numpy as np
import pytest

from edgekd.config import Slice
from edgekd.evaluate.classify.reliability import LEAST, measure_reliability

LABELS = ("faq", "safety", "dispute")
SLICES = (
    Slice(name="overall", tier="prove", margin=1.5),
    Slice(name="safety", recall_of=("safety",), tier="prove", margin=3),
    Slice(name="few", where="x", margin=3),
)


def draw(n, seed=0, heat=1.0):
    """Answers that are right as often as they say; `heat` below 1 makes them boast."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n, 3)) * 2
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = np.array([rng.choice(3, p=row) for row in chances])
    said = np.exp(logits / heat) / np.exp(logits / heat).sum(axis=1, keepdims=True)
    return said, truth


def measure(said, truth, few=LEAST - 1):
    masks = {entry.name: np.ones(len(truth), bool) for entry in SLICES}
    masks["few"] = np.arange(len(truth)) < few
    return {entry.name: entry for entry in measure_reliability(said, truth, LABELS, SLICES, masks)}


def test_a_calibrated_model_shows_its_bias_and_no_more():
    found = measure(*draw(6000))["overall"]
    assert found.n == 6000 and len(found.bins) == 15
    assert sum(one.n for one in found.bins) == 6000
    assert found.ece < 2 * found.ece_if_calibrated < 0.04
    for one in found.bins:
        assert one.right / one.n == pytest.approx(one.probability, abs=0.08)


def test_one_that_boasts_is_found():
    found = measure(*draw(6000, heat=0.4))["overall"]
    assert found.ece > 5 * found.ece_if_calibrated
    assert (
        sum(one.right for one in found.bins) / found.n
        < np.mean([one.probability for one in found.bins]) - 0.05
    )


def test_a_slice_of_classes_holds_what_was_answered_so():
    said, truth = draw(900)
    found = measure(said, truth)
    answered = said.argmax(axis=1) == 1
    assert found["safety"].n == answered.sum() != (truth == 1).sum()
    assert sum(one.right for one in found["safety"].bins) == (answered & (truth == 1)).sum()


def test_a_predicate_of_the_truth_does_not_choose_what_was_answered_right():
    said, truth = draw(900)
    answered = said.argmax(axis=1) == 1
    for chosen, rows in ((truth == 1, answered), (np.arange(900) < 600, answered & (np.arange(900) < 600))):
        masks = {entry.name: chosen for entry in SLICES}
        (found,) = measure_reliability(said, truth, LABELS, SLICES[1:2], masks)
        assert found.n == rows.sum()
        assert sum(one.right for one in found.bins) == (rows & (truth == 1)).sum() < found.n


def test_few_rows_say_nothing():
    said, truth = draw(300)
    assert "few" not in measure(said, truth)
    assert "few" in measure(said, truth, LEAST)


def test_the_error_is_that_of_its_bins():
    found = measure(*draw(500))["overall"]
    gaps = [abs(one.n * one.probability - one.right) for one in found.bins]
    assert found.ece == pytest.approx(sum(gaps) / found.n, abs=1e-5)


def test_brier_and_confident_errors_are_of_each_slice():
    said, truth = draw(900)
    found = measure(said, truth, few=300)
    for name, rows in (("overall", slice(None)), ("few", slice(300))):
        part, right = said[rows], truth[rows]
        squares = ((part - np.eye(3)[right]) ** 2).sum(axis=1).mean()
        wrong = (part.argmax(axis=1) != right) & (part.max(axis=1) >= 0.9)
        assert found[name].brier == pytest.approx(squares, abs=1e-6)
        assert found[name].confident_error_rate == pytest.approx(wrong.mean())
