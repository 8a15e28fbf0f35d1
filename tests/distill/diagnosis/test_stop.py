import pytest

from edgekd.distill.diagnosis.stop import Gate, LossRule, QualityRule, SafetyRule, check_gates, check_rules


def fires_after(rule, epochs) -> list[int]:
    """Epochs after which a rule fires, had training gone on."""
    return [n for n in range(1, len(epochs) + 1) if rule.check(epochs[:n]).fires]


def test_worked_response_epochs(response_epochs):
    """The loss rule alone never fires there; the quality rule ends it after epoch 6."""
    assert fires_after(LossRule(), response_epochs) == []
    assert fires_after(QualityRule(), response_epochs) == [6]
    assert fires_after(SafetyRule(), response_epochs) == []


def test_worked_promotion_epochs(promotion_epochs):
    assert fires_after(LossRule(), promotion_epochs) == [6]
    assert fires_after(QualityRule(), promotion_epochs) == []  # no human win rate in that table
    assert fires_after(SafetyRule(), promotion_epochs) == [6]


@pytest.mark.parametrize(
    ("losses", "fires"),
    [
        ([1.0, 0.9, 0.8], []),
        ([1.0, 0.995, 0.992], [3]),  # falls, but by under 1 %
        ([1.0, 0.995, 0.989], []),  # 1 % below the best it is measured against
        ([1.0, 0.8, 0.9, 0.79, 0.9, 0.9], [6]),  # an improvement in between starts the count again
        ([1.0, 1.1, 1.2, 0.5], [3]),
        ([1.0], []),
    ],
)
def test_loss_rule(epochs_of, losses, fires):
    assert fires_after(LossRule(), epochs_of(val_loss=losses)) == fires


@pytest.mark.parametrize(
    ("rates", "fires"),
    [([0.6, 0.6, 0.605], []), ([0.6, 0.6, 0.604], [3]), ([0.6, 0.5], []), ([None, 0.6, 0.61, 0.59], [4])],
)
def test_quality_rule(epochs_of, rates, fires):
    assert fires_after(QualityRule(), epochs_of(human_win_rate_vs_base=rates)) == fires


@pytest.mark.parametrize(
    ("rates", "fires"), [([0.03, 0.04, 0.05], [3]), ([0.03, 0.04, 0.04], []), ([0.05, 0.03, 0.04], [])]
)
def test_safety_rule(epochs_of, rates, fires):
    assert fires_after(SafetyRule(), epochs_of(hallucination_rate=rates)) == fires


def test_evidence_names_figures_and_epochs(response_epochs, promotion_epochs, epochs_of):
    loss, quality, safety = check_rules(promotion_epochs)
    assert "0.57 (epoch 4) to 0.66 (epoch 6)" in loss.evidence and "2 epochs in a row" in loss.evidence
    assert "fewer than 3 epochs" in quality.evidence
    assert "0.033 (epoch 4), 0.037 (epoch 5), 0.043 (epoch 6): worse each time" in safety.evidence
    assert "0.670 (epoch 4) to 0.660 (epoch 6): -1.0 points" in check_rules(response_epochs)[1].evidence
    assert [verdict.fires for verdict in check_rules(())] == [False] * 3
    assert [v.fires for v in check_rules(epochs_of(val_loss=[1, 1, 1], val_accuracy=[0.9] * 3))] == [
        True,
        False,
        False,
    ]


def figures_of(epoch) -> dict:
    return {**epoch.model_dump(), "cost_per_1k_reduction": 0.558}


def gates_of(golden, read) -> list[Gate]:
    words = {figure: limit.split() for figure, limit in golden["promotion_gates"].items()}
    return [Gate(figure, sense, float(limit), read) for figure, (sense, limit) in words.items()]


def test_worked_gates_read_as_points(golden, response_epochs):
    verdicts = [check_gates(figures_of(epoch), gates_of(golden, "point")) for epoch in response_epochs]
    assert [verdict.fires for verdict in verdicts] == [True, True, True, False, False, True]
    assert "hallucination_rate 0.041: fails at most 0.04" in verdicts[5].evidence
    assert "hallucination_rate 0.039: holds at most 0.04" in verdicts[3].evidence


def test_worked_gate_read_as_a_bound(golden, response_epochs):
    gate, fourth = Gate("hallucination_rate", "<=", 0.04), figures_of(response_epochs[3])
    verdict = check_gates(fourth, [gate], {"hallucination_rate": 2000})
    bound = golden["hallucination_review_bound"]["upper_95_one_sided"]
    assert verdict.fires and f"0.039 of 2000 rows, 95 % bound {bound}: fails at most 0.04" in verdict.evidence
    many = check_gates(fourth, [gate], {"hallucination_rate": 200_000})
    assert not many.fires


def test_what_is_not_known_is_not_shown_to_be_good(response_epochs):
    fourth = figures_of(response_epochs[3])
    verdict = check_gates(fourth, [Gate("teacher_preference_match", ">=", 0.85)])
    assert verdict.fires and "of how many rows is not known" in verdict.evidence
    missing = check_gates(fourth, [Gate("p95_ms", "<=", 20, "point")])
    assert missing.fires and "p95_ms: not known" in missing.evidence
    lower = check_gates(
        fourth, [Gate("teacher_preference_match", ">=", 0.85)], {"teacher_preference_match": 500}
    )
    assert lower.fires and "bound 0.83" in lower.evidence
    assert not check_gates({}, []).fires
