"""Every worked figure of cost, scale, canary, routing, slices and capacity comes out of `edgekd plan`."""

import csv
import json

import pytest

RATES = ("--baseline", ".9", "--per-day", "9")


@pytest.fixture
def plan(speak):
    def call(*arguments: object, code: int = 0) -> dict:
        said = speak("plan", *arguments, "--json")
        assert said.code == code, said.stderr
        return said.document

    return call


@pytest.mark.parametrize("scale", ["small_scale", "large_scale"])
def test_cost(plan, golden, scale):
    wanted = golden["cost"][scale]
    prices = ("--teacher", 1000 * golden["cost"]["small_scale"]["teacher_per_query"])
    prices += ("--student", 1000 * golden["cost"]["small_scale"]["student_per_query"])
    found = plan("cost", "--per-day", wanted["responses_per_day"], *prices)
    assert found["teacher_daily"] == pytest.approx(wanted["teacher_daily"])
    assert found["student_daily"] == pytest.approx(wanted["student_daily"])
    assert found["daily_saving"] == pytest.approx(wanted["daily_saving"])
    assert found["monthly_saving"] == pytest.approx(wanted["monthly_saving_30d"])
    bad = plan("count", 0.015, "--per-day", wanted["responses_per_day"])
    assert bad["per_day"] == pytest.approx(wanted["extra_bad_at_plus_1.5_points"])


def test_reduction_and_review(plan, golden):
    wanted = golden["cost"]["reduction"]
    prices = ("--teacher", wanted["baseline_per_1k"], "--student", wanted["student_per_1k"])
    found = plan("cost", "--per-day", 1000, *prices)
    assert found["reduction"] == pytest.approx(wanted["reduction"], abs=5e-4)
    review = plan("count", 0.039, "--per-day", 500_000, "--reviewed", 2000)
    assert round(review["expected_in_review"]) == golden["cost"]["hallucinations_in_2000_reviews_at_0.039"]
    assert review["upper_bound_after_review"] > 0.04  # 3.9 % found does not show that it is below 4 %


def test_scale(plan, golden):
    scale = golden["scale"]
    for requests, bad in scale["bad_per_day_at_1.5_percent"].items():
        assert plan("count", 0.015, "--per-day", requests)["per_day"] == pytest.approx(bad)
    for requests, rare in scale["rare_0.1_percent_per_day"].items():
        assert plan("count", 0.001, "--per-day", requests)["per_day"] == pytest.approx(rare)
    sample = scale["sample_share_of_day"]
    found = plan("count", 0.01, "--per-day", sample["per_day"], "--reviewed", sample["sample"])
    assert found["review_share_of_day"] == pytest.approx(sample["share"])
    ndcg = scale["ndcg_drop_to_conversion"]
    found = plan("quality", ndcg["ndcg_from"], ndcg["ndcg_to"], "--loss", ndcg["loss_per_0.01"])
    assert found["relative_loss"] == pytest.approx(ndcg["relative_loss"])
    half = scale["half_point_at_50m"]
    found = plan("count", half["from"], "--after", half["to"], "--per-day", 50_000_000)
    assert -found["extra_per_day"] == pytest.approx(half["fewer_bad_per_day"])


def test_slices(plan, golden):
    multi, safety = golden["scale"]["multi_intent"], golden["scale"]["safety_escalation"]
    requests = ("--per-day", multi["requests_per_day"])
    found = plan(
        "count",
        multi["miss_before"],
        "--after",
        multi["miss_after"],
        *requests,
        "--slice-share",
        multi["share"],
    )
    assert found["slice_per_day"] == pytest.approx(multi["slice_per_day"])
    assert found["per_day"] == pytest.approx(multi["missed_before"])
    assert found["after_per_day"] == pytest.approx(multi["missed_after"])
    assert found["extra_per_day"] == pytest.approx(multi["extra"])
    misses = (1 - safety["recall_before"], "--after", 1 - safety["recall_after"])
    found = plan("count", *misses, *requests, "--slice-share", safety["share"])
    assert found["slice_per_day"] == pytest.approx(safety["slice_per_day"])
    assert found["per_day"] == pytest.approx(safety["missed_before"])
    assert found["after_per_day"] == pytest.approx(safety["missed_after"])
    assert found["extra_per_day"] == pytest.approx(safety["extra"])
    confident = golden["scale"]["confident_errors_at_20m"]
    found = plan("count", confident["rate_a"], "--after", confident["rate_b"], "--per-day", 20_000_000)
    assert found["per_day"] == pytest.approx(confident["count_a"])
    assert found["after_per_day"] == pytest.approx(confident["count_b"])


