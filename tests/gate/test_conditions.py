import pytest

from edgekd.config import Slice
from edgekd.config.gates import Gates
from edgekd.gate.conditions import RollbackConditions, SliceCondition, make_conditions
from edgekd.gate.ledger import read_ledger

SLICES = [
    Slice(name="overall", margin=1.5),
    Slice(name="safety", margin=2, recall_of=("abuse", "self_harm")),
    Slice(name="disputes", margin=2, at_least=92, recall_of=("dispute",)),
    Slice(name="calm", false_alarm_of=("abuse",), at_most=1),
]


def test_they_come_from_slices_limits_and_gates(make):
    judged = [make.slice(name="overall"), make.slice(lost=80, n=2000, right=0.94, name="safety")]
    found = make_conditions(SLICES, make.target(p95_ms=20), Gates(fallback_rate=0.1), judged)
    assert found.slices["overall"] == SliceCondition(0.015)
    # The teacher found 94 % + 4 points of them, and 2 points less were let pass.
    assert found.slices["safety"].at_least == pytest.approx(0.96)
    assert found.slices["disputes"] == SliceCondition(0.02, 0.92)
    assert found.slices["calm"] == SliceCondition(None, 0.99)
    assert (found.p95_ms, found.fallback_rate) == (20, 0.1)
    assert found.most == {"p95_ms": 0.05, "fallback_rate": 0.1}
    assert found.claims == 1 + 2 + 2 + 1 + 2


def test_a_slice_without_rows_has_no_floor(make):
    judged = [make.slice(n=0, name="safety")]
    assert make_conditions(SLICES, make.target(), Gates(), judged).slices["safety"] == SliceCondition(0.02)


def test_they_are_written_at_promotion_and_read_back(shop):
    wanted = RollbackConditions({"overall": SliceCondition(0.015)}, p95_ms=20)
    shop.promote("a", conditions=wanted)
    assert read_ledger(shop.ledger)[0].conditions == wanted
    shop.verify()
