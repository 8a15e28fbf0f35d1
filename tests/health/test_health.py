import pytest

from edgekd.distill.logs.live_events import ShadowCompare
from edgekd.distill.logs.training_events import EpochSummary
from edgekd.health.figure import Figure, Target
from edgekd.health.from_events import figures_from_events, figures_from_training
from edgekd.health.minimum import MINIMUM, check_release
from edgekd.health.prometheus import to_prometheus
from edgekd.report.health import health_lines, render_health, worst_first


def figure(name, value, slice_="overall", **given):
    return Figure("quality", name, slice_, value, value, value, "test", **given)


def epoch(number, match, student="small", **given):
    return EpochSummary(
        task="intent", student=student, teacher="big", epoch=number, train_loss=1, val_loss=2, val_rows=100,
        teacher_preference_match=match, time=float(number), **given,
    )  # fmt: skip


def test_the_newest_event_counts_and_the_one_before_is_told():
    events = [
        ShadowCompare(time=2.0, slice="overall", teacher_preference_match=0.79, n=1000),
        ShadowCompare(time=1.0, slice="overall", teacher_preference_match=0.88, n=1000),
        ShadowCompare(time=3.0, slice="safety", teacher_preference_match=0.7, policy_escalation_recall=0.81),
    ]
    found = {(one.name, one.slice): one for one in figures_from_events(events)}
    match = found["teacher_preference_match", "overall"]
    assert (match.value, match.before, match.n) == (0.79, 0.88, 1000)
    assert match.low < 0.79 < match.high
    recall = found["escalation_recall", "safety"]
    assert (recall.value, recall.low, recall.group) == (0.81, 0.81, "safety")


def test_training_tells_of_the_epoch_that_was_kept():
    events = [epoch(1, 0.8, calibration_ece=0.1), epoch(2, 0.9, calibration_ece=0.2), epoch(3, 0.7)]
    found = {one.name: one for one in figures_from_training(events)}
    assert (found["teacher_preference_match"].value, found["teacher_preference_match"].n) == (0.9, 100)
    assert found["ece"].value == 0.2
    assert "best_checkpoint_score" in found
    assert list(figures_from_training([])) == []


def test_worked_offline_against_shadow(golden):
    worked = golden["offline_against_shadow"]
    offline, shadow = (
        ShadowCompare(
            time=time, slice="overall", teacher_preference_match=worked["teacher_preference_match"][place],
            policy_escalation_recall=worked["escalation_recall"][place],
        )
        for place, time in enumerate((1.0, 2.0))
    )  # fmt: skip
    found = {one.name: one for one in figures_from_events([offline, shadow])}
    assert found["teacher_preference_match"].change == pytest.approx(-0.09)
    assert found["escalation_recall"].change == pytest.approx(-0.12)


def test_a_release_needs_the_minimum_set():
    known = [figure(name, 0.5) for name in MINIMUM]
    assert check_release(known, {}).is_allowed
    for name in MINIMUM:
        rest = check_release([one for one in known if one.name != name], {})
        assert (rest.missing, rest.is_allowed) == ((name,), False)
        assert check_release([one for one in known if one.name != name], {name: "why"}).is_allowed
    bad = figure("escalation_recall", 0.5, "safety", target=Target(0.9, at_most=False))
    assert check_release([*known, bad], {}).failing == ("escalation_recall of safety misses its target",)
    few = Figure("traffic", "fallback_rate", "overall", 0.31, 0.27, 0.35, "log", target=Target(0.3, True))
    assert not check_release([*known, few], {}).is_allowed


def test_what_may_miss_its_target_is_unsure():
    found = Figure("traffic", "fallback_rate", "overall", 0.31, 0.27, 0.35, "log", target=Target(0.3, True))
    assert found.state == "unsure"
    assert Target(0.3, True).judge(0.31, 0.35) == "bad"
    assert Target(0.9, False).judge(0.91, 0.95) == "good"


def test_the_worst_stands_first_everywhere():
    figures = [
        figure("ece", 0.05, target=Target(0.04, True)),
        figure("fallback_rate", 0.9, "language ja", target=Target(0.3, True)),
        figure("p95_ms", 12.0),
        figure("escalation_recall", 0.95, target=Target(0.9, False)),
    ]
    assert [one.name for one in worst_first(figures)] == ["fallback_rate", "ece", "escalation_recall"]
    release = check_release(figures, {})
    lines = list(health_lines(figures, release, ["it is dear"]))
    assert lines[0].startswith("bad: share that goes to the teacher of language ja: 90.0 %")
    assert "alert: it is dear" in lines
    page = render_health("a <shop>", figures, release, ["it is dear"])
    assert page.index("language ja") < page.index("calibration error")
    assert "a &lt;shop&gt;" in page and "http" not in page.replace("http-equiv", "")


def test_prometheus_text():
    figures = [figure("ece", 0.05, 'a "b"\n', target=Target(0.04, True)), figure("ece", 0.01)]
    text = to_prometheus(figures, "shop", False)
    assert 'edgekd_ece{project="shop",slice="a \\"b\\"\\n"} 0.05' in text
    assert 'edgekd_target_held{project="shop",slice="a \\"b\\"\\n",figure="ece"} 0' in text
    assert text.endswith('edgekd_releasable{project="shop"} 0\n')
    assert text.count("# TYPE edgekd_ece gauge") == 1


def test_events_of_production_systems_become_figures(golden, tmp_path):
    import json

    from edgekd.distill.logs.events import read_events

    path = tmp_path / "events.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in golden["events"]["lines"]))
    found = {(one.name, one.slice): one.value for one in figures_from_events(read_events(path))}
    assert found["escalation_recall", "multi_intent_messages"] == 0.81
    assert found["confident_error_rate", "overall"] == 0.08
    assert found["review_backlog", "overall"] == 248_000
    assert found["data_age_p50_days", "new_titles_last_60_days"] == 97
    assert found["teacher_daily_cost_usd", "overall"] == 11_400
