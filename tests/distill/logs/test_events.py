import json

import numpy as np
import pytest

from edgekd.distill.logs.class_slices import class_slices
from edgekd.distill.logs.events import EventLog, read_events
from edgekd.distill.logs.live_events import CalibrationEval, RouterHealth, ShadowCompare
from edgekd.distill.logs.training_events import (
    CapacityAnalysis,
    ClassSliceEval,
    DominatingExample,
    DominatingExamples,
    EpochSummary,
    SystemProfile,
    TrainStep,
)
from edgekd.errors import DataError

STEP = TrainStep(
    task="intent", epoch=1, global_step=20, batch_size=128, hard_ce=0.482, kd_kl_t2=0.109, feature_mse=0.071,
    attention_mse=0.008, total_loss=0.252, grad_norm=1.84, lr=3.1e-05, throughput_samples_per_sec=2210,
)  # fmt: skip
STEP_LINE = STEP.model_dump_json(exclude_none=True)
SUMMARY = EpochSummary(
    task="intent", student="small", teacher="big", epoch=1, train_loss=1, val_loss=2, val_accuracy=0.5
)
SLICE = ClassSliceEval(
    epoch=1, class_name="abuse", support=3, teacher_recall=1, student_recall=0.5, hard_label_weight=0.1,
    soft_label_weight=0.9,
)  # fmt: skip
PROFILE = SystemProfile(
    job="small", epoch=1, seconds=2, cpu_utilization=0.9, input_pipeline_wait_fraction=0,
    teacher_forward_fraction=0, student_step_fraction=1, judging_fraction=0, checkpoint_time_fraction=0,
    other_fraction=0, rows_per_second=5, tokens_per_second=50,
)  # fmt: skip
CAPACITY = CapacityAnalysis(student="small", train_kd_loss=(1, 0.5), quality=0.9, quality_metric="accuracy")
DOMINATING = DominatingExamples(
    student="small", epoch=1, times_batch_mean=1.5, least_epochs=2, count=1, rows=9,
    examples=(DominatingExample(row=3, text="hi", epochs_over=2, epochs_seen=2, mean_loss=3.0),),
)  # fmt: skip
SHADOW = ShadowCompare(slice="overall", teacher_preference_match=0.8, n=100)
ROUTER = RouterHealth(student_model="small", student_accept_rate=0.6, teacher_fallback_rate=0.4)
CALIBRATION = CalibrationEval(split="test", accuracy=0.9, ece=0.1, brier_score=0.2, confident_error_rate=0.1)
ALL = (STEP, SUMMARY, SLICE, PROFILE, CAPACITY, DOMINATING, SHADOW, ROUTER, CALIBRATION)

# The least that an event holds, by the table of events. What has no meaning for every task may be absent.
LEAST = {
    "kd_train_step": "task epoch global_step batch_size hard_ce kd_kl_t2 feature_mse attention_mse "
    "total_loss grad_norm lr throughput_samples_per_sec",
    "kd_epoch_summary": "task student teacher epoch train_loss val_loss teacher_preference_match "
    "human_win_rate_vs_base hallucination_rate refusal_precision avg_output_tokens cost_per_1k_responses "
    "checkpoint_promotable",
    "shadow_compare": "slice teacher_preference_match student_win_rate policy_escalation_recall "
    "baseline_escalation_recall n",
    "student_capacity_analysis": "student train_kd_loss quality calibration_ece rare_query_recall",
    "class_slice_eval": "class support teacher_recall student_recall student_precision hard_label_weight "
    "soft_label_weight",
    "router_health": "student_model student_accept_rate teacher_fallback_rate student_ece "
    "teacher_daily_cost_usd "
    "planned_teacher_daily_cost_usd",
    "calibration_eval": "split accuracy ece brier_score confident_error_rate",
    "training_system_profile": "job gpu_utilization cpu_utilization input_pipeline_wait_fraction "
    "teacher_forward_fraction checkpoint_time_fraction tokens_per_second",
}


def write(path, *events):
    log = EventLog(path)
    for event in events:
        log.write(event)
    log.close()
    return path


@pytest.mark.parametrize("event", ALL, ids=lambda event: event.event)
def test_event_holds_the_fields_of_its_table(event):
    known = {field.alias or name for name, field in type(event).model_fields.items()}
    assert set(LEAST.get(event.event, "").split()) <= known


def test_what_is_written_is_read(tmp_path):
    path = write(tmp_path / "log.jsonl", *ALL)
    assert read_events(path) == list(ALL)
    documents = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert all(document["version"] == 1 and None not in document.values() for document in documents)
    assert documents[2]["class"] == "abuse" and "student_precision" not in documents[2]
    assert not {"hallucination_rate", "human_win_rate_vs_base"} & set(documents[1])


def test_all_lines_of_production_systems_are_read_as_they_stand(golden, tmp_path):
    lines = golden["events"]["lines"]
    path = tmp_path / "log.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = read_events(path)
    assert [event.event for event in found] == [line["event"] for line in lines]
    assert len(found) == 11
    for event, line in zip(found, lines, strict=True):
        kept = event.model_dump(by_alias=True)
        assert {key: kept[key] for key in line if key in kept} == {
            key: line[key] for key in line if key in kept
        }
    capacity = next(event for event in found if isinstance(event, CapacityAnalysis))
    assert (capacity.train_kd_loss, capacity.quality, capacity.quality_metric) == (
        (1.92, 1.61),
        0.76,
        "ndcg10",
    )


