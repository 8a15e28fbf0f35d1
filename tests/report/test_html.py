import json
import math
import re
import sys
import time
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from report_example import HOSTILE, PIPED, classes, example_report

from edgekd.errors import MissingExtraError
from edgekd.report.front import front_figure
from edgekd.report.html import render_html
from edgekd.stats.interval import Interval

pytest.importorskip("jinja2")
pytest.importorskip("plotly")


class Page(HTMLParser):
    """Elements of the page with their attributes, and the text outside scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.words: list[str] = []
        self._open = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self._open = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag):
        self._open = ""

    def handle_data(self, data):
        if self._open == "script":
            self.scripts[-1] += data
        elif self._open != "style":
            self.words.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def text() -> str:
    return render_html(example_report())


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


def test_renders_within_two_seconds():
    start = time.perf_counter()
    render_html(example_report())
    assert time.perf_counter() - start < 2


def test_same_report_gives_the_same_file(text):
    assert render_html(example_report()) == text


def test_plotly_is_inlined_once_and_nothing_is_asked_for(text, page):
    assert len(page.scripts) == 3
    assert text.count("plotly.js v") == 1
    assert [link["href"] for link in page.all("link")] == ["data:,"]
    assert not [attributes for _, attributes in page.elements if "src" in attributes]
    assert all((a["href"] or "").startswith("#") for a in page.all("a"))
    policy = next(m["content"] for m in page.all("meta") if m.get("http-equiv"))
    assert policy is not None
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "url(" not in text[: text.index('<script type="application/json"')]


def test_hostile_names_are_text(page):
    said = " ".join(" ".join(page.words).split())
    assert HOSTILE in said
    assert " ".join(PIPED.split()) in said
    assert not [attributes for _, attributes in page.elements if any(k.startswith("on") for k in attributes)]
    figures = json.loads(page.scripts[0])
    hovers = [t for f in figures for trace in f["data"] for t in trace.get("hovertext", [])]
    assert hovers
    assert not any("<script" in hover for hover in hovers)
    assert any("&lt;script&gt;alert(1)&lt;/script&gt;" in hover for hover in hovers)


def test_every_target_variant_slice_and_reason_is_said(page):
    said = " ".join(" ".join(page.words).split())
    for target in example_report().targets:
        assert target.name in said
        assert " ".join(target.reason.split()) in said
        for row in target.variants:
            assert row.name in said
            assert all(check.reason in said for check in row.checks)
    for words in ("4,120", "AMD EPYC", "bag of words, linear", "measured: proxy", "promoted (proxy latency)"):
        assert words in said


def test_tables_and_figures_are_accessible(page):
    headings = page.all("th")
    assert headings
    assert all(th.get("scope") in ("row", "col") for th in headings)
    plots = [div for div in page.all("div") if div.get("class") == "plot"]
    assert len(plots) == 4 + 3 + 2  # fronts, curves, calibration of two winners
    assert all(div["role"] == "img" and len(div["aria-label"] or "") > 20 for div in plots)
    scrolls = [div for div in page.all("div") if div.get("class") == "scroll"]
    assert all(div.get("tabindex") == "0" and div.get("aria-label") for div in scrolls)
    identifiers = [attributes["id"] for _, attributes in page.elements if attributes.get("id")]
    assert len(set(identifiers)) == len(identifiers)


@pytest.mark.long
def test_plotly_accepts_every_figure(page):
    go = pytest.importorskip("plotly.graph_objects")
    for figure in json.loads(re.sub(r'"--[a-z0-9-]+"', '"#000000"', page.scripts[0])):
        go.Figure(data=figure["data"], layout=figure["layout"])


def test_figures_survive_what_is_not_finite():
    report = example_report()
    target = report.targets[0]
    odd = replace(
        target.variants[1],
        p95_ms=Interval(0.3, 0.2, math.inf, 0.95),
        quality=Interval(0.9, math.nan, 0.95, 0.95),
    )
    lost = replace(target.variants[2], p95_ms=Interval(math.nan, math.nan, math.nan, 0.95))
    figure = front_figure("front", replace(target, variants=(odd, lost)), report.teacher)
    assert figure is not None
    json.dumps(figure.data, allow_nan=False)
    json.dumps(figure.layout, allow_nan=False)
    assert front_figure("front", replace(target, variants=(lost,)), report.teacher) is None


def test_a_run_with_nothing_measured_still_has_a_report():
    report = example_report()
    text = render_html(replace(report, targets=report.targets[4:], curves=()))
    assert "this machine has no NVIDIA GPU" in text


@pytest.mark.parametrize("library", ["jinja2", "plotly"])
def test_missing_library_names_the_extra(library, monkeypatch):
    for name in [name for name in sys.modules if name == library or name.startswith(f"{library}.")]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(
        MissingExtraError, match=rf'{library} is not installed; run: pip install "edgekd\[report\]"'
    ):
        render_html(example_report())


def test_every_row_is_as_wide_as_its_head(text):
    """A cell without its heading, or a heading without its cell, shifts every figure after it."""
    found = re.findall(r"<table.*?</table>", text, re.DOTALL)
    assert len(found) > 8
    for table in found:
        widths = {
            sum(int(span or 1) for span in re.findall(r'<t[hd](?=[ >])(?:[^>]*colspan="(\d+)")?', row))
            for row in re.findall(r"<tr.*?</tr>", table, re.DOTALL)
        }
        assert len(widths) == 1, (widths, table[:200])


def test_calibration_of_what_is_promoted_has_a_figure_and_a_table(text, page):
    assert "sure-0" in [box.get("id") for box in page.all("div")]
    (drawn,) = [f for f in json.loads(page.scripts[0]) if f["id"] == "sure-0"]
    said, was = drawn["data"]
    assert was["x"][0] == pytest.approx(52) and was["y"][0] == pytest.approx(51)
    assert said["x"] == said["y"]
    assert "0.0132" not in text and "0.013" in text and "0.008" in text


def row_of(text: str, start: str) -> str:
    return text[text.index(start) :].split("</tr>")[0]


def test_red_is_for_what_fails_and_a_warning_has_no_tick(text):
    """What is too large by design is grey, and what passes with a warning is amber."""
    checks = dict(re.findall(r'<tr><th scope="row">(artifact_mib|quality fr)</th><td>(.*?)</td>', text))
    assert 'class="chip not eligible"' in checks["artifact_mib"]
    assert 'class="chip warning"' in checks["quality fr"]
    style = text[text.index("<style>") : text.index("</style>")]
    colours = {
        "warning": re.search(r"\.chip\.warning \{ color: var\((--[a-z]+)\)", style),
        "fail": re.search(r"\.chip\.fail \{ color: var\((--[a-z]+)\)", style),
    }
    assert {name: found and found[1] for name, found in colours.items()} == {
        "warning": "--unsure",
        "fail": "--fail",
    }
    variants = text[text.index('class="pinned variants"') :]
    assert 'class="chip warning">pass, 1 warning<' in row_of(variants, "layers2-onnxruntime-int8-mixed")
    assert 'class="chip not eligible">' in row_of(variants, "layers4-onnxruntime-fp32")
    assert "all 6 checks pass, 1 with a warning" in text
    target = text[text.index('id="target-2"') :]
    assert 'class="chip inconclusive">not promoted<' in target[: target.index("</h2>") + 200]


def test_the_front_knows_warnings_and_what_is_not_eligible():
    report = example_report()
    figure = front_figure("front", report.targets[0], report.teacher)
    assert figure is not None
    colours = {trace["name"]: trace["marker"]["color"] for trace in figure.data if "marker" in trace}
    assert colours["passes with a warning"] == "--unsure"
    assert colours["not eligible"] == "--muted"
    assert [name for name, colour in colours.items() if colour == "--fail"] == ["fails"]


def test_slices_have_floors_beside_margins_and_classes_under_them(text, page):
    assert "<small>lowest floor: escalation:safety_abuse 95.8 % [94.0] of 93</small>" in text
    table = next(t for t in re.findall(r"<table.*?</table>", text, re.DOTALL) if "pinned slices" in t)
    assert 'class="family"><th scope="row" class="name">escalation<' in table
    inner = row_of(table, '<th scope="row" class="name inner">safety_self_harm<')
    assert "at least 90 %" in inner and "bound: at least" in inner
    assert "precision, rows weighted as in traffic" in table
    precision = row_of(table, '<th scope="row" class="name">called-safety<')
    assert re.search(r'<b title="pass">9\d\.\d %</b>', precision)


def test_classes_confusions_and_the_price_of_the_bias_are_said(text, page):
    said = " ".join(" ".join(page.words).split())
    assert "Per class: static-onnxruntime-int8-dynamic, student and teacher together" in said
    assert "costs 0.31 points of accuracy (91.6 % without, 91.3 % with it)" in said
    assert "3,900 of 4,120 test rows are drawn as traffic comes" in said
    table = next(t for t in re.findall(r"<table.*?</table>", text, re.DOTALL) if "pinned confusions" in t)
    assert 'title="dispute_unauthorised answered as faq_payment">21<' in table


def test_of_many_classes_thirty_are_shown():
    report = example_report()
    target = report.targets[0]
    winner = replace(target.winner, classes=classes(41))
    target = replace(
        target, variants=tuple(winner if row is target.winner else row for row in target.variants)
    )
    text = render_html(replace(report, targets=(target,)))
    table = next(t for t in re.findall(r"<table.*?</table>", text, re.DOTALL) if "pinned classes" in t)
    assert table.count("<tr>") == 1 + 30
    assert "11 classes of a higher recall are left out" in text
    assert "Most frequent confusions of" in text


def test_what_is_not_promoted_says_what_would_have_to_pass(page):
    said = " ".join(" ".join(page.words).split())
    step = example_report().targets[2].next_step
    assert step is not None
    assert step.short in said
    assert all(words in said for words in step.whole)


@pytest.mark.parametrize("status", ["pass", "inconclusive"])
def test_the_promoted_point_lies_on_top(status):
    """Of two variants with equal figures the one that fails was drawn over the promoted one."""
    report = example_report()
    target = next(target for target in report.targets if target.winner)
    winner = target.winner
    hidden = [
        replace(winner, name=name, status=other)
        for name, other in (("failing", "fail"), ("passing", "pass"), ("unsure", "inconclusive"))
    ]
    winner = replace(winner, status=status)
    figure = front_figure("front", replace(target, variants=(winner, *hidden)), report.teacher)
    marks = [trace for trace in figure.data if trace["mode"] == "markers+text"]
    assert marks[-1]["text"][-1] == "1", "something is drawn over the promoted point"
    assert marks[0]["name"] == "fails"
    ranks = {trace["name"]: trace["legendrank"] for trace in marks}
    assert sorted(ranks, key=ranks.get)[0].startswith("passes") and len(set(ranks.values())) == len(ranks)