def test_devices_freshness_and_contamination(plan, golden):
    device, fresh, dirty = (golden[name] for name in ("device_slice", "freshness", "contamination"))
    found = plan("count", device["extra_abandonment"], "--per-day", device["requests_per_day"])
    assert found["per_day"] == pytest.approx(device["extra_bad_outcomes"])
    misses = (1 - fresh["teacher_grounded"], "--after", 1 - fresh["student_grounded"])
    requests = ("--per-day", fresh["requests_per_day"], "--slice-share", fresh["fresh_share"])
    assert plan("count", *misses, *requests)["extra_per_day"] == pytest.approx(fresh["extra_bad_per_day"])
    wrong = plan("count", dirty["rate"], "--per-day", dirty["examples_per_month"])  # of a month's examples
    assert wrong["per_day"] == pytest.approx(dirty["wrong_targets"])
    errors = (dirty["error_before"], "--after", dirty["error_after"], "--per-day", dirty["requests_per_day"])
    assert -plan("count", *errors)["extra_per_day"] == pytest.approx(dirty["fewer_per_day"])
    stages = list(dirty["stages"].values())
    errors = (stages[0]["student_error"], "--after", stages[-1]["student_error"], "--per-day", 50_000_000)
    assert -plan("count", *errors)["extra_per_day"] == pytest.approx(dirty["fewer_per_day"])


@pytest.mark.parametrize(
    ("requests", "share", "key"),
    [(500_000, 0.1, "days_at_500k_with_10_percent"), (50_000_000, 0.01, "days_at_50m_with_1_percent")],
)
def test_canary(plan, golden, requests, share, key):
    wanted = golden["canary"]
    rates = ("--baseline", wanted["baseline"], "--degraded", wanted["degraded"])
    chances = ("--alpha", wanted["alpha_two_sided"], "--power", wanted["power"])
    found = plan("canary", *rates, *chances, "--per-day", requests, "--share", share)
    assert found["samples_per_arm"] == pytest.approx(wanted["samples_per_arm"], rel=wanted["tolerance"])
    assert found["days"] == pytest.approx(wanted[key], rel=5e-3)
    if share == 0.1:
        assert found["samples_unequal"] == pytest.approx(32_000, rel=0.03)  # of the note
    assert found["samples_watched"] > found["samples_per_arm"]


def test_rows_that_prove_and_that_catch(plan):
    """Slices share claims of harm and no proofs; no losses need the rule of three and a little more."""
    equal = ("rows", "--lost", 0.02, "--gained", 0.02, "--margin", 1.5)
    assert plan(*equal, "--slices", 9)["rows"] == plan(*equal)["rows"] == 1702
    assert plan("rows", "--lost", 0, "--gained", 0, "--margin", 3)["rows"] == 104
    harm = ("rows", "--lost", 0.06, "--gained", 0.02, "--margin", 2)
    alone, shared = plan(*harm), plan(*harm, "--slices", 9)
    assert shared["confidence"] == pytest.approx(1 - 0.05 / 9)
    assert 1.5 * alone["rows"] < shared["rows"] < 2 * alone["rows"]
    assert plan(*harm, "--power", 0.5)["rows"] < alone["rows"]


def test_logging_in_bytes_and_in_mixed_units(plan, golden):
    wanted = golden["logging"]
    rates = ("--per-day", wanted["requests_per_day"], "--usd-per-tb", wanted["usd_per_tb"])
    everything = ("--full-share", 1, "--forensic-share", 0)
    found = plan("logging", *rates, *everything, "--full-bytes", wanted["payload_bytes"])
    assert found["bytes_per_day"]["full"] == wanted["bytes_per_day"]
    assert found["usd_per_month"] == pytest.approx(wanted["usd_per_month_by_bytes"])
    mixed = plan("logging", *rates, *everything, "--full-bytes", 12 * 1024, "--units", "gib-as-gb")
    assert (mixed["tb_per_month"], mixed["usd_per_month"]) == pytest.approx((17.2, wanted["usd_per_month"]))
    modes = wanted["modes"]
    shares = ("--full-share", modes["full_shadow"], "--forensic-share", modes["forensic"])
    assert plan("logging", *rates, *shares)["gb_per_day"] == pytest.approx(22.9)


def test_routing_in_both_billings(plan, golden):
    wanted = golden["routing"]
    prices = ("--teacher", wanted["teacher_per_1k"], "--student", wanted["student_per_1k"])
    rates = ("--planned", wanted["planned"]["fallback_rate"], "--actual", wanted["actual"]["fallback_rate"])
    found = plan("routing", "--per-day", wanted["queries_per_day"], *prices, *rates, code=1)
    accepted, cascade = found["accepted"], found["cascade"]
    assert accepted["planned_daily"] == pytest.approx(wanted["planned"]["daily_cost"])
    assert accepted["actual_daily"] == pytest.approx(wanted["actual"]["daily_cost"])
    assert accepted["times"] == pytest.approx(wanted["actual"]["times_planned"], abs=5e-3)
    assert cascade["planned_daily"] == pytest.approx(wanted["cascade"]["planned"])
    assert cascade["actual_daily"] == pytest.approx(wanted["cascade"]["actual"])
    assert cascade["times"] == pytest.approx(wanted["cascade"]["times_planned"], abs=5e-3)
    assert "2.63 times the plan" in accepted["alert"]
    kept = plan("routing", "--per-day", 1000, *prices, "--planned", 0.1, "--actual", 0.11)
    assert kept["cascade"]["alert"] == ""
    lost = plan("routing", "--per-day", 1000, *prices, "--planned", 0.1, "--actual", 0.95, code=1)
    assert "more than the teacher alone" in lost["cascade"]["alert"]
    assert lost["cascade"]["break_even_fallback"] == pytest.approx(1 - 0.2 / 3)


