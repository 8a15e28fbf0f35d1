"""The search for a decision bias: floors first, then the least cost, and it says what it cannot reach."""

import numpy as np
import pytest

from edgekd.config import Slice
from edgekd.evaluate.classify.bias import ENOUGH, ROOM, BiasFit, fit_bias
from edgekd.evaluate.classify.slices import select_rows
from edgekd.stats.tally import Tally

LABELS = ("order", "return", "abuse", "harm")
OVERALL = Slice(name="overall", margin=2)
ALARMS = Slice(name="alarms", false_alarm_of=("abuse", "harm"), at_most=2)


def recall(floor, *classes, **more):
    return Slice(name="safety", recall_of=classes, margin=5, at_least=floor, **more)


def make_rows(seed=0, traffic=3000, each=400, weakness=1.0, strength=4.0):
    """Rows of a model that is good at two classes of traffic and shy of two rare ones.

    Returns scores [row, label], the truth, and which rows were drawn as traffic comes.
    """
    rng = np.random.default_rng(seed)
    truth = np.concatenate([rng.choice(4, traffic, p=[0.6, 0.38, 0.01, 0.01]), [2] * each, [3] * each])
    scores = rng.normal(0, 1.2, (len(truth), 4))
    scores[np.arange(len(truth)), truth] += strength
    scores[:, 2:] -= weakness
    return scores, truth, np.arange(len(truth)) < traffic


def fit(rows, *slices, labels=LABELS):
    scores, truth, traffic = rows
    masks = {entry.name: np.ones(len(truth), np.bool_) for entry in slices}
    return fit_bias(scores, truth, labels, select_rows(slices, masks, truth, labels, traffic), traffic)


def answers(rows, bias):
    scores, _, _ = rows
    return (scores + np.array([bias.get(label, 0.0) for label in LABELS])).argmax(axis=1)


def bound(rows, bias, place, level=0.95):
    """Lower bound of a class's recall."""
    _, truth, _ = rows
    return Tally.of((answers(rows, bias) == place)[truth == place]).at(level).low


def test_weak_classes_reach_their_floor_on_the_fitted_rows():
    rows = make_rows()
    assert bound(rows, {}, 2) < 0.93 and bound(rows, {}, 3) < 0.93
    found = fit(rows, OVERALL, recall(93, "abuse", "harm"))
    assert set(found.bias) == {"abuse", "harm"} and found.unmet == () and found.thin == {}
    assert all(0 < number <= 6 for number in found.bias.values())
    assert bound(rows, found.bias, 2) >= 0.93 and bound(rows, found.bias, 3) >= 0.93
    _, truth, traffic = rows
    for bias, accuracy in (({}, found.accuracy_before), (found.bias, found.accuracy_after)):
        assert accuracy == pytest.approx((answers(rows, bias) == truth)[traffic].mean())
    assert BiasFit.from_json(found.to_json()) == found


def test_a_limit_is_kept_with_room_for_other_rows():
    """With a bound just at the floor half of all other samples of that size would not prove it."""
    found = fit(make_rows(), OVERALL, recall(93, "abuse", "harm"))
    others = [make_rows(seed) for seed in range(1, 41)]
    proven = [bound(rows, found.bias, place) >= 0.93 for rows in others for place in (2, 3)]
    assert np.mean(proven) >= 0.8


def test_only_a_class_with_a_floor_gets_a_bias():
    found = fit(make_rows(), OVERALL, recall(93, "harm"))
    assert set(found.bias) == {"harm"}


def test_the_cheapest_bias_is_chosen():
    """Of all biases in steps of 0.05 that keep the floor with room, none gets two more traffic rows right."""
    rows = make_rows(1)
    found = fit(rows, OVERALL, recall(93, "harm"))
    _, truth, traffic = rows
    right = {
        number: int((answers(rows, {"harm": number}) == truth)[traffic].sum())
        for number in np.round(np.arange(0, 6.01, 0.05), 2)
        if bound(rows, {"harm": number}, 3, ROOM) >= 0.93
    }
    assert right
    reached = int((answers(rows, found.bias) == truth)[traffic].sum())
    assert reached >= max(right.values()) - 2
    assert reached > right[6.0]


def test_no_floor_no_bias():
    rows = make_rows()
    watched = Slice(name="safety", recall_of=("abuse", "harm"), margin=5)
    for slices in (
        [OVERALL],
        [OVERALL, watched],
        [OVERALL, ALARMS],
        [Slice(name="overall", margin=2, at_least=90)],
    ):
        found = fit(rows, *slices)
        assert found.bias == {} and found.accuracy_after == found.accuracy_before


def test_a_floor_that_holds_costs_no_right_answer_in_traffic():
    found = fit(make_rows(strength=8.0, weakness=0.0), OVERALL, recall(90, "abuse", "harm"))
    assert found.unmet == () and found.accuracy_after >= found.accuracy_before


