from datetime import date, timedelta

import numpy as np
import pytest

from edgekd.curate.drift.ages import (
    age_groups,
    effective_rows,
    find_ages,
    group_weights,
    recency_weights,
)
from edgekd.curate.drift.daily import Daily, Stream
from edgekd.curate.drift.plan import growth_per_day, plan_refresh, rows_needed
from edgekd.curate.drift.watch import Change
from edgekd.errors import BadInputError

TODAY = date(2025, 10, 1)
NEW = Stream("new words", "overall", "new words")


def test_ages_and_weights():
    ages = np.array([0, 10, 97, 200, 400])
    assert (find_ages(ages).p50, find_ages(ages).p95) == (97, 400) and find_ages(ages[:0]) is None
    assert age_groups(ages) == ["up to 30 days"] * 2 + ["up to 180 days", "up to 365 days", "over 365 days"]
    weights = group_weights(ages, 100)
    assert list(weights.values()) == sorted(weights.values(), reverse=True)
    assert weights["over 365 days"] == pytest.approx(0.5**4)
    assert effective_rows(np.ones(7)) == 7 and 1 < effective_rows(recency_weights(ages, 100)) < 5
    for wrong in (0, -1, float("nan"), float("inf")):
        with pytest.raises(BadInputError, match="more than 0 days"):
            recency_weights(ages, wrong)


def grown(slope, rows=1000):
    days = np.arange(60)
    rng = np.random.default_rng(0)
    total = rng.binomial(rows, 0.05 + slope * days).astype(float)[None]
    return Daily((NEW,), 1, np.full((1, 60), float(rows)), total, total)


@pytest.mark.parametrize(
    ("slope", "least", "most"), [(0.0, 60, 90), (0.0005, 30, 40), (0.02 / 10, 8, 10), (0.01, 7, 7)]
)
def test_what_changes_faster_is_renewed_sooner(slope, least, most):
    growth = growth_per_day(grown(slope), NEW)
    plan = plan_refresh((), TODAY, growth, 0.02, {}, {"safety": 12})
    assert least <= plan.interval_days <= most
    (renewal,) = plan.renewals
    assert renewal.rows == 12 and renewal.by == TODAY + timedelta(plan.interval_days)
    assert growth_per_day(grown(slope), Stream("x", "overall")) == 0


def test_an_alarm_is_due_in_a_week():
    change = Change(Stream("share", "language=pt"), TODAY, 3, 0.05, 0.2, 0.15, 0.1, 0.2, "drift", False)
    plan = plan_refresh((change,), TODAY, 0.0, 0.02, {"language=pt": 80}, {"language=pt": 5, "web": 0})
    (renewal,) = plan.renewals
    assert (renewal.rows, renewal.by, plan.rows) == (80, TODAY + timedelta(7), 80)
    assert renewal.reason == "share 5.0% to 20.0% on 2025-10-01"


def test_rows_needed_are_what_recent_rows_do_not_stand_for():
    mask = np.array([True] * 10 + [False] * 90)
    weights = np.where(np.arange(100) < 5, 1.0, 0.5)
    assert rows_needed(0.2, mask, weights, 5) == 13 and rows_needed(0.01, mask, weights, 5) == 0
    assert rows_needed(0.0, np.zeros(100, bool), weights, 30) == 30
