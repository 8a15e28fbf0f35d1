import json
import re
from dataclasses import replace

from report_example import example_report

from edgekd.config import StaticModel
from edgekd.report.html import render_html
from edgekd.report.markdown import render_markdown
from edgekd.report.sizing import sizing_figures
from edgekd.sizing.budget import Budget, Cost, Guess
from edgekd.sizing.front import Point, make_front
from edgekd.sizing.quality import Quality
from edgekd.sizing.shapes import Shape


def around(value):
    return Guess(value, 0.9 * value, 1.1 * value)


def point(name, p95, drop, too_small=None, measured=False):
    cost = Cost(around(p95 / 2), around(p95), around(100), around(50), around(9))
    shape = Shape(StaticModel(kind="static", name=name), "numpy", "fp32")
    return Point(shape, cost, Quality(name, around(drop), 4000, too_small), measured)


POINTS = (
    point("fast", 0.2, 2.0),
    point("mid", 1.0, 0.8, measured=True),
    point("slow", 1.4, 0.4),
    point("small", 0.1, 9.0, "reaches 50 %"),
)
FRONT = make_front("lambda-x86", Budget(p95_ms=1.2, max_drop=1.0), POINTS)


def test_a_front_is_drawn_against_latency_and_against_memory_with_its_budget():
    latency, memory = sizing_figures(0, FRONT)
    assert latency.layout["xaxis"]["title"]["text"] == "p95, ms"
    assert memory.layout["xaxis"]["title"]["text"] == "memory, MiB"
    assert [shape.get("x0") for shape in latency.layout["shapes"]] == [1.2, 0]
    assert [shape.get("y0") for shape in memory.layout["shapes"]] == [1.0]
    names = [trace["name"] for trace in latency.data]
    assert names == ["Pareto front", "measured", "predicted", "too small", "recommended"]
    (hover,) = next(trace for trace in latency.data if trace["name"] == "measured")["hovertext"]
    assert "mid.numpy.fp32" in hover and "p95 1 (0.9 to 1.1) ms" in hover and "drop 0.8" in hover
    assert "Recommended: mid.numpy.fp32" in latency.words
    assert sizing_figures(0, replace(FRONT, points=())) == []


def test_the_reports_have_a_section_per_sizing():
    nothing = make_front("mobile-lowmem", Budget(p95_ms=0.01), POINTS)
    report = replace(example_report(), sizings=(FRONT, nothing))
    page = render_html(report)
    assert "Sizing for lambda-x86" in page and 'id="sizing-0-1"' in page
    for reason in FRONT.reasons:
        assert reason in page
    assert "What a slightly larger budget would open" in page and FRONT.openings[0].words in page
    drawn = json.loads(re.search(r'id="figures">(.*?)</script>', page, re.DOTALL).group(1))
    assert {"sizing-0-0", "sizing-0-1", "sizing-1-0"} <= {figure["id"] for figure in drawn}
    assert nothing.binding.words in page
    assert "Recommended: <strong>" not in page.split("Sizing for mobile-lowmem")[1]
    words = render_markdown(report)
    assert "## Sizing for lambda-x86" in words and nothing.binding.words in words.replace("\\", "")
    assert "Sizing for" not in render_markdown(example_report())
