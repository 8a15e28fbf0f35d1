from __future__ import annotations

import json

import numpy as np
import pytest

from edgekd.errors import DataError
from edgekd.evaluate.drop import paired_drop
from edgekd.evaluate.result import Drop
from edgekd.stats.paired import paired_drop_bound, rows_needed

HITS = np.arange(60) % 10 < 9, np.arange(60) % 6 < 5
VALUES = np.tile([1.0, 0.63, 0.5, 0.0], 50), np.tile([0.9, 0.63, 0.2, 0.1], 50)


def test_hits_have_the_score_bounds_at_every_level():
    drop = paired_drop("teacher", *HITS)
    assert drop.differences is None
    assert (drop.lost, drop.gained, drop.n) == (8, 4, 60)
    for level in (0.95, 0.999):
        again = drop.at(level)
        assert (again.low, again.high) == paired_drop_bound(8, 4, 60, level)
        assert (again.estimate, again.confidence, again.reference) == (4 / 60, level, "teacher")
    assert drop.rows_needed(0.2) == rows_needed(8, 4, 60, 0.2)


def test_values_have_bounds_of_their_mean_difference():
    drop = paired_drop("teacher", *VALUES)
    assert (drop.lost, drop.gained, drop.n) == (100, 50, 200)
    assert drop.estimate == pytest.approx(0.075)
    assert -1 < drop.at(0.99).low < drop.low < 0.075 < drop.high < drop.at(0.99).high < 1
    turned = paired_drop("teacher", *reversed(VALUES))
    assert (-turned.high, -turned.low) == pytest.approx((drop.low, drop.high), abs=1e-9)
    enough = drop.rows_needed(0.08)
    assert 0 < enough < 20_000
    assert drop.rows_needed(0.5) == 0


def test_bounds_come_again_from_what_is_stored():
    drop = paired_drop("teacher", *VALUES)
    stored = Drop.from_json(json.loads(json.dumps(drop.to_json())))
    assert stored == drop
    assert stored.at(0.99) == drop.at(0.99)
    assert stored.at(0.95) == drop


def test_evidence_from_before_values_is_read():
    document = paired_drop("teacher", *HITS).to_json()
    del document["differences"]
    assert Drop.from_json(document) == paired_drop("teacher", *HITS)


def test_a_drop_needs_the_same_examples():
    for wanted, got in (HITS, VALUES):
        with pytest.raises(DataError, match="same examples"):
            paired_drop("teacher", wanted, got[:2])
        with pytest.raises(DataError, match="same examples"):
            paired_drop("teacher", wanted[:0], got[:0])


def test_hits_and_values_do_not_compare():
    with pytest.raises(DataError, match="hits of one and values of the other"):
        paired_drop("teacher", HITS[0], HITS[1].astype(float))


def test_values_out_of_range_are_refused():
    with pytest.raises(DataError, match="drop against teacher: values must be between 0 and 1"):
        paired_drop("teacher", np.array([0.5, 2.0]), np.array([0.5, 0.5]))
