import numpy as np
import pyarrow as pa
import pytest

from edgekd.health.traffic import COLUMNS, count_traffic


def table(rows, **given):
    found = {"time": np.arange(rows, dtype=float), "milliseconds": np.full(rows, 2.0), **given}
    return pa.table({name: found.get(name, pa.nulls(rows)) for name in COLUMNS})


def figures(*tables, since=0.0):
    return {(one.name, one.slice): one for one in count_traffic(tables, since).figures()}


def test_quantiles_are_within_half_a_percent():
    took = np.random.default_rng(0).lognormal(1, 0.7, 50_000)
    found = figures(table(50_000, milliseconds=took))
    for name, share in (("p50_ms", 0.5), ("p95_ms", 0.95)):
        figure = found[name, "overall"]
        assert figure.value == pytest.approx(np.quantile(took, share), rel=0.006)
        assert figure.low <= figure.value <= figure.high


def test_rates_by_slice_and_device_and_what_they_were_before():
    actions = ["teacher", "answer", "refuse", "answer"] * 100
    slices = pa.array([["safety", "noisy"] if number % 4 == 0 else [] for number in range(400)])
    devices = ["phone" if number < 200 else "web" for number in range(400)]
    found = figures(table(400, action=actions, slices=slices, device=pa.array(devices)), since=200.0)
    assert found["fallback_rate", "overall"].value == 0.25
    assert (found["fallback_rate", "safety"].value, found["fallback_rate", "safety"].n) == (1.0, 50)
    assert found["refusal_rate", "overall"].before == 0.25
    assert found["fallback_rate", "noisy"].before == 1.0
    assert ("p95_ms", "device web") in found and ("p95_ms", "device phone") not in found  # none are recent
    assert found["requests_per_second", "overall"].value == pytest.approx(200 / 199)


def test_rows_in_pieces_are_counted_as_in_one():
    took = np.random.default_rng(1).lognormal(0, 1, 1000)
    whole = figures(table(1000, milliseconds=took))
    parts = figures(*(table(100, milliseconds=took[start : start + 100]) for start in range(0, 1000, 100)))
    assert parts["p95_ms", "overall"].value == whole["p95_ms", "overall"].value
    assert parts["p95_ms", "overall"].n == 1000
