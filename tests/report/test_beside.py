"""What a report says where answers are orders: gains over what came in, and figures beside the gate's."""

import re
from dataclasses import replace

from report_example import HOSTILE, example_report, plus_minus

from edgekd.report.floors import print_limits, print_metric
from edgekd.report.html import render_html
from edgekd.report.markdown import render_markdown
from edgekd.report.variants import FigureRow

GAIN = "beats the order that came in by 12.3 points, at least 10.9, n 4,120"


def report_of_orders():
    report = example_report()
    target = report.targets[0]
    overall = target.slices[0]
    values = tuple(replace(value, gains=(GAIN,)) for value in overall.variants)
    part = replace(
        overall, metric="NDCG@10", above=("above the order that came in",), left_out=1300, variants=values
    )
    shares = (
        ("", plus_minus(0.8, 0.01)),
        ("teacher", plus_minus(0.85, 0.01)),
        ("incoming", plus_minus(0.7, 0.01)),
    )
    figures = (
        FigureRow("overall", "MRR@10", 4120, shares),
        FigureRow(HOSTILE, "Kendall's tau with the teacher", 4120, (("", plus_minus(0.612, 0.01)),), False),
    )
    variants = tuple(
        replace(row, figures=figures) if row.name == target.promoted else row for row in target.variants
    )
    target = replace(target, slices=(part, *target.slices[1:]), variants=variants)
    return replace(report, targets=(target,), teacher=replace(report.teacher, metric="NDCG@10")), part


def test_limits_and_rows_that_are_left_out_are_said():
    _, part = report_of_orders()
    assert print_limits(part) == "above the order that came in"
    assert print_limits(replace(part, at_least=0.7)) == "at least 70 %, above the order that came in"
    assert print_metric(part) == "NDCG@10, without 1,300 to which every answer is as good"


def test_markdown_says_gains_and_figures():
    text = render_markdown(report_of_orders()[0])
    assert GAIN in text and "NDCG@10, overall" in text and "Ndcg" not in text
    figures = text[text.index("### Other figures of") :]
    assert "| Slice | Figure | Rows | Variant | Teacher | Incoming |" in figures
    assert "| overall | MRR@10 | 4,120 | 80.0 % (79.0–81.0) | 85.0 %" in figures
    assert "0.612 (0.602 to 0.622) | – | – |" in figures and HOSTILE not in text


def test_the_page_says_the_same():
    page = render_html(report_of_orders()[0])
    plain = re.sub(r"<script.*?</script>", "", page, flags=re.S)
    assert GAIN in plain and "Other figures of" in plain and HOSTILE not in plain
    assert ">NDCG@10</th>" in plain and "0.612 (0.602 to 0.622)" in plain
    assert "Other figures of" not in render_html(example_report())
