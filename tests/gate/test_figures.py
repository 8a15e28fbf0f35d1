import numpy as np
import pytest
from pydantic import ValidationError

from edgekd.config.gates import Gates
from edgekd.errors import DataError
from edgekd.evaluate.classify.calibration import (
    calibrated_error,
    calibration_intervals,
    equal_mass_calibration_error,
)
from edgekd.evaluate.verdicts import FLAWS, WINS, read_verdicts, verdict_rate
from edgekd.gate.figures import asked_figures, check_figures
from edgekd.stats.interval import Interval
from edgekd.stats.proportion import wilson_interval

FILES = {"human_win_rate": "wins.csv", "hallucination_rate": "flaws.csv"}


def test_the_reference_gates_are_those_of_the_worked_example(golden):
    gates = Gates(preset="reference", verdicts=FILES)
    wanted = golden["promotion_gates"]
    names = {"human_win_rate_vs_base": "human_win_rate", "cost_per_1k_reduction": "cost_reduction"}
    for name, limit in wanted.items():
        sign, value = limit.split()
        ours = names.get(name, name)
        assert getattr(gates, ours) == float(value)
        holds, misses = (float(value) + d for d in ((0.001, -0.001) if sign == ">=" else (-0.001, 0.001)))
        for estimate, status in ((holds, "pass"), (misses, "fail")):
            figure = {ours: Interval(estimate, estimate - 0.05, estimate + 0.05, 0.9)}
            found = {check.name: check.status for check in check_figures(gates, figure)}
            assert found[ours] == status
    assert gates.mode == "point"
    assert Gates(preset="reference", mode="bound", verdicts=FILES).mode == "bound"
    with pytest.raises(ValidationError, match=r"human_win_rate needs verdicts\.human_win_rate"):
        Gates(preset="reference")


@pytest.mark.parametrize(
    ("hits", "n", "status"),
    [(900, 1000, "pass"), (860, 1000, "inconclusive"), (800, 1000, "fail"), (9, 10, "inconclusive")],
)
def test_by_the_bound_too_little_evidence_is_no_pass(hits, n, status):
    gates = Gates(teacher_preference_match=0.85)
    (check,) = check_figures(gates, {"teacher_preference_match": wilson_interval(hits, n, 0.9)})
    assert check.status == status
    assert "at least 85.00 %" in check.limit


def test_a_limit_without_a_figure_is_not_measured():
    gates = Gates(ece=0.03, cost_reduction=0.5)
    assert asked_figures(gates) == ("cost_reduction", "ece")
    saving, error = check_figures(gates, {})
    assert (saving.status, error.status) == ("not measured", "not measured")
    assert "routing" in saving.reason


def calibrated(n, seed=0, heat=1.0):
    """Rows whose truth is drawn from their probabilities; `heat` below 1 makes the model too sure."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (n, 6))
    true = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    truth = np.array([rng.choice(6, p=row) for row in true])
    said = np.exp(logits / heat)
    return said / said.sum(1, keepdims=True), truth


def test_a_calibrated_model_has_no_error_but_its_bias():
    table, truth = calibrated(3000)
    bias = calibrated_error(table)
    assert equal_mass_calibration_error(table, truth) < 2 * bias < 0.06
    assert calibrated_error(table[:200]) > 2 * bias  # at few rows the figure is biased upwards
    known = calibration_intervals(table, truth)
    assert known["ece"].low <= known["ece"].estimate <= known["ece"].high


def test_confidently_wrong_at_equal_accuracy_is_refused():
    table, truth = calibrated(3000)
    surer, _ = calibrated(3000, heat=0.3)
    assert (table.argmax(1) == surer.argmax(1)).all()
    gates = Gates(ece=0.05, confident_error_rate=0.05, brier=0.7)
    good, bad = (
        {c.name: c.status for c in check_figures(gates, calibration_intervals(t, truth))}
        for t in (table, surer)
    )
    assert set(good.values()) == {"pass"}
    assert bad["ece"] == bad["confident_error_rate"] == "fail"


def write(path, lines):
    path.write_text("row,rater,verdict\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_verdicts_of_people(tmp_path, golden):
    found = read_verdicts(write(tmp_path / "w.csv", ["1,a,win", "1,b,loss", "2,a,tie", "3,a,win"]), WINS)
    assert found == {"1": 0.5, "2": 0.5, "3": 1.0}
    rate = verdict_rate(found)
    assert rate.estimate == pytest.approx(2 / 3) and rate.low < 0.4
    many = tmp_path / "flaws.jsonl"
    many.write_text(
        "\n".join(
            f'{{"row": {i}, "rater": "a", "verdict": "{"yes" if i < 78 else "no"}"}}' for i in range(2000)
        )
    )
    rate = verdict_rate(read_verdicts(many, FLAWS))
    assert rate.estimate == pytest.approx(0.039)
    assert rate.high > 0.04  # 78 of 2,000 hold 4 % by the point and not by the bound
    limits = {"hallucination_rate": 0.04, "verdicts": {"hallucination_rate": "flaws.jsonl"}}
    for mode, status in (("point", "pass"), ("bound", "inconclusive")):
        (check,) = check_figures(Gates(mode=mode, **limits), {"hallucination_rate": rate})
        assert check.status == status


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["1,a"], "line 2: expected row, rater, verdict"),
        (["1,a,maybe"], "line 2: expected one of win, tie, loss, got maybe"),
        (["1,a,win", "1,a,win"], "line 3: a has judged row 1 already"),
        ([], "holds no verdict"),
    ],
)
def test_wrong_files_are_one_line(tmp_path, lines, said):
    with pytest.raises(DataError, match=said):
        read_verdicts(write(tmp_path / "w.csv", lines), WINS)
    with pytest.raises(DataError, match="cannot be read"):
        read_verdicts(tmp_path / "gone.csv", WINS)


def test_a_limit_on_age_is_in_days():
    gates = Gates(data_age_p50_days=45, data_age_p95_days=120)
    median, old = check_figures(
        gates,
        {"data_age_p50_days": Interval(41, 41, 41, 0.9), "data_age_p95_days": Interval(130, 130, 130, 0.9)},
    )
    assert (median.status, median.found, median.limit) == (
        "pass",
        "41 days (41 days to 41 days)",
        "at most 45 days",
    )
    assert old.status == "fail"


def test_empty_lines_count_as_lines(tmp_path):
    path = tmp_path / "flaws.jsonl"
    path.write_text(
        '{"row": 1, "rater": "a", "verdict": "no"}\n\n{"row": 2, "rater": "a", "verdict": "??"}\n'
    )
    with pytest.raises(DataError, match="line 3: expected one of yes, no"):
        read_verdicts(path, FLAWS)
