import re
from dataclasses import replace

import pytest
from report_example import HOSTILE, example_report

from edgekd.report.markdown import render_markdown


def parse(text: str) -> list:
    markdown_it = pytest.importorskip("markdown_it")
    return markdown_it.MarkdownIt("commonmark", {"html": True}).enable("table").parse(text)


def tables(text: str) -> list[list[list[str]]]:
    """Every table as rows of cells, as a reader of Markdown sees them."""
    found: list[list[list[str]]] = []
    tokens = parse(text)
    for index, token in enumerate(tokens):
        if token.type == "table_open":
            found.append([])
        elif token.type == "tr_open":
            found[-1].append([])
        elif token.type in ("th_open", "td_open"):
            found[-1][-1].append("".join(t.content for t in tokens[index + 1].children))
    return found


def test_summary_has_a_row_a_target():
    report = example_report()
    summary = tables(render_markdown(report))[0]
    assert summary[0][:3] == ["Target", "Verdict", "Variant"]
    assert [row[0] for row in summary[1:]] == [target.name for target in report.targets]
    first = dict(zip(summary[0], summary[1], strict=True))
    assert first["p95"] == "0.340 ms [0.323–0.357]"
    assert first["Overall drop (bound)"] == "+0.62 (≤ +1.17)"
    assert first["Worst slice"] == "+1.82 fr"
    assert "not measured: this machine has no NVIDIA GPU" in summary[5][1]


def test_failing_checks_stand_under_their_target_and_passing_ones_do_not():
    text = render_markdown(example_report())
    checks = next(table for table in tables(text) if table[0][1] == "Check")
    assert {row[2] for row in checks[1:]} == {"❌ fail", "⚠️ inconclusive", "not measured"}
    assert ["layers1-onnxruntime-int8-dynamic", "quality overall", "❌ fail"] in [row[:3] for row in checks]


def test_slices_are_of_the_promoted_variants_only():
    text = render_markdown(example_report())
    assert text.count("### Slices of ") == 3
    table = next(table for table in tables(text) if table[0][0] == "Slice")
    overall = dict(zip(table[0], table[1], strict=True))
    assert overall["Tier"] == "prove"
    assert overall["Rows"] == "4,120"
    assert overall["Margin"] == "1.50"
    assert overall["Status"] == "✅ pass"


def test_names_are_text_and_nothing_else():
    text = render_markdown(example_report())
    tokens = parse(text)
    assert not [token for token in tokens if token.type == "html_block"]
    inline = [child for token in tokens if token.type == "inline" for child in token.children]
    assert {child.type for child in inline} <= {"text", "text_special"}
    names = [row[0] for table in tables(text) if table[0][0] == "Slice" for row in table]
    assert HOSTILE in names
    assert "returns | *refunds* `now`" in names
    for table in tables(text):
        assert len({len(row) for row in table}) == 1


def test_command_cannot_leave_its_fence():
    text = render_markdown(replace(example_report(), command="edgekd run ```\n# out"))
    fences = [token.content for token in parse(text) if token.type == "fence"]
    assert fences == ["edgekd run ``` # out\n"]


def test_ends_with_one_newline_and_holds_no_blank_runs():
    text = render_markdown(example_report())
    assert text.endswith("```\n")
    assert not re.search(r"\n{3,}", text)


def test_routing_of_what_is_promoted_has_a_table():
    text = render_markdown(example_report())
    assert "### Routing of static-onnxruntime-int8-dynamic" in text
    found = next(table for table in tables(text) if "To the teacher" in table[0])
    assert found[1][0] == "overall" and found[1][3].startswith("7.1")


def test_calibration_of_what_is_promoted_has_a_table():
    text = render_markdown(example_report())
    assert "### Calibration of static-onnxruntime-int8-dynamic" in text
    found = next(table for table in tables(text) if "If calibrated" in table[0])
    assert found[1][:1] + found[1][2:] == ["overall", "0.013", "0.008"]
