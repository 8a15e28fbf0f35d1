"""Rates as counts and costs of a day's requests."""

from dataclasses import replace
from types import SimpleNamespace

import pyarrow as pa
import pytest
from report_example import example_report

from edgekd.config import Slice, load_project
from edgekd.config.project import Traffic
from edgekd.config.routing import Routing
from edgekd.data.taskdata import TaskData
from edgekd.errors import ConfigError
from edgekd.evaluate.classify.scorer import CLASS_SCORER
from edgekd.impact.traffic import extra_per_day
from edgekd.pipeline.scaling import scale_target
from edgekd.report.html import render_html
from edgekd.report.markdown import render_markdown
from edgekd.report.slices import SliceRow, SliceValue
from edgekd.report.variants import ReliabilityRow, RoutedRow, VariantRow
from edgekd.report.view import TargetReport
from edgekd.stats.interval import Interval

SLICES = (
    Slice(name="overall", margin=1),
    Slice(name="several", where="several", margin=1),
    Slice(name="safety", recall_of=("safety",), margin=1),
    Slice(name="called", precision_of=("safety",), at_least=80),
    Slice(name="alarms", false_alarm_of=("safety",), at_most=5),
)
# 100 rows drawn as traffic comes, 8 of which ask for several things and 2 of which are of the class safety;
# and 30 more of that class.
N = 130
TEST = TaskData(
    pa.table(
        {
            "id": [str(i) for i in range(N)],
            "text": [f"text {i}" for i in range(N)],
            "label": ["safety" if i < 2 or i >= 100 else "faq" for i in range(N)],
            "split": ["test"] * N,
            "several": [10 <= i < 18 for i in range(N)],
            "extra": [i >= 100 for i in range(N)],
        }
    ),
    ("faq", "safety"),
)


def share(value):
    return Interval(value, value, value, 0.95)


def make_context(routing=None, **traffic):
    data = SimpleNamespace(sample="NOT extra")
    asked = Traffic(**{"requests_per_day": 50_000_000, **traffic})
    project = SimpleNamespace(traffic=asked, slices=SLICES, data=data, routing=routing)
    return SimpleNamespace(project=project, task=SimpleNamespace(scorer=CLASS_SCORER))


def make_target(**variant):
    values = {"overall": 0.985, "several": 0.9, "safety": 0.82, "called": 0.9, "alarms": 0.02}
    taught = {"overall": 0.99, "several": 0.96, "safety": 0.95, "called": 0.9, "alarms": 0.01}
    slices = tuple(
        SliceRow(
            name=entry.name, tier="watch", metric=entry.of_classes or "accuracy", n=50, margin=0.01,
            teacher=share(taught[entry.name]),
            variants=(
                SliceValue(variant="v", value=share(values[entry.name]), drop_vs_teacher=None, status="pass"),
            ),
        )
        for entry in SLICES
    )  # fmt: skip
    row = VariantRow(name="v", student="s", runtime="r", recipe="c", status="pass", **variant)
    return TargetReport(
        name="cloud", description="", status="promoted", reason="", objective="p95_ms", basis="native",
        promoted="v", variants=(row,), slices=slices,
    )  # fmt: skip


def test_rates_become_the_documents_counts(golden):
    want = golden["scale"]
    found = scale_target(make_context(), TEST, make_target())
    rows = {row.name: row for row in found.slices}
    errors = {name: row.errors_per_day(row.of("v").value) for name, row in rows.items()}
    assert errors["overall"] == pytest.approx(want["bad_per_day_at_1.5_percent"]["50000000"])
    assert rows["several"].requests_per_day == pytest.approx(want["multi_intent"]["slice_per_day"])
    assert rows["several"].errors_per_day(rows["several"].teacher) == pytest.approx(160_000)
    assert errors["several"] == pytest.approx(want["multi_intent"]["missed_after"])
    safety = want["safety_escalation"]  # of the class, the rows drawn as traffic comes count
    assert rows["safety"].requests_per_day == pytest.approx(safety["slice_per_day"])
    assert errors["safety"] == pytest.approx(safety["missed_after"])
    more = errors["safety"] - rows["safety"].errors_per_day(rows["safety"].teacher)
    assert more == pytest.approx(-extra_per_day(0.95, 0.82, 50_000_000, slice_share=0.02))
    assert errors["called"] is None  # which rows those are depends on the answers
    assert errors["alarms"] == pytest.approx(0.02 * 0.98 * 50_000_000)
    by_hand = scale_target(make_context(slices={"several": 0.16}), TEST, make_target())
    assert {row.name: row.requests_per_day for row in by_hand.slices}["several"] == pytest.approx(8_000_000)


