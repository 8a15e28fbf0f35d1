from datetime import date, timedelta

import numpy as np
import pytest

from edgekd.curate.drift.daily import Daily, DaySums, Stream, share_by
from edgekd.curate.drift.watch import YEAR, Watching, name_alarms, watch
from edgekd.errors import BadInputError, DataError

FIRST = date(2025, 1, 1)


def make(rates, rows=1000, seed=0, spread=0.0, groups=None):
    """Binary streams with a rate [stream, day]; `spread` is how much days differ beyond chance."""
    rng = np.random.default_rng(seed)
    rates = np.clip(np.asarray(rates) + rng.normal(0, spread, np.shape(rates)), 0, 1)
    n = np.full(rates.shape, float(rows))
    total = rng.binomial(rows, rates).astype(float)
    streams = tuple(Stream("share", f"s{i}", (groups or {}).get(i, "")) for i in range(len(rates)))
    return Daily(streams, FIRST.toordinal(), n, total, total.copy())


def days(start, last):
    return FIRST + timedelta(start), FIRST + timedelta(last)


def test_quiet_streams_raise_no_alarm_even_where_days_differ():
    rates = np.repeat(np.linspace(0.01, 0.7, 40)[:, None], 118, 1)
    for seed, spread in ((0, 0.0), (1, 0.02), (2, 0.04)):
        found = watch(make(rates, seed=seed, spread=spread), Watching(), *days(28, 117))
        assert name_alarms(found) == ()


def test_a_large_n_alone_never_alarms_and_a_change_is_named_within_days():
    rates = np.full((3, 118), 0.2)
    rates[1, 60:] = 0.215  # within the margin of two points, and a hundred thousand rows a day show it surely
    rates[2, 60:] = 0.30
    (alarm,) = name_alarms(watch(make(rates, rows=100_000), Watching(), *days(28, 117)))
    assert str(alarm.stream) == "share of s2" and alarm.day == FIRST + timedelta(60)
    assert alarm.low > 0.02 and 0.09 < alarm.estimate < 0.11
    (alarm,) = name_alarms(watch(make(rates, rows=600), Watching(), *days(28, 117)))
    assert (alarm.day - FIRST).days in range(60, 67)


def test_what_last_year_did_too_is_a_season():
    rates = np.full((2, 28 + YEAR + 118), 0.2)
    rates[:, 90:110] = 0.35  # last year's holidays, and this year's
    rates[0, YEAR + 90 : YEAR + 110] = 0.35
    rates[1, YEAR + 90 : YEAR + 110] = 0.50
    found = watch(make(rates), Watching(), *days(YEAR + 28, YEAR + 117))
    assert {str(change.stream) for change in found if change.kind == "season"} >= {"share of s0"}
    (alarm,) = name_alarms(found)
    assert str(alarm.stream) == "share of s1" and alarm.has_year and 0.05 < alarm.estimate < 0.2


def test_of_shares_that_move_together_the_one_that_rose_is_named():
    rates = np.array([[0.72] * 118, [0.05] * 118])
    rates[:, 50:] = [[0.60], [0.17]]
    found = watch(make(rates, groups={0: "language", 1: "language"}), Watching(), *days(28, 117))
    assert [str(alarm.stream) for alarm in name_alarms(found)] == ["share of s1"]


@pytest.mark.long
def test_false_alarms_are_no_more_than_their_budget():
    rates = np.repeat(np.linspace(0.002, 0.9, 30)[:, None], 118, 1)
    settings = Watching(margin=1e-9, false_alarms=1.0)
    found = [
        name_alarms(watch(make(rates, rows=300, seed=seed, spread=0.01), settings, *days(28, 117)))
        for seed in range(40)
    ]
    assert np.mean([len(alarms) for alarms in found]) <= 1.0


def test_values_of_rows_are_added_up_by_day():
    sums = DaySums(np.array([5, 5, 7]))
    sums.add(Stream("confidence", "overall"), np.array([0.5, np.nan, 1.0]))
    sums.add(Stream("share", "a"), np.array([1.0, 0.0, 1.0]), np.array([True, True, False]))
    found = sums.finish()
    assert found.rows.tolist() == [[1, 0, 1], [2, 0, 0]] and found.total.tolist() == [[0.5, 0, 1], [1, 0, 0]]
    assert set(share_by(["a", "b", "a", None, None, None], 0.3)) == {"a"}
    with pytest.raises(DataError, match="are of 2025-01-01 to 9999-12-31; expected at most 3,660 days"):
        DaySums(np.array([FIRST.toordinal(), date.max.toordinal()]))
    with pytest.raises(DataError, match="between 0 and 1, got 2"):
        sums.add(Stream("confidence", "overall"), np.array([2.0, 2.0, 2.0]))
    with pytest.raises(DataError, match="no row"):
        DaySums(np.zeros(0, np.int64))
    with pytest.raises(BadInputError, match="the logs hold 2025-01-01 to 2025-01-10"):
        watch(make(np.full((1, 10), 0.2)), Watching(), *days(5, 9))