def test_a_class_that_is_called_too_often_is_called_less():
    """Its floor leaves room, and only a bias below 0 keeps the limit on false alarms."""
    rows = make_rows(weakness=-2.5, strength=4.5)
    limit = Slice(name="alarms", false_alarm_of=("abuse", "harm"), at_most=2)
    free = fit(rows, OVERALL, recall(85, "abuse", "harm"))
    assert all(number > 0 for number in free.bias.values())
    held = fit(rows, OVERALL, limit, recall(85, "abuse", "harm"))
    assert held.unmet == () and min(held.bias.values()) < 0
    assert held.accuracy_after > free.accuracy_after


def test_thin_classes_are_named_with_their_rows():
    rows = make_rows(each=100)
    _, truth, _ = rows
    found = fit(rows, OVERALL, recall(80, "abuse", "harm"))
    assert found.thin == {label: int((truth == place).sum()) for place, label in ((2, "abuse"), (3, "harm"))}
    assert max(found.thin.values()) < ENOUGH
    assert fit(make_rows(each=400), OVERALL, recall(80, "abuse")).thin == {}


def test_limits_that_no_bias_keeps_are_named():
    rng = np.random.default_rng(3)
    scores, truth, traffic = make_rows()
    blind = rng.normal(0, 1, scores.shape)  # knows nothing: a floor on one class costs the false alarms
    found = fit((blind, truth, traffic), OVERALL, ALARMS, recall(95, "harm"))
    assert "alarms" in found.unmet or "safety" in found.unmet
    few = np.flatnonzero(truth != 3).tolist() + np.flatnonzero(truth == 3)[:8].tolist()
    found = fit((scores[few], truth[few], traffic[few]), OVERALL, recall(93, "harm"))
    assert found.unmet == ("safety",)  # eight of eight prove no more than 69 %
    assert found.thin == {"harm": 8}


def test_false_alarms_limit_what_a_floor_may_cost():
    """Where both can be kept, they are; where the floor asks for too much, both pull and one is named."""
    rows = make_rows(strength=3.5, weakness=0.5)
    _, truth, traffic = rows
    ordinary = traffic & (truth < 2)

    def alarms(bias):
        """Upper 95 % bound of the share of ordinary traffic that is called a critical class."""
        return 1 - Tally.of(~np.isin(answers(rows, bias), [2, 3])[ordinary]).at(0.95).low

    limit = Slice(name="alarms", false_alarm_of=("abuse", "harm"), at_most=3)
    free = fit(rows, OVERALL, recall(94, "abuse", "harm"))
    assert free.unmet == () and alarms(free.bias) > 0.04
    held = fit(rows, OVERALL, limit, recall(94, "abuse", "harm"))
    assert "alarms" in held.unmet and 0.03 < alarms(held.bias) < alarms(free.bias)
    lower = fit(rows, OVERALL, limit, recall(92, "abuse", "harm"))
    assert lower.unmet == () and set(lower.bias) == {"abuse", "harm"} and alarms(lower.bias) <= 0.03


def test_recall_takes_what_room_a_limit_on_false_alarms_leaves():
    rows = make_rows()
    _, truth, _ = rows
    critical = np.isin(truth, [2, 3])
    limit = Slice(name="alarms", false_alarm_of=("abuse", "harm"), at_most=6)
    floor = recall(80, "abuse", "harm")
    free, limited = fit(rows, OVERALL, floor), fit(rows, OVERALL, limit, floor)
    missed = [int((answers(rows, one.bias) != truth)[critical].sum()) for one in (free, limited)]
    assert limited.unmet == () and missed[1] < 0.7 * missed[0]
    wrong = [int((answers(rows, one.bias) != truth).sum()) for one in (free, limited)]
    assert wrong[1] < wrong[0]


def test_together_and_each_class_have_floors_of_their_own():
    rows = make_rows()
    whole = Slice(
        name="safety", recall_of=("abuse", "harm"), margin=5, at_least=95, together=True, class_at_least=60
    )
    found = fit(rows, OVERALL, whole)
    _, truth, _ = rows
    critical = np.isin(truth, [2, 3])
    assert found.unmet == ()
    assert Tally.of(np.isin(answers(rows, found.bias), [2, 3])[critical]).at(0.95).low >= 0.95
    assert min(bound(rows, found.bias, 2), bound(rows, found.bias, 3)) >= 0.60


def test_the_same_rows_give_the_same_bias():
    rows = make_rows(5)
    slices = (OVERALL, ALARMS, recall(93, "abuse", "harm"))
    first = fit(rows, *slices)
    assert fit(make_rows(5), *slices) == first
    scores, truth, traffic = rows
    order = np.random.default_rng(0).permutation(len(truth))  # nor does the order of the rows matter
    assert fit((scores[order], truth[order], traffic[order]), *slices) == first