def test_capacity(plan, golden, tmp_path):
    rows = golden["capacity"]["rows"]
    with (tmp_path / "sizes.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["quality" if c == "ndcg_at_10" else c for c in golden["capacity"]["columns"]])
        writer.writerows(rows)
    table = tmp_path / "sizes.csv"
    assert plan("capacity", table)["choice"]["params_millions"] == 120
    assert plan("capacity", table, "--p95-ms", 20)["choice"]["quality"] == 0.88
    assert plan("capacity", table, "--quality", 0.85)["choice"]["usd_per_1k"] == 0.09
    assert plan("capacity", table, "--p95-ms", 10, "--quality", 0.8, code=1)["choice"] is None


def test_capacity_by_ndcg_and_what_a_smaller_size_costs_the_business(speak, golden, tmp_path):
    worked = golden["scale"]["ndcg_drop_to_conversion"]
    table = tmp_path / "sizes.csv"
    with table.open("w", newline="") as file:
        csv.writer(file).writerows([golden["capacity"]["columns"], *golden["capacity"]["rows"][1:]])
    said = speak("plan", "capacity", table, "--loss", worked["loss_per_0.01"])
    assert "10M  NDCG@10 0.76 (-0.12)" in said.stdout and "3.60% lost" in said.stdout
    found = speak("plan", "capacity", table, "--loss", worked["loss_per_0.01"], "--json").document
    assert found["relative_losses"] == pytest.approx([0, worked["relative_loss"]])


def test_rows_that_prove_a_margin_of_values(plan, speak):
    values = ("rows", "--spread", 0.1, "--margin", 3)
    assert plan(*values)["rows"] == 165 < plan(*values, "--drop", 0.01)["rows"]
    assert plan("rows", "--spread", 0, "--margin", 3)["rows"] == 99
    assert speak("plan", *values, "--lost", 0.1).code == 2
    assert "a mean drop of +0.00 points" in speak("plan", *values).stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["count", "1.5", "--per-day", "10"], "expected a share from 0 to 1, got 1.5"),
        (["count", "0.5", "--per-day", "0"], "expected more than 0, got 0"),
        (["count", "0.5", "--per-day", "10", "--reviewed", "20"], "a sample must be 0 to 10"),
        (["cost", "--per-day", "1", "--teacher", "0", "--student", "1"], "baseline's cost must be > 0"),
        (["canary", *RATES, "--degraded", ".9", "--share", ".1"], "from itself"),
        (["canary", *RATES, "--degraded", ".8", "--share", "1"], "got 1"),
        (["logging", *RATES[2:], "--usd-per-tb", "1", "--full-share", "1"],
         "add up to 1.001; expected at most 1"),
        (["routing", *RATES[2:], "--teacher", "1", "--student", "2", "--planned", "0", "--actual", "1"],
         "saves nothing"),
        (["capacity", "gone.csv"], "gone.csv"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_one_line(speak, arguments, said):
    spoken = speak("plan", *arguments)
    assert spoken.code == 2
    (line,) = spoken.errors
    assert said in line


def test_freshness(plan, golden, tmp_path):
    wanted = golden["freshness"]
    rates = (
        "--teacher-grounded",
        wanted["teacher_grounded"],
        "--student-grounded",
        wanted["student_grounded"],
    )
    traffic = ("--per-day", wanted["requests_per_day"], "--slice-share", wanted["fresh_share"])
    found = plan("freshness", *rates, *traffic)
    assert round(found["extra_bad_per_day"]) == wanted["extra_bad_per_day"]
    lines = [
        json.dumps(line) for line in golden["events"]["lines"] if line["event"] == "freshness_slice_eval"
    ]
    log = tmp_path / "events.jsonl"
    log.write_text("\n".join(lines) + "\n")
    (event,) = plan("freshness", "--log", log, *traffic)["slices"]
    assert event["dataset_age_days_p50"] == 97 and event["retrieval_miss_rate"] == 0.22
    assert round(event["extra_bad_per_day"]) == wanted["extra_bad_per_day"]
    log.write_text(lines[0].replace("97", '97, "region": "eu", "n": 800, "share": 0.1') + "\n")
    (event,) = plan("freshness", "--log", log, "--per-day", 12e6)["slices"]
    assert round(event["extra_bad_per_day"]) == 216_000 and event["n"] == 800
    plan("freshness", "--per-day", 12e6, *rates, code=2)
    log.write_text('{"event": "kd_other"}\n')
    plan("freshness", "--log", log, "--per-day", 12e6, code=2)
