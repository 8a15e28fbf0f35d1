"""The way forward of a verdict that promotes nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgekd.evaluate.result import SliceResult
from edgekd.evaluate.teacher_floor import TeacherFloor
from edgekd.gate.next_step import NextStep, find_next_step
from edgekd.gate.verdict import judge_target
from edgekd.stats.proportion import wilson_interval
from edgekd.stats.tally import Tally


def floor_slice(right, n, at_least=0.9, tier="prove", name="safety:abuse", weights=None):
    hits = np.arange(n) < right
    tally = Tally.of(hits, None if weights is None else np.full(n, weights))
    return SliceResult(
        name,
        tier,
        "recall",
        None,
        n,
        wilson_interval(right, n) if n else None,
        (),
        at_least=at_least,
        tally=tally,
        sampling="all" if weights is None else "weighted",
    )


def find(make, *evidence, order=None, **limits):
    verdict = judge_target(make.target(**limits), evidence, order=order)
    return verdict, find_next_step(verdict, evidence, order or ())


def test_what_is_promoted_needs_no_next_step(make):
    _, step = find(make, make.evidence("good"))
    assert step is None
    assert find(make)[1] is None


def test_a_slice_of_49_rows_says_how_many_it_needs_and_which_margin_it_proves(make):
    slices = [make.slice(), make.slice(0, 0, 49, 0.03, name="fraud")]
    _, step = find(make, make.evidence("v", slices=slices))
    (bound,) = step.binding
    assert (bound.name, bound.n, bound.rows_needed) == ("quality fraud", 49, 49 + 55)
    assert step.short == (
        "nearest is v; 1 of 6 checks holds it: quality fraud (needs 104 rows, has 49; "
        "these prove a margin of 6.29 points)"
    )
    assert step.whole[0] == "v comes nearest to being promoted: 1 of 6 checks holds it."
    assert "104 rows in the slice would prove it at this rate, it has 49" in step.whole[1]


@pytest.mark.parametrize("tier", ["prove", "watch"])
@pytest.mark.parametrize(("lost", "gained", "n"), [(3, 1, 60), (20, 2, 300), (9, 0, 90), (60, 0, 200)])
def test_the_margin_that_it_names_is_the_smallest_that_passes(make, tier, lost, gained, n):
    held = make.slice(lost, gained, n, 0.005, tier, name="fraud")
    _, step = find(make, make.evidence("v", slices=[make.slice(), held]))
    if step is None:
        assert tier == "watch"
        return
    provable = next(bound.provable for bound in step.binding if bound.name == "quality fraud")
    for margin, passes in ((provable, True), (provable - 0.0001, False)):
        changed = make.slice(lost, gained, n, margin, tier, name="fraud")
        assert (find(make, make.evidence("v", slices=[make.slice(), changed]))[1] is None) is passes


@pytest.mark.parametrize("weights", [None, 0.5])
def test_the_floor_that_it_names_is_the_highest_that_passes(make, weights):
    held = floor_slice(186, 200, weights=weights)
    _, step = find(make, make.evidence("v", slices=[make.slice(), held]))
    (bound,) = step.binding
    assert bound.provable < 0.9 and bound.rows_needed > 200
    for floor, passes in ((bound.provable, True), (bound.provable + 0.0001, False)):
        changed = replace(held, at_least=floor)
        assert (find(make, make.evidence("v", slices=[make.slice(), changed]))[1] is None) is passes


def test_the_rows_that_it_names_prove_the_floor(make):
    _, step = find(make, make.evidence("v", slices=[make.slice(), floor_slice(95, 100)]))
    (bound,) = step.binding
    n = bound.rows_needed
    grown = floor_slice(round(0.95 * n), n)
    assert find(make, make.evidence("v", slices=[make.slice(), grown]))[1] is None


def test_no_number_stands_for_never(make):
    cases = [
        make.slice(3, 1, 49, 0.03, name="fraud"),  # the drop itself is beyond the margin
        make.slice(60, 0, 200, 0.03, name="fraud"),  # proven harm
        make.slice(299999, 269998, 1_000_000, 0.03, name="fraud"),  # a hair within the margin
        floor_slice(44, 50, name="fraud"),  # the value itself misses the floor
    ]
    for held in cases:
        _, step = find(make, make.evidence("v", slices=[make.slice(), held]))
        (bound,) = step.binding
        assert bound.rows_needed is None and not bound.can_be_proven
        assert "rows" not in step.short
        assert "would prove it at this rate" not in " ".join(step.whole)


def test_a_slice_without_rows_says_how_many_would_do_at_no_loss(make):
    slices = [make.slice(), make.slice(n=0, margin=0.03, name="fraud"), floor_slice(0, 0, name="x")]
    _, step = find(make, make.evidence("v", slices=slices))
    assert {b.name: b.rows_needed for b in step.binding} == {"quality fraud": 104, "floor x": 29}
    assert "quality fraud (needs 104 rows, has 0)" in step.short


def test_the_nearest_fails_nothing_for_certain_and_is_not_too_large_by_design(make):
    few = make.slice(0, 0, 49, 0.03, name="fraud")
    harmful = make.evidence("harmful", slices=[make.slice(200, 10), make.slice(name="fraud")])
    large = make.evidence("large", size=30 * 2**20, slices=[make.slice(), few])
    unsure = make.evidence("unsure", slices=[make.slice(15, 5, 1000), few], cold_start_ms=None)
    unbuilt = make.evidence("unbuilt", built=False, evaluation=None, problem="no runtime")
    verdict, step = find(make, harmful, large, unsure, unbuilt)
    statuses = {entry.variant: entry.status for entry in verdict.variants}
    assert statuses["large"] == "inconclusive"
    assert step.variant == "unsure"
    _, step = find(make, unbuilt)
    assert step.short == "nearest is unbuilt; 1 of 1 checks holds it: build (not built, limit built)"


def test_it_waits_for_what_is_tested_before_it(make):
    few = make.slice(0, 0, 49, 0.03, name="fraud")
    first = make.evidence("first", 30.0, slices=[make.slice(), few])
    second = make.evidence("second", slices=[make.slice(), make.slice(name="fraud")])
    verdict, step = find(make, first, second, order=["first", "second"])
    assert verdict.variants[1].checks[-1].name == "order of testing"
    assert step.variant == "second"
    assert [(b.variant, b.name) for b in step.binding] == [("first", "quality fraud")]
    waits = "it waits for 1 check of variants that are tested before it: first: quality fraud ("
    assert step.short.startswith(f"nearest is second; {waits}")


def test_the_short_form_is_one_line_of_bounded_length(make):
    slices = [make.slice()] + [make.slice(0, 0, 49, 0.03, name=f"slice-number-{i}") for i in range(20)]
    verdict, step = find(make, make.evidence("cut-2l.onnxruntime.int8-dynamic", slices=slices))
    assert len(step.short) <= 240 and step.short.endswith(" more")
    assert len(step.binding) == 20 and len(step.whole) == 21
    under = TeacherFloor("safety:self_harm", "recall", 0.23, 0.9, 300, 54, "add rows")
    step = find_next_step(
        replace(verdict, teacher_under=(under, under)),
        [make.evidence("cut-2l.onnxruntime.int8-dynamic", slices=slices)],
    )
    assert len(step.short) <= 240
    assert step.short.endswith("; the teacher itself misses the floor of safety:self_harm and 1 more")
    assert step.whole[-1] == under.words
    assert NextStep.from_json(step.to_json()) == step
