import math
from dataclasses import replace

import pytest
from report_example import example_report

from edgekd.report import printing
from edgekd.stats.interval import Interval


@pytest.mark.parametrize(
    ("show", "value", "expected"),
    [
        (printing.print_ms, 0.0512, "0.0512 ms"),
        (printing.print_ms, Interval(24.04, 23, 25, 0.95), "24.0 ms"),
        (printing.print_ms, None, "–"),
        (printing.print_ms, math.nan, "–"),
        (printing.print_percent, 0.9581, "95.8 %"),
        (printing.print_points, -0.0031, "-0.31"),
        (printing.print_ratio, 52.34, "52×"),
        (printing.print_ratio, 5.234, "5.2×"),
        (printing.print_bytes, None, "–"),
        (printing.print_count, 22713216, "22,713,216"),
        (printing.range_ms, Interval(0.34, 0.32, 0.36, 0.95), "0.320–0.360"),
        (printing.range_percent, Interval(0.9, 0.88, 0.92, 0.95), "88.0–92.0"),
        (printing.range_points, Interval(0.01, -0.002, math.inf, 0.9), "-0.20 to ?"),
        (printing.range_ratio, Interval(15, 9.8, 20, 0.95), "9.8–20"),
        (printing.range_ms, None, ""),
    ],
)
def test_printed(show, value, expected):
    assert show(value) == expected


def test_headline_counts():
    targets = example_report().targets
    assert printing.headline(targets) == (
        "3 of 5 targets have a promoted variant; 1 not promoted; 1 not measured"
    )
    assert printing.headline(targets[:1]) == "1 of 1 target has a promoted variant"


def test_variants_are_ranked_promoted_first_then_by_status_and_latency():
    target = example_report().targets[0]
    assert target.ranked[0].name == target.promoted
    assert [row.look for row in target.ranked] == [
        "pass",
        "pass",
        "warning",
        "pass",
        "inconclusive",
        "not eligible",
        "fail",
        "fail",
        "not built",
    ]
    assert replace(target, promoted="elsewhere").winner is None
