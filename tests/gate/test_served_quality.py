"""With routing, the objective `quality` compares what is served: student and teacher together."""

import pytest

from edgekd.evaluate.classify.routing import RoutedSlice, RoutingResult
from edgekd.gate.verdict import judge_target


def routed(make, name, right):
    """Make a routing result whose served answers are right in this share of 4,000 rows."""
    quality = make.slice(right=right)
    return RoutingResult(make.digest_of(name), {"max_prob": 0.5}, (RoutedSlice(quality, None, None),))


@pytest.mark.parametrize("size", [1_000, 5_000_000])
def test_the_better_system_wins_although_its_student_is_worse(make, size):
    """Up to 2d017b4 the student alone decided, whatever its policy makes of it."""
    evidence = [
        make.evidence("a", size=size, slices=[make.slice(right=0.9)], routing=routed(make, "a", 0.91)),
        make.evidence("b", slices=[make.slice(right=0.8)], routing=routed(make, "b", 0.96)),
    ]
    found = judge_target(make.target("quality", artifact_mib=25), evidence)
    assert found.promoted == "b"
    assert "quality 96.00 %" in found.reason


def test_without_a_policy_the_student_is_what_is_served(make):
    evidence = [
        make.evidence("a", slices=[make.slice(right=0.97)]),
        make.evidence("b", slices=[make.slice(right=0.8)], routing=routed(make, "b", 0.9)),
    ]
    assert judge_target(make.target("quality", artifact_mib=25), evidence).promoted == "a"
