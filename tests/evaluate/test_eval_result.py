from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekd.errors import BadInputError
from edgekd.evaluate.result import Calibration, Drop, EvalResult, SliceResult
from edgekd.stats.bounded import BoundedMean
from edgekd.stats.interval import Interval

share = st.floats(-1, 1, allow_nan=False)
count = st.integers(0, 10**9)
intervals = st.builds(Interval, share, share, share, share)
means = st.builds(
    BoundedMean,
    estimate=share,
    least=st.sampled_from([-1.0, 0.0]),
    places=st.lists(st.integers(-200, 200)).map(tuple),
    rows=st.lists(st.floats(0, 1e6)).map(tuple),
)
drops = st.builds(
    Drop, st.text(), count, count, count, share, share, share, share, differences=st.none() | means
)
slices = st.builds(
    SliceResult,
    name=st.text(),
    tier=st.sampled_from(["prove", "watch"]),
    metric=st.sampled_from(["accuracy", "recall"]),
    margin=share,
    n=count,
    value=st.none() | intervals,
    drops=st.lists(drops, max_size=3).map(tuple),
)
results = st.builds(
    EvalResult,
    subject=st.text(),
    n=count,
    slices=st.lists(slices, max_size=3).map(tuple),
    calibration=st.builds(Calibration, share, share, share, count),
)


@given(results)
def test_json_round_trip_changes_nothing(result):
    text = json.dumps(result.to_json(), allow_nan=False)
    assert EvalResult.from_json(json.loads(text)) == result


def example():
    return EvalResult("d", 1, (), Calibration(0.1, 0.2, 0.3, 1)).to_json()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.pop("subject"), "subject"),
        (lambda d: d.update(accuracy=1), "accuracy"),
        (lambda d: d["calibration"].update(ece="low"), r"calibration\.ece"),
        (lambda d: d["calibration"].update(ece=float("nan")), r"calibration\.ece"),
        (lambda d: d.update(slices=[{"name": "x"}]), r"slices\.0\.tier"),
    ],
)
def test_a_document_that_is_none_is_refused_by_key(change, message):
    document = example()
    change(document)
    with pytest.raises(BadInputError, match=message):
        EvalResult.from_json(document)


def test_an_unknown_slice_suggests_one():
    entry = SliceResult("overall", "prove", "accuracy", 0.015, 0, None, ())
    result = EvalResult("d", 0, (entry,), Calibration(0, 0, 0, 0))
    with pytest.raises(KeyError, match="did you mean 'overall'"):
        result.slice_named("overal")
