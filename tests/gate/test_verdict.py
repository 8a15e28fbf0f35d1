from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekd.errors import BadInputError
from edgekd.gate.evidence import VariantEvidence
from edgekd.gate.verdict import GateVerdict, judge_target
from edgekd.stats.interval import Interval


def ratios(make, **pairs):
    """A `ratio` callable that knows a / b for each `a_b`."""
    table = {}
    for pair, (low, high) in pairs.items():
        a, b = pair.split("_")
        table[make.digest_of(a), make.digest_of(b)] = Interval((low + high) / 2, low, high, 0.95)
    return lambda a, b: table[a, b]


def test_the_fastest_that_passes_is_promoted(make):
    evidence = [
        make.evidence("fast", 1.0, slices=[make.slice(200, 10)]),
        make.evidence("right", 3.0),
        make.evidence("slow", 9.0),
    ]
    verdict = judge_target(make.target(), evidence)
    assert (verdict.promoted, verdict.promoted_digest) == ("right", make.digest_of("right"))
    assert [entry.status for entry in verdict.variants] == ["fail", "pass", "pass"]
    assert (verdict.tie_with, verdict.outcome) == ((), "promoted")


@pytest.mark.parametrize(
    ("changes", "status", "gate"),
    [
        ({"p95_ms": Interval(19, 18, 21, 0.95)}, "inconclusive", "p95_ms"),
        ({"cold_start_ms": Interval(1100, 1050, 1200, 0.95)}, "fail", "cold_start_ms"),
        ({"peak_rss_bytes": 257 * 2**20}, "fail", "peak_rss_mib"),
        ({"peak_rss_bytes": None, "basis_reason": "no cgroup"}, "not measured", "peak_rss_mib"),
        ({"artifact_bytes": 26 * 2**20, "recipe": "int8-dynamic"}, "fail", "artifact_mib"),
        ({"artifact_bytes": 26 * 2**20, "recipe": "fp32"}, "not eligible", "artifact_mib"),
        ({"evaluation": None, "problem": "crashed"}, "not measured", "quality"),
        ({"built": False, "problem": "parity", "evaluation": None}, "fail", "build"),
        ({"built": False, "basis": "not measured", "basis_reason": "no GPU"}, "not measured", "build"),
        ({"basis": "emulated"}, "not measured", "p95_ms"),
    ],
)
def test_one_bad_gate_blocks_and_is_named(make, changes, status, gate):
    verdict = judge_target(make.target(), [make.evidence("only", **changes)])
    assert (verdict.promoted, verdict.promoted_digest) == (None, None)
    assert verdict.variants[0].status == verdict.outcome == status
    assert gate in verdict.reason
    assert all(check.reason for check in verdict.variants[0].checks if check.status != "pass")


def test_a_failure_outweighs_what_is_not_known(make):
    entry = make.evidence("v", 30.0, peak_rss_bytes=None, slices=[make.slice(65, 15)])
    assert judge_target(make.target(), [entry]).variants[0].status == "fail"


def test_basis_is_said(make):
    proxy = judge_target(make.target(), [make.evidence("v", basis="proxy")])
    assert (proxy.basis, proxy.outcome) == ("proxy", "promoted (proxy latency)")
    target = make.target("artifact_bytes", artifact_mib=25)
    answers = judge_target(target, [make.evidence("v", basis="emulated", p95_ms=None)])
    assert answers.outcome == "promoted (latency not measured)"
    assert judge_target(make.target(), []).outcome == "not measured"


