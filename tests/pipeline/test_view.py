"""What a report shows of a training's log, and of several thread counts."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
from report_example import example_report

from edgekd.measure.environment import read_environment
from edgekd.pipeline.view import _curve, _environment
from edgekd.report.curves import curve_figures
from edgekd.report.html import render_html
from edgekd.report.markdown import render_markdown
from edgekd.report.teacher import TeacherTimes
from edgekd.stats.interval import Interval


def test_losses_are_the_epochs_own(tmp_path):
    """Of 100 rows ten have a label: a step's mean is over all. Epoch 2 had too few steps to tell of one."""
    step = {"event": "kd_train_step", "epoch": 1, "hard_ce": 0.07, "kd_kl_t2": 0.5, "feature_mse": 0.4}
    own = {"event": "kd_epoch_summary", "train_loss": 0.9, "val_loss": 0.8, "val_accuracy": 0.7}
    lines = [step]
    for epoch, hard in ((1, 0.7), (2, 0.6), (3, 0.5)):
        parts = {"train_hard_ce": hard, "train_kd_kl_t2": 0.3, "train_terms": {"kd_margin_mse": 0.1}}
        more = {"train_feature_mse": 0.2} if epoch != 2 else {}
        lines.append({**own, "epoch": epoch, **parts, **more})
    (tmp_path / "logs").mkdir()
    log = "".join(json.dumps(line) + "\n" for line in lines)
    (tmp_path / "logs" / "train.jsonl").write_text(log, encoding="utf-8")
    curve = _curve("small", tmp_path)
    assert [point.term("hard cross-entropy") for point in curve.epochs] == [0.7, 0.6, 0.5]
    assert curve.term_names == ("hard cross-entropy", "soft KL", "feature MSE", "kd_margin_mse")
    drawn = {line["name"]: (line["x"], line["y"]) for line in curve_figures((curve,), "accuracy")[1].data}
    assert drawn["hard cross-entropy"] == ([1, 2, 3], [0.7, 0.6, 0.5])
    assert drawn["feature MSE"] == ([1, 3], [0.2, 0.2])  # one line, without a hole
    assert "soft KL" not in _curve("teacher", tmp_path).term_names


def bench(*flags):
    return SimpleNamespace(result=SimpleNamespace(environment=read_environment(1), flags=flags))


def test_every_thread_group_says_what_was_noisy():
    one, two = bench("it drifted"), bench("others ran")
    assert _environment({1: one}).endswith("; noise: it drifted")
    both = _environment({1: one, 2: two})
    assert both.endswith("; noise with 1 thread: it drifted; noise with 2 threads: others ran")
    assert _environment({1: bench(), 2: two}).endswith("; noise with 2 threads: others ran")


def ms(value):
    return Interval(value, value - 1, value + 1, 0.95)


def test_the_teachers_latency_is_that_of_the_targets_threads():
    report = example_report()
    times = (TeacherTimes(1, ms(10), ms(24), ms(9)), TeacherTimes(2, ms(7), ms(16)))
    report = replace(report, teacher=replace(report.teacher, times=times))
    assert report.teacher.at(2).p95_ms == ms(16) and report.teacher.at(2).onnx_p95_ms is None
    assert report.teacher.at(4).p95_ms is None and report.teacher.p95_ms == ms(24)
    text = render_markdown(report)
    assert (
        "p95 24.0 ms [23.0–25.0] with 1 thread, 16.0 ms [15.0–17.0] with 2 threads in PyTorch eager" in text
    )
    targets = (replace(report.targets[0], threads=2), *report.targets[1:])
    page = render_html(replace(report, targets=targets))
    assert "<dt>p95, PyTorch eager, 2 threads</dt><dd>16.0 ms (15.0–17.0)</dd>" in page
    figures = json.loads(page.partition('id="figures">')[2].partition("</script>")[0])
    teachers = [
        line["x"] for one in figures if one["id"] in ("front-0", "front-1") for line in one["data"]
        if line["name"] == "teacher"
    ]  # fmt: skip
    assert teachers == [[16.0], [24.0]]


@pytest.mark.parametrize("mode", ["throughput mode, 2 streams"])
def test_a_figure_says_which_mode_it_is_of(mode):
    report = example_report()
    first, *others = report.targets[0].variants
    many = replace(first, mode=mode, texts_per_second=ms(5200.4), texts_per_second_one_by_one=ms(3100))
    assert first.throughput_words == "" and first.mode == "latency mode"
    report = replace(report, targets=(replace(report.targets[0], variants=(many, *others)),))
    words = f"{mode}: 5,200 texts a second, 3,100 in the latency mode; p50 and p95 are of one text at a time"
    assert words in render_markdown(report) and words in render_html(report)
