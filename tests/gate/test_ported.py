"""Answers on another instruction set: a gate where they were asked for, a note where they could not be."""

import pytest

from edgekd.evaluate.agreement import Agreement, Flip, Ported, Proof, rows_to_agree
from edgekd.gate.verdict import judge_target
from edgekd.stats.proportion import exact_upper_bound


def ported(flips, n=1000):
    listed = tuple(Flip(f"row-{number}", "refund", "order", 0.1) for number in range(min(flips, 5)))
    low = 1 - exact_upper_bound(flips, n)
    return Ported("avx2", "emulated", Agreement(n, n - flips, low, 0.5, listed))


@pytest.mark.parametrize(
    ("flips", "n", "status"), [(0, 1000, "pass"), (4, 1000, "pass"), (5, 1000, "inconclusive"),
                               (0, 100, "inconclusive"), (30, 1000, "fail")]
)  # fmt: skip
def test_only_proof_passes(make, flips, n, status):
    found = judge_target(make.target(), [make.evidence("v", ported=(ported(flips, n),))])
    check = next(entry for entry in found.variants[0].checks if entry.name == "answers on avx2")
    assert check.status == found.variants[0].status == status
    assert (found.promoted is not None) == (status == "pass")
    assert check.found == f"{n - flips:,} of {n:,} the same"
    if flips > 4:
        assert "row-0: refund, there order" in check.reason


def test_what_could_not_be_asked_is_said(make):
    absent = Ported("asimd", "not measured", None, "no emulator")
    found = judge_target(make.target(), [make.evidence("v", ported=(absent,))])
    assert found.promoted == "v"
    assert "not checked: answers on asimd (no emulator)" in found.reason


@pytest.mark.parametrize(
    ("flips", "n", "words"),
    [
        (0, 100, "299 rows without a flip would decide, 199 more"),
        (5, 1000, "1,049 rows with no more than these 5 flips would decide, 49 more"),
    ],
)
def test_it_says_how_many_rows_would_decide(make, flips, n, words):
    found = judge_target(make.target(), [make.evidence("v", ported=(ported(flips, n),))])
    assert words in found.reason


@pytest.mark.parametrize("flips", [0, 1, 5, 40])
def test_so_many_rows_decide_and_one_less_does_not(flips):
    rows = rows_to_agree(flips, 0.99)
    assert 1 - exact_upper_bound(flips, rows) >= 0.99 > 1 - exact_upper_bound(flips, rows - 1)


def test_a_proof_passes_without_a_row(make):
    proven = Ported("avx2", "proven", None, proof=Proof(14, 32_640, 32_767))
    found = judge_target(make.target(), [make.evidence("v", ported=(proven,))])
    check = next(entry for entry in found.variants[0].checks if entry.name == "answers on avx2")
    assert found.promoted == "v" and check.status == "pass"
    assert "14 products" in check.found and "32,640 of 32,767" in check.reason
    assert "not checked" not in found.reason
    assert Ported.from_json(proven.to_json()) == proven
