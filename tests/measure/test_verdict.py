import numpy as np
import pytest

from edgekd.errors import BadInputError
from edgekd.measure.verdict import P50_RULE, Rule, judge_interval, judge_rounds
from edgekd.stats.interval import Interval


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (1.011, 1.2, "slower"),
        (1.009, 1.2, "too noisy"),
        (0.8, 0.98, "faster"),
        (0.8, 0.995, "too noisy"),
        (0.98, 1.02, "no change"),
        (0.98, 1.031, "too noisy"),
        (1.011, 1.02, "slower"),
        (0.5, 2.0, "too noisy"),
    ],
)
def test_an_interval_is_judged_by_guard_and_effect(low, high, verdict):
    assert judge_interval(Interval((low * high) ** 0.5, low, high, 0.995), P50_RULE) == verdict


def test_faster_and_slower_mirror_each_other():
    logs = np.log([1.06, 1.05, 1.055, 1.052, 1.049, 1.051])
    assert judge_rounds(logs, P50_RULE)[0] == "slower"
    assert judge_rounds(-logs, P50_RULE)[0] == "faster"


def test_too_few_rounds_are_no_verdict():
    assert judge_rounds(np.full(4, 0.5), P50_RULE) == ("too noisy", None)
    assert judge_rounds(np.full(5, 0.5), P50_RULE)[0] == "slower"


def test_false_alarms_and_power_of_normal_rounds():
    """Sequential looks included: spread 1 % between rounds, simulated comparisons of up to 15 rounds."""
    rng = np.random.default_rng(0)

    def verdict(shift):
        logs = rng.normal(np.log(1 + shift), 0.01, 15)
        return next(
            (v for n in range(5, 16) if (v := judge_rounds(logs[:n], P50_RULE)[0]) != "too noisy"), ""
        )

    assert sum(verdict(0.0) in ("slower", "faster") for _ in range(2000)) <= 10
    assert sum(verdict(0.05) == "slower" for _ in range(500)) >= 490
    assert sum(verdict(0.03) == "slower" for _ in range(500)) >= 375


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"guard": 0.03}, "guard < effect"),
        ({"guard": 0}, "0 < guard"),
        ({"confidence": 99.5}, "confidence"),
        ({"min_rounds": 1}, "min_rounds"),
    ],
)
def test_a_rule_names_what_is_wrong(changes, said):
    with pytest.raises(BadInputError, match=said):
        Rule(**{"effect": 0.03, "guard": 0.01, **changes})
