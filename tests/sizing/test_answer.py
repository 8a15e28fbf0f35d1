"""What fits, what misses by how much, and why nothing fits."""

import pytest
from made_up import ENCODER

from edgekd.config import load_target
from edgekd.errors import BadInputError
from edgekd.sizing.answer import fit_budget, join_limits, weigh
from edgekd.sizing.budget import Budget, Cost, Guess
from edgekd.sizing.design import design_models
from edgekd.sizing.space import Space

TARGET = load_target("lambda-x86")
SHAPES = list(Space(design_models(6), 6).shapes(TARGET))


def predict(shape):
    """Large students take longer; fp32 takes three times as long."""
    slow = 3.0 if shape.recipe == "fp32" else 1.0
    weights = count_weights(shape) / 1e6
    guess = {
        "p50_ms": weights * slow / 2,
        "p95_ms": weights * slow,
        "cold_start_ms": 200 - 20 * weights,
        "peak_rss_mib": 40 + 4 * weights,
        "artifact_mib": weights * slow,
    }
    return Cost(**{name: Guess(value, 0.8 * value, 1.25 * value) for name, value in guess.items()}), ""


def count_weights(shape):
    return weigh(shape, ENCODER, shape.model.vocabulary, 10)


def ask(**limits):
    return fit_budget(SHAPES, predict, count_weights, Budget(**limits).limits)


def test_the_largest_that_fit_come_first_each_with_its_best_build():
    found = ask(p95_ms=3.0)
    weights = [one.weights for one in found.fits]
    assert weights == sorted(weights, reverse=True) and weights[0] < 3e6
    assert all(one.shape.recipe != "fp32" for one in found.fits)
    assert [one.is_sure for one in found.fits] == [one.cost.p95_ms.value * 1.25 <= 3 for one in found.fits]
    nearest = found.misses[0]
    assert nearest.binding == "p95_ms" and nearest.over == pytest.approx(nearest.cost.p95_ms.value / 3 - 1)
    assert [one.over for one in found.misses] == sorted(one.over for one in found.misses)
    names = [one.shape.model.name for one in (*found.fits, *found.misses)]
    assert len(names) == len(set(names)) == len(design_models(6))


def test_an_impossible_limit_is_named_with_the_distance():
    found = ask(p95_ms=1e-3, peak_rss_mib=1000)
    assert not found.fits
    said = found.explain(Budget(p95_ms=1e-3, peak_rss_mib=1000).limits)
    assert (
        "no shape has --p95-ms within 0.001" in said and "--p95-ms binds: about" in said and "\n" not in said
    )


def test_limits_that_exclude_each_other_are_counted_alone():
    found = ask(p95_ms=0.8, cold_start_ms=140)
    said = found.explain({"p95_ms": 0.8, "cold_start_ms": 140})
    assert not found.fits and min(found.alone.values()) > 0
    assert "no shape meets all limits together" in said and f"--p95-ms 0.8 by {found.alone['p95_ms']}" in said


def test_without_limits_everything_fits():
    found = ask()
    assert len(found.fits) == len(design_models(6)) and found.fits[0].binding == ""


def test_limits_that_are_not_given_are_the_targets():
    assert join_limits(Budget(p95_ms=1.0), TARGET).limits == {
        "p95_ms": 1.0,
        "peak_rss_mib": 256,
        "artifact_mib": 25,
        "cold_start_ms": 1000,
    }


def test_limits_looser_than_the_targets_are_one_line():
    message = "--p95-ms 30: contradicts target lambda-x86, whose limits.p95_ms is 20"
    with pytest.raises(BadInputError, match=message):
        join_limits(Budget(p95_ms=30), TARGET)
    free = TARGET.model_copy(update={"limits": TARGET.limits.model_copy(update={"peak_rss_mib": None})})
    with pytest.raises(BadInputError, match="which has 1769 MiB of memory"):
        join_limits(Budget(peak_rss_mib=4000), free)