def test_the_soonest_start_is_promoted_where_that_is_the_objective(make):
    evidence = [
        make.evidence("soon", 3.0, cold_start_ms=make.spread(100), size=9_000_000),
        make.evidence("late", 1.0, cold_start_ms=make.spread(300)),
    ]
    verdict = judge_target(make.target("cold_start_ms"), evidence)
    assert (verdict.promoted, verdict.tie_with) == ("soon", ())
    assert "cold start 100" in verdict.reason
    alike = [make.evidence("soon", 3.0, cold_start_ms=make.spread(290), size=9_000_000), evidence[1]]
    verdict = judge_target(make.target("cold_start_ms"), alike)
    assert (verdict.promoted, verdict.tie_with) == ("late", ("soon",))
    unmeasured = make.evidence("only", cold_start_ms=None, basis_reason="no clock")
    verdict = judge_target(make.target("cold_start_ms", p95_ms=20), [unmeasured])
    assert (verdict.outcome, verdict.variants[0].checks[-1].name) == ("not measured", "objective")


def test_the_objective_needs_its_figure(make):
    target = make.target(artifact_mib=25)
    verdict = judge_target(target, [make.evidence("v", p95_ms=None, basis_reason="no clock")])
    assert (verdict.outcome, verdict.variants[0].checks[-1].name) == ("not measured", "objective")
    other = make.target("quality", artifact_mib=25)
    verdict = judge_target(other, [make.evidence("v", slices=[make.slice(name="safety")])])
    assert verdict.variants[0].checks[-1].reason == "the evaluation has no row in a slice named overall"


def test_a_bundle_limit_is_checked_where_a_bundle_was_made(make):
    target = make.target(bundle_unzipped_mib=1)
    assert "not checked: bundle_unzipped_mib" in judge_target(target, [make.evidence("v")]).reason
    big = make.evidence("v", bundle_unzipped_bytes=2 * 2**20)
    assert judge_target(target, [big]).outcome == "fail"


def test_a_tie_is_recorded_and_goes_to_the_smaller(make):
    evidence = [make.evidence("a", 1.00, 900), make.evidence("b", 1.02, 500), make.evidence("c", 3.0, 100)]
    ratio = ratios(make, a_b=(0.95, 1.01), a_c=(0.3, 0.4), b_c=(0.3, 0.4))
    verdict = judge_target(make.target(), evidence, None, ratio)
    assert (verdict.promoted, verdict.tie_with) == ("b", ("a",))
    assert "a tie with a" in verdict.reason


@pytest.mark.parametrize(("high", "promoted"), [(0.99, "new"), (1.0, "old"), (1.2, "old")])
def test_the_incumbent_stays_unless_beaten_by_more_than_noise(make, high, promoted):
    evidence = [make.evidence("old", 2.0, 900), make.evidence("new", 1.9, 100)]
    verdict = judge_target(make.target(), evidence, make.digest_of("old"), ratios(make, new_old=(0.9, high)))
    assert verdict.promoted == promoted
    assert ("the incumbent stays" in verdict.reason) == (promoted == "old")
    assert verdict.tie_with == (() if promoted == "new" else ("new",))


def test_an_incumbent_that_fails_or_is_absent_does_not_stay(make):
    evidence = [make.evidence("old", 1.0, slices=[make.slice(200, 10)]), make.evidence("new", 2.0)]
    assert judge_target(make.target(), evidence, make.digest_of("old")).promoted == "new"
    verdict = judge_target(make.target(), evidence[1:], make.digest_of("old"))
    assert verdict.promoted == "new"
    assert "was not measured beside these" in verdict.reason


def test_without_ratios_the_intervals_must_lie_apart(make):
    near = [make.evidence("a", 1.0), make.evidence("b", 1.15)]
    assert judge_target(make.target(), near).tie_with == ("b",)
    apart = [make.evidence("a", 1.0), make.evidence("b", 1.3)]
    assert judge_target(make.target(), apart).tie_with == ()


def test_size_is_known_without_noise(make):
    evidence = [make.evidence("a", size=500), make.evidence("b", size=501), make.evidence("c", size=500)]
    verdict = judge_target(make.target("artifact_bytes"), evidence)
    assert (verdict.promoted, verdict.tie_with) == ("a", ("c",))


