import numpy as np
import pytest

from edgekd.errors import BadInputError
from edgekd.stats.bounded import BoundedMean
from edgekd.stats.bounded_power import (
    chance_to_hold,
    gain_to_prove,
    suppose_differences,
    values_to_decide,
)
from edgekd.stats.paired_power import rows_to_decide


def drawn(values, n, draws=400, seed=0):
    """Upper bounds of samples of n rows."""
    rng = np.random.default_rng(seed)
    samples = (values[rng.integers(0, len(values), n)] for _ in range(draws))
    return np.array([BoundedMean.of(sample, least=-1.0).at(0.95).high for sample in samples])


def test_supposed_differences_have_the_deviation_and_the_mean():
    for deviation, mean in ((0.1, 0.0), (0.1, 0.02), (0.3, -0.1), (0.05, 0.04), (0.0, 0.0)):
        found = suppose_differences(deviation, mean)
        values, shares = np.array(found.places) / 200, np.array(found.rows) / 100
        assert shares.sum() == pytest.approx(1) and found.estimate == pytest.approx(values @ shares, abs=2e-3)
        assert np.sqrt(values**2 @ shares - found.estimate**2) == pytest.approx(deviation, abs=5e-3)
    for wrong in ((1.2, 0.0), (0.9, 0.8), (-0.1, 0.0)):
        with pytest.raises(BadInputError):
            suppose_differences(*wrong)


def test_of_hits_it_is_nearly_what_is_exact():
    hits = BoundedMean.of(np.array([0.0] * 96 + [1, 1, -1, -1]), least=-1.0)
    exact = rows_to_decide(0.02, 0.02, 0.015, power=0.911)
    assert values_to_decide(hits, 0.015) == pytest.approx(exact, rel=0.03)


def test_the_planned_rows_prove_it_so_often():
    rng = np.random.default_rng(1)
    values = np.where(rng.random(4000) < 0.6, 0.0, rng.choice([-1, 1], 4000) * rng.random(4000) ** 2)
    values = np.concatenate([values, -values])
    rows = values_to_decide(BoundedMean.of(values, least=-1.0), 0.03)
    assert 0.87 < (drawn(values, rows) <= 0.03).mean() < 0.97
    half = BoundedMean.of(values, least=-1.0)
    passed = (drawn(values, rows // 2) <= 0.03).mean()
    assert chance_to_hold(half, rows // 2, 0.03) == pytest.approx(passed, abs=0.06)


def test_a_drop_beyond_its_margin_is_never_proven():
    with pytest.raises(BadInputError, match="no number of rows proves a mean drop"):
        values_to_decide(suppose_differences(0.2, 0.03), 0.03)
    assert chance_to_hold(suppose_differences(0.1, 0.05), 400, 0.03) < 0.05


def test_the_gain_that_rows_prove():
    gain = gain_to_prove(0.25, 400, 0.0)
    assert 0.03 < gain < 0.05 and gain_to_prove(0.25, 1600, 0.0) < 0.6 * gain
    assert gain_to_prove(0.25, 400, 0.02) == pytest.approx(gain + 0.02, abs=0.004)
    assert gain_to_prove(0.05, 3, 0.0) is None
