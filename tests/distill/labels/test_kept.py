import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edgekd.distill.labels.kept import TEMPERATURES, TOP, KeptOutputs, divergence, join_kept, keep_outputs
from edgekd.errors import ConfigError, DataError

FEW, MANY = 151, 2 * TOP + 200


def draw(rows: int, labels: int, spread: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, spread, (rows, labels)).astype(np.float32)


@pytest.mark.parametrize("labels", [1, 2, FEW, 2 * TOP])
def test_of_few_labels_all_are_kept(labels):
    logits = draw(20, labels, 3)
    kept = keep_outputs(logits)
    assert kept.index is None and kept.rest is None
    assert np.array_equal(kept.expand(5.5), logits.astype(np.float16))  # any temperature will do


@pytest.mark.parametrize("labels", [2 * TOP + 1, MANY])
def test_of_many_labels_the_largest_and_the_mass_of_the_others_are_kept(labels):
    logits = draw(20, labels, 3)
    kept = keep_outputs(logits)
    assert kept.top.shape == (20, TOP) and kept.index.dtype == np.uint16
    for temperature in TEMPERATURES:
        found = kept.expand(temperature).astype(np.float64)
        assert np.array_equal(
            np.sort(found, axis=1)[:, -TOP:], np.sort(logits.astype(np.float16), 1)[:, -TOP:]
        )
        true, got = (np.exp(z / temperature).sum(axis=1) for z in (logits.astype(np.float64), found))
        assert got == pytest.approx(true, rel=0.01)
        assert (found.argmax(axis=1) == logits.argmax(axis=1)).mean() > 0.9  # but for ties in half precision


@settings(max_examples=60, deadline=None)
@given(
    logits=hnp.arrays(
        np.float32,
        st.tuples(st.integers(1, 3), st.sampled_from([2, 9, 2 * TOP + 1, MANY])),
        elements=st.floats(-300, 300, width=32),
    ),
    scale=st.sampled_from([1e-6, 1e-3, 0.03, 1.0, 20.0]),
    temperature=st.sampled_from(TEMPERATURES),
)
def test_bound_holds(logits, scale, temperature):
    logits = (logits * np.float32(scale)).astype(np.float32)
    kept = keep_outputs(logits)
    error = divergence(logits, kept.expand(temperature), temperature)
    assert (error <= kept.error_bound(temperature) + 1e-12).all()


@settings(max_examples=30, deadline=None)
@given(
    spread=st.floats(0.01, 8),
    peak=st.floats(0, 30),
    seed=st.integers(0, 99),
    temperature=st.sampled_from(TEMPERATURES),
)
def test_bound_holds_for_rows_as_teachers_give_them(spread, peak, seed, temperature):
    logits = draw(5, MANY, spread, seed)
    logits[:, 7] += np.float32(peak)
    kept = keep_outputs(logits)
    error, bound = divergence(logits, kept.expand(temperature), temperature), kept.error_bound(temperature)
    assert (error <= bound + 1e-12).all()
    assert (bound < np.log(MANY)).all()


def test_bound_is_small_where_all_are_kept():
    logits = draw(100, FEW, 3)
    assert keep_outputs(logits).error_bound(2.0).max() < 1e-5
    assert np.abs(logits).max() < 16  # (2^-10 * 16 / 2)^2 / 8 = 7.6e-6


def test_worst_case_of_the_others_is_near_the_bound():
    """One of the others as large as the smallest kept, the rest of them nothing."""
    logits = np.full((1, MANY), -60, np.float32)
    logits[0, : TOP + 1] = 0.0
    error, bound = (
        divergence(logits, keep_outputs(logits).expand(1.0), 1.0),
        keep_outputs(logits).error_bound(1.0),
    )
    assert error == pytest.approx(bound, rel=0.02) and error > 0.01


def test_temperature_that_was_not_kept_is_refused():
    kept = keep_outputs(draw(1, MANY, 1))
    message = (
        "^distillation.temperature is 2.5; soft labels over 712 labels, .* are kept for 1, 1.5, 2, .*; choose"
    )
    with pytest.raises(ConfigError, match=message):
        kept.expand(2.5)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 7e4])
def test_logits_that_half_precision_cannot_hold_are_refused(value):
    logits = draw(3, 4, 1)
    logits[1, 2] = value
    with pytest.raises(DataError, match="finite and within 65504"):
        keep_outputs(logits)


@pytest.mark.parametrize("labels", [FEW, MANY])
def test_rows_are_taken_and_joined(labels):
    kept = keep_outputs(draw(9, labels, 1))
    parts = [kept.take(np.arange(4)), kept.take(np.arange(4, 9))]
    joined = join_kept(parts)
    for name in ("top", "index", "rest"):
        one, other = getattr(kept, name), getattr(joined, name)
        assert one is other is None or np.array_equal(one, other)
    assert isinstance(joined, KeptOutputs) and len(joined) == 9