def test_quality_asks_the_paired_bound(make):
    digest = make.digest_of
    worse, better = make.slice(right=0.900), make.slice(right=0.905)
    evidence = [make.evidence("old", slices=[worse]), make.evidence("new", slices=[better])]
    target = make.target("quality", p95_ms=20)
    # Unpaired, half a point of 4,000 rows is noise; paired, 22 gained and 2 lost are not.
    assert judge_target(target, evidence, digest("old")).promoted == "old"
    paired = lambda a, b: make.drop(2, 22, 4000, a)  # noqa: E731
    assert judge_target(target, evidence, digest("old"), None, paired).promoted == "new"
    # The drop against the incumbent that the evaluation holds serves as well.
    better = make.slice(right=0.905, others=[make.drop(2, 22, 4000, "incumbent")])
    evidence[1] = make.evidence("new", slices=[better])
    assert judge_target(target, evidence, digest("old")).promoted == "new"


def test_mixed_evidence_is_refused(make):
    a, b = make.evidence("a"), make.evidence("b")
    with pytest.raises(BadInputError, match="variant 'a' has evidence twice"):
        judge_target(make.target(), [a, a])
    with pytest.raises(BadInputError, match="evaluation is of artifact"):
        judge_target(make.target(), [make.evidence("c", evaluation=b.evaluation)])


def test_json_round_trip(make):
    evidence = [make.evidence("a"), make.evidence("b", evaluation=None, p95_ms=None)]
    verdict = judge_target(make.target(), evidence)
    read = GateVerdict.from_json(json.loads(json.dumps(verdict.to_json(), allow_nan=False)))
    assert read == verdict
    assert read.digest == verdict.digest
    for entry in evidence:
        assert VariantEvidence.from_json(json.loads(json.dumps(entry.to_json()))) == entry


figures = st.tuples(st.floats(1, 3), st.integers(1, 5), st.booleans())


@settings(max_examples=60, deadline=None)
@given(st.lists(figures, min_size=1, max_size=5), st.none() | st.integers(0, 4))
def test_choice_is_sound_and_blind_to_order(make, variants, number):
    evidence = [
        make.evidence(f"v{i}", p95, size, slices=[make.slice(0 if good else 300, 0)])
        for i, (p95, size, good) in enumerate(variants)
    ]
    incumbent = None if number is None else make.digest_of(f"v{number}")
    verdicts = [
        judge_target(make.target(), order, incumbent)
        for order in itertools.islice(itertools.permutations(evidence), 6)
    ]
    first = verdicts[0]
    assert {(v.promoted, v.tie_with) for v in verdicts} == {(first.promoted, first.tie_with)}
    passing = {e.variant: e for e, (_, _, good) in zip(evidence, variants, strict=True) if good}
    if not passing:
        assert first.promoted is None
        return
    winner = passing[first.promoted]
    assert not any(other.p95_ms.high < winner.p95_ms.low for other in passing.values())
    assert set(first.tie_with) <= set(passing) - {winner.variant}


def test_testing_ends_at_the_first_that_is_not_proven(make):
    unsure = [make.slice(65, 15, 4000)]
    evidence = [
        make.evidence("fast", 1.0),
        make.evidence("best", 3.0),
        make.evidence("mid", 2.0, slices=unsure),
    ]
    alone = judge_target(make.target(), evidence)
    assert alone.promoted == "fast"
    verdict = judge_target(make.target(), evidence, order=["best", "mid", "fast"])
    assert verdict.promoted == "best"
    fast = next(entry for entry in verdict.variants if entry.variant == "fast")
    assert fast.status == "inconclusive"
    assert "mid, better on validation rows, is not proven" in fast.checks[-1].reason
    assert judge_target(make.target(), evidence, order=["best", "fast", "mid"]).promoted == "fast"
    with pytest.raises(BadInputError, match="'fast' has no place in the order"):
        judge_target(make.target(), evidence, order=["best", "mid"])


def test_a_limit_that_is_not_of_quality_ends_no_testing(make):
    evidence = [make.evidence("big", 3.0, size=99 << 20), make.evidence("small", 2.0)]
    assert judge_target(make.target(), evidence, order=["big", "small"]).promoted == "small"
