import re
from dataclasses import replace

import pytest
from report_example import HOSTILE, classes, example_report

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
    assert first["Lowest floor"] == "escalation:safety_abuse 95.8 % [94.0] of 93"
    assert "not measured: this machine has no NVIDIA GPU" in summary[5][1]
    assert [row[1].split()[0] for row in summary[1:]] == ["✅", "✅", "❔", "✅", "➖"]


def test_failing_checks_stand_under_their_target_and_passing_ones_do_not():
    text = render_markdown(example_report())
    checks = next(table for table in tables(text) if table[0][1] == "Check")
    assert {row[2] for row in checks[1:]} == {
        "❌ fail",
        "❔ inconclusive",
        "not measured",
        "➖ not eligible",
        "⚠️ passes with a warning",
    }
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
    assert found[1][:1] + found[1][2:] == ["overall", "0.013", "0.008", "–", "–"]


def test_floors_stand_beside_margins_and_classes_under_their_slice():
    table = next(table for table in tables(render_markdown(example_report())) if table[0][0] == "Slice")
    names = [row[0] for row in table]
    assert names[names.index("escalation") + 1 :][:2] == ["↳ safety_abuse", "↳ safety_self_harm"]
    rows = {row[0]: dict(zip(table[0], row, strict=True)) for row in table}
    assert rows["↳ safety_abuse"]["Floor"] == "at least 93 %"
    assert rows["↳ safety_abuse"]["Variant"].endswith(", at least 94.0")
    assert rows["false-escalations"]["Floor"] == "at most 1 %"
    assert rows["false-escalations"]["Metric"] == "false alarm, on traffic rows"
    assert rows["called-safety"]["Metric"] == "precision, rows weighted as in traffic"
    assert rows["called-safety"]["Drop vs teacher"] == "–"


def test_classes_of_what_is_promoted_have_the_worst_first():
    text = render_markdown(example_report())
    assert "### Per class: static-onnxruntime-int8-dynamic, student and teacher together" in text
    table = next(table for table in tables(text) if table[0][0] == "Class")
    assert table[1] == [
        "dispute_unauthorised", "800", "300", "95.0 % [93.0–97.0]", "90.0 % [88.0–92.0]",
        "94.0 % [92.0–96.0]", "93.0 % [91.0–95.0]",
    ]  # fmt: skip
    recalls = [float(row[4].split()[0]) for row in table[1:]]
    assert recalls == sorted(recalls) and table[6][6] == "–"
    matrix = next(table for table in tables(text) if table[0][0] == "True class")
    assert matrix[0][-1] == "refused" and HOSTILE in matrix[0]
    by_name = {row[0]: dict(zip(matrix[0], row, strict=True)) for row in matrix[1:]}
    assert by_name["dispute_unauthorised"]["dispute_unauthorised"] == "279"
    assert by_name["dispute_unauthorised"]["faq_payment"] == "21"
    assert by_name[HOSTILE]["refused"] == "4"
    assert "3,900 of 4,120 test rows are drawn as traffic comes" in text
    assert "costs 0.31 points of accuracy (91.6 % without, 91.3 % with it)" in text


def test_of_many_classes_the_worst_fifteen_are_shown_and_the_rest_counted():
    report = example_report()
    target = report.targets[0]
    winner = replace(target.winner, classes=classes(40))
    target = replace(
        target, variants=tuple(winner if row is target.winner else row for row in target.variants)
    )
    text = render_markdown(replace(report, targets=(target,)))
    table = next(table for table in tables(text) if table[0][0] == "Class")
    assert len(table) == 16
    assert "These are the 15 classes of the lowest recall; 25 more are left out." in text
    confusions = next(table for table in tables(text) if table[0][0] == "True class")
    assert confusions[:2] == [
        ["True class", "Answered as", "Rows"],
        ["dispute_unauthorised", "faq_payment", "21"],
    ]


def test_what_is_not_promoted_says_what_would_have_to_pass():
    text = render_markdown(example_report())
    said = text.split("### What would have to pass")[1].split("###")[0]
    assert "2 of 9 checks hold it" in said
    assert (
        "1,200 rows in the slice would prove it at this rate, it has 49; these prove a margin of 8.1" in said
    )
    assert "recall is 23.0 % on 300 validation rows, the floor is 90 %; add rows" in said
