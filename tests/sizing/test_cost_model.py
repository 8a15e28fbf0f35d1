"""A cost model is fitted to few shapes of a machine that obeys formulas, and asked about others."""

import dataclasses

import numpy as np
import pytest
from made_up import ENCODER, LENGTHS, measure

from edgekd.config import load_model_or_range, load_target
from edgekd.errors import ConfigError
from edgekd.sizing.budget import FIGURES
from edgekd.sizing.cost_model import CostModel
from edgekd.sizing.design import design_models
from edgekd.sizing.regression import conformal_ratio, fit_shares
from edgekd.sizing.space import Space

TARGET = load_target("lambda-x86")
DESIGN = [shape for shape in Space(design_models(6), 6).shapes(TARGET) if shape.recipe != "fp32"]
RANGES = Space(tuple(load_model_or_range(f"sizes-{name}") for name in ("static", "narrow", "cut")), 6)
OTHERS = [one for one in RANGES.draw(TARGET, 40, seed=1, leave_out=DESIGN) if one.recipe != "fp32"]


@pytest.fixture(scope="module")
def exact():
    return CostModel.fit([measure(shape) for shape in DESIGN], ENCODER)


def errors(model, noise, slower=1.0):
    """Return ratios of measured to predicted figures of shapes that it was not fitted to."""
    found = {name: [] for name in FIGURES}
    for shape in OTHERS:
        truth = measure(shape, noise, seed=5, slower=slower)
        cost = model.predict_measured(truth)
        for name in FIGURES:
            found[name].append(truth.of(name) / cost.of(name).value)
    return {name: np.array(ratios) for name, ratios in found.items()}


def test_what_obeys_the_formulas_is_told_exactly(exact):
    for name, ratios in errors(exact, 0.0).items():
        assert np.abs(np.log(ratios)).max() < (0.0001 if name == "artifact_mib" else 0.03), name


def test_noise_is_averaged_out_and_intervals_hold():
    model = CostModel.fit([measure(shape, 0.04) for shape in DESIGN], ENCODER)
    found = errors(model, 0.02)
    for name in FIGURES:
        off = np.abs(np.log(found[name]))
        assert np.median(off) < 0.06, name
        assert (off <= np.log(model.within[name]) + 1e-12).mean() >= 0.8, name
    assert 1.02 < model.within["p50_ms"] < 1.5 and model.within["artifact_mib"] < 1.001


def test_a_family_needs_shapes():
    with pytest.raises(ConfigError, match="2 shapes were measured; expected at least 3"):
        CostModel.fit([measure(shape) for shape in DESIGN if shape.runtime == "numpy"][:2], ENCODER)
    model = CostModel.fit([measure(shape) for shape in DESIGN if shape.kind == "static"], ENCODER)
    other = next(shape for shape in OTHERS if shape.kind != "static")
    assert not model.knows(other)


def test_many_candidates_are_runs(exact):
    """A request of 50 pairs takes as long as 50 texts, but for what a request costs once."""
    shape = next(shape for shape in DESIGN if shape.kind != "static" and shape.model.pairs == 0)
    one = measure(shape)
    many = dataclasses.replace(
        one, runs=tuple(length * 50 for length in LENGTHS), candidates=(50,) * len(LENGTHS)
    )
    ratio = exact.predict_measured(many).p50_ms.value / exact.predict_measured(one).p50_ms.value
    assert 30 < ratio <= 50.5


def test_shares_are_no_less_than_nothing():
    features = np.array([[1.0, 1.0], [1.0, 2.0], [1.0, 3.0]])
    assert fit_shares(features, np.array([3.0, 5.0, 7.0])) == pytest.approx([1, 2])
    assert fit_shares(features, np.array([3.0, 2.0, 1.5])).min() == 0
    errors = np.exp(np.arange(1, 11) / 100)
    assert conformal_ratio(errors, np.ones(10), 0.9) == pytest.approx(np.exp(0.1))
    assert conformal_ratio(np.exp(np.arange(1, 40) / 100), np.ones(39), 0.9) == pytest.approx(np.exp(0.36))
