from dataclasses import replace

from report_example import example_report

from edgekd.report.floors import grouped, lowest_floor, print_limits


def with_bound(part, bound, variant):
    values = tuple(replace(v, bound=bound) if v.variant == variant else v for v in part.variants)
    return replace(part, variants=values)


def test_the_lowest_floor_is_the_one_whose_bound_exceeds_it_least():
    target = example_report().targets[0]
    floors = [part for part in target.slices if part.at_least is not None]
    assert [part.name for part in floors] == [
        "escalation:safety_abuse",
        "escalation:safety_self_harm",
        "called-safety",
    ]
    bounds = {"escalation:safety_abuse": 0.94, "escalation:safety_self_harm": 0.905, "called-safety": 0.9}
    slices = tuple(with_bound(part, bounds.get(part.name, 0.001), target.promoted) for part in target.slices)
    lowest = lowest_floor(replace(target, slices=slices))
    assert lowest is not None
    assert (lowest.slice, lowest.bound, lowest.floor) == ("escalation:safety_self_harm", 0.905, 0.9)
    slices = tuple(with_bound(p, 0.7, target.promoted) if p.name == "called-safety" else p for p in slices)
    lowest = lowest_floor(replace(target, slices=slices))
    assert lowest is not None
    assert lowest.words == "called-safety 95.8 % [70.0] of 80, watched"


def test_without_a_promoted_variant_or_a_floor_there_is_none():
    target = example_report().targets[0]
    assert lowest_floor(replace(target, promoted=None)) is None
    assert lowest_floor(replace(target, slices=())) is None


def test_a_slice_that_is_judged_as_a_whole_needs_no_heading():
    part = example_report().targets[0].slices[-4]
    family = replace(part, name="escalation")
    lines = list(grouped((family, part, replace(part, name="other"))))
    assert [(line.label, line.is_inner, line.part is None) for line in lines] == [
        ("escalation", False, False),
        ("safety_abuse", True, False),
        ("other", False, False),
    ]
    assert [(line.label, line.part is None) for line in grouped((part,))] == [
        ("escalation", True),
        ("safety_abuse", False),
    ]
    assert print_limits(replace(part, at_least=None)) == ""
