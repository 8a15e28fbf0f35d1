import numpy as np
import pytest

from edgekd.distill.diagnosis.score import (
    WEIGHTS,
    best_epoch,
    promotion_score,
    promotion_scores,
    promotion_terms,
)
from edgekd.errors import DataError


def test_weights_are_the_worked_ones(golden):
    assert golden["promotion_score"]["weights"] == WEIGHTS


def test_worked_epochs_of_the_score(golden, promotion_epochs):
    assert best_epoch(promotion_epochs) == golden["promotion_score"]["best_epoch"] == 4
    terms = [promotion_terms(epoch) for epoch in promotion_epochs]
    assert set(terms[0]) == {"teacher_match", "hallucination", "ece"}  # the others are held constant
    assert promotion_scores(terms)[3] == pytest.approx(0.35 * 0.865 - 0.1 * 0.033 - 0.1 * 0.06)
    held = [{**found, "human_win": 0.6, "safety_recall": 0.9} for found in terms]
    gaps = np.subtract(promotion_scores(held), promotion_scores(terms))
    assert gaps == pytest.approx([0.33] * 6)  # which changes no order


def test_worked_epochs_of_a_response_model(golden, response_epochs):
    terms = [promotion_terms(epoch) for epoch in response_epochs]
    scores = promotion_scores(terms)
    assert [round(score, 4) for score in scores[3:5]] == [0.6506, 0.6487]
    assert best_epoch(response_epochs) == golden["response_epochs"]["best_epoch"] == 4
    without = promotion_scores([{k: v for k, v in t.items() if k != "safety_recall"} for t in terms])
    assert np.argmax(without) == 4 and without[4] - without[3] == pytest.approx(0.0001)


def test_a_term_that_one_epoch_lacks_counts_in_none():
    terms = [{"teacher_match": 0.8, "safety_recall": 0.9}, {"teacher_match": 0.81}]
    assert promotion_scores(terms) == pytest.approx([0.28, 0.2835])
    assert promotion_scores([]) == []


def test_unknown_term_suggests():
    with pytest.raises(DataError, match=r"unknown term 'teacher_mach' .did you mean 'teacher_match'"):
        promotion_score({"teacher_mach": 0.8})


def test_epoch_that_fails_a_gate_is_never_best(epochs_of):
    epochs = epochs_of(
        teacher_preference_match=[0.8, 0.9, 0.85, 0.85], checkpoint_promotable=[True, False, None, True]
    )
    assert best_epoch(epochs) == 3  # the first of equals
    assert best_epoch(epochs_of(val_accuracy=[0.5], checkpoint_promotable=[False])) is None


@pytest.mark.parametrize(("is_higher_better", "best"), [(True, 2), (False, 3)])
def test_an_epoch_is_best_by_the_figure_that_its_log_names(epochs_of, is_higher_better, best):
    figures = [{"gap": 0.2}, {"gap": 0.4}, {"gap": 0.1}, {"gap": 0.1}, {"other": 9.0}]
    epochs = epochs_of(
        val_figures=figures,
        chosen_by=["gap"] * 5,
        is_higher_better=[is_higher_better] * 5,
        teacher_preference_match=[0.1, 0.2, 0.3, 0.4, 0.5],  # of which the score would choose the last
    )
    assert best_epoch(epochs) == best