def test_worked_step(golden, tmp_path):
    fields = {key: value for key, value in golden["step_log_example"].items() if key != "note"}
    document = json.loads(write(tmp_path / "log.jsonl", STEP).read_text("utf-8"))
    assert fields.items() <= document.items()
    assert 0.3 * document["hard_ce"] + 0.7 * document["kd_kl_t2"] == pytest.approx(0.2209)


def test_gradient_that_is_not_finite_is_no_null(tmp_path):
    path = write(tmp_path / "log.jsonl", STEP.model_copy(update={"grad_norm": float("inf")}))
    assert read_events(path)[0].grad_norm == float("inf") and "null" not in path.read_text("utf-8")


@pytest.mark.parametrize("cut", [1, 10, 60])
def test_torn_last_line_is_left_out(tmp_path, cut):
    path = write(tmp_path / "log.jsonl", STEP, SUMMARY)
    path.write_bytes(path.read_bytes()[:-cut])
    assert read_events(path) == ([STEP, SUMMARY] if cut == 1 else [STEP])  # 1 is the line's end alone


def test_torn_within_a_character(tmp_path):
    event = DOMINATING.model_copy(update={"student": "漫画"})
    path = write(tmp_path / "log.jsonl", STEP, event)
    data = path.read_bytes()
    path.write_bytes(data[: data.index("漫".encode()) + 1])
    assert read_events(path) == [STEP]
    write_on = EventLog(path, epochs=1)
    write_on.write(SUMMARY)
    write_on.close()
    assert read_events(path) == [STEP, SUMMARY]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", ["line 2", "not JSON"]),
        ("[1]", ["line 2", "not an event", "'event'"]),
        ('{"epoch": 1}', ["line 2", "not an event"]),
        ('{"event": "kd_train_step"}', ["line 2", "kd_train_step", "task", "required"]),
        (
            STEP_LINE.replace("0.482", "null"),
            ["line 2", "'hard_ce' is null", "absent"],
        ),
        (
            STEP_LINE.replace('"version":1', '"version":2'),
            ["line 2", "version 2", "up to 1"],
        ),
        (
            STEP_LINE.replace("batch_size", "bach_size"),
            ["line 2", "batch_size"],
        ),
        (
            PROFILE.model_dump_json(exclude_none=True).replace("0.9", "1.9"),
            ["line 2", "cpu_utilization", "1"],
        ),
    ],
)
def test_bad_line_is_named(tmp_path, line, words):
    path = write(tmp_path / "log.jsonl", STEP)
    path.write_text(
        f"{path.read_text('utf-8')}{line}\n{SUMMARY.model_dump_json(exclude_none=True)}\n", "utf-8"
    )
    with pytest.raises(DataError) as found:
        read_events(path)
    message = str(found.value)
    assert message.startswith(f"{path}: ") and "\n" not in message
    assert all(word in message for word in words)


def test_events_of_another_kind_and_blank_lines_are_left_out(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text('{"event": "checkout_started", "items": 3}\n\n' + STEP_LINE)
    assert read_events(path) == [STEP]


def test_missing_log(tmp_path):
    with pytest.raises(DataError, match=r"gone\.jsonl: no such file"):
        read_events(tmp_path / "gone.jsonl")


def test_killed_log_goes_on_after_its_last_whole_epoch(tmp_path):
    later = [event.model_copy(update={"epoch": 2}) for event in (STEP, SUMMARY, PROFILE)]
    path = write(tmp_path / "log.jsonl", CAPACITY, STEP, SUMMARY, SHADOW, PROFILE, CAPACITY, *later)
    told = []
    log = EventLog(path, epochs=1, also=told.append)
    log.write(later[0])
    log.close()
    # What names no epoch stays before the last line of a kept epoch; what follows it is said again.
    assert read_events(path) == [CAPACITY, STEP, SUMMARY, SHADOW, PROFILE, later[0]]
    assert told == [later[0]]
    EventLog(path, epochs=0).close()
    assert read_events(path) == []


def test_class_slices():
    answers, teacher = np.array([0, 0, 1, 1, 0]), np.array([0, 1, 1, 1, 1])
    found = class_slices(3, answers, teacher, np.array([0, 0, 1, 1, 1]), ("a", "b", "c", "d"), 0.9)
    assert [(f.class_name, f.support) for f in found] == [("a", 2), ("b", 3)]  # no row, no slice
    first, second = found
    assert (first.student_recall, first.teacher_recall, first.student_precision) == (1, 0.5, 2 / 3)
    assert (second.student_recall, second.teacher_recall, second.student_precision) == (2 / 3, 1, 1)
    assert first.hard_label_weight == pytest.approx(0.1) and first.soft_label_weight == 0.9
    weighted = class_slices(
        3, np.array([0, 0]), teacher[:2], np.array([1, 0]), ("a", "b"), np.array([0.9, 0.5])
    )
    assert [f.soft_label_weight for f in weighted] == [0.9, 0.5]
    assert weighted[1].student_precision is None