def test_costs_stand_beside_each_other(golden):
    want = golden["routing"]
    routing = Routing(teacher_per_1k=3.0, planned_fallback=0.1)
    routed = RoutedRow("overall", 100, share(0.98), share(0.38), share(0.0))
    target = make_target(cost_per_1000_usd=0.2, routing=(routed,))
    context = make_context(routing, requests_per_day=10_000_000)
    (row,) = scale_target(context, TEST, target).variants
    daily = [way.daily for way in row.daily_costs.ways]
    assert daily == pytest.approx([30_000, 2_000, want["actual"]["daily_cost"], 13_400])
    assert row.daily_costs.ways[2].monthly_saving == pytest.approx(30 * (30_000 - 12_640))
    assert "2.68 times the plan" in row.daily_costs.alert
    assert row.routing[0].requests_per_day == 10_000_000

    small = golden["cost"]["small_scale"]
    asked = make_context(requests_per_day=500_000, teacher_per_1k=3.0)
    (row,) = scale_target(asked, TEST, make_target(cost_per_1000_usd=0.1)).variants
    teacher, student = row.daily_costs.ways
    assert (teacher.daily, student.daily) == pytest.approx((small["teacher_daily"], small["student_daily"]))
    assert student.monthly_saving == pytest.approx(small["monthly_saving_30d"]) and not row.daily_costs.alert
    (row,) = scale_target(make_context(), TEST, make_target(cost_per_1000_usd=0.1)).variants
    assert [way.saving for way in row.daily_costs.ways] == [None]  # the teacher's price is not known


def test_confident_errors_count_by_the_rows_that_they_are_of():
    bins = ((0.95, share(0.9)),)
    part = ReliabilityRow("safety", 4, 0.1, 0.1, bins, 0.2, share(0.02))
    (row,) = scale_target(make_context(), TEST, make_target(reliability=(part,))).variants
    assert row.reliability[0].requests_per_day == pytest.approx(4 / 100 * 50_000_000)


def test_the_report_shows_counts_and_costs_beside_rates():
    plain = example_report()
    assert "a day" not in render_markdown(plain)
    bins = ((0.95, share(0.9)),)
    target = make_target(
        cost_per_1000_usd=0.2,
        quality=share(0.985),
        routing=(RoutedRow("overall", 100, share(0.98), share(0.38), share(0.01)),),
        reliability=(ReliabilityRow("overall", 100, 0.01, 0.01, bins, 0.0512, share(0.02)),),
    )
    context = make_context(Routing(teacher_per_1k=3.0), requests_per_day=10_000_000)
    report = replace(plain, targets=(scale_target(context, TEST, target),), requests_per_day=10_000_000)
    text, page = render_markdown(report), render_html(report)
    for words in ("150,000 wrong a day", "3,800,000 a day", "100,000 a day", "200,000 a day", "0.051"):
        assert words in text and words in page
    assert "At 10,000,000 requests a day" in text and "At 10,000,000 requests a day" in page
    for amount in ("13,400", "402,000", "16,600", "498,000"):
        assert f"${amount}" in text.replace("\\", "") and f"${amount}" in page
    assert "2.68 times the plan" in text and "2.68 times the plan" in page


def test_traffic_changes_no_runs_folder_and_names_slices(tmp_path):
    text = "name: s\ndata: {source: x.csv}\nstudents: [static-256]\ntargets: [lambda-x86]\n"
    text += "slices: [{name: overall, margin: 1}]\n"
    (tmp_path / "p.yaml").write_text(text + "traffic: {requests_per_day: 100, slices: {overal: 1}}\n")
    with pytest.raises(ConfigError, match=r"traffic\.slices names 'overal', which is no slice"):
        load_project(tmp_path / "p.yaml")
    from edgekd.pipeline.context import Context

    folders = set()
    for more in ("", "traffic: {requests_per_day: 100}\n", "checkpoint_minutes: 5\n"):
        (tmp_path / "p.yaml").write_text(text + more)
        folders.add(
            Context(load_project(tmp_path / "p.yaml"), tmp_path, lambda words: None, print).run_folder
        )
    assert len(folders) == 1
