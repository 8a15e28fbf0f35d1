import pytest
from report_example import example_report

from edgekd.report.write import write_report


def test_writes_both_reports_and_nothing_else(tmp_path):
    pytest.importorskip("jinja2")
    pytest.importorskip("plotly")
    html, markdown = write_report(example_report(), tmp_path / "run")
    assert (html.name, markdown.name) == ("report.html", "report.md")
    assert sorted(path.name for path in html.parent.iterdir()) == ["report.html", "report.md"]
    assert html.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert markdown.read_text(encoding="utf-8").startswith("# mangaassist")
