import json
import subprocess
import sys

import pytest
import yaml


def change(project, **keys):
    document = yaml.safe_load(project.read_text(encoding="utf-8"))
    project.write_text(yaml.safe_dump({**document, **keys}), encoding="utf-8")


SLICES = [
    {"name": "overall", "tier": "prove", "margin": 10},
    {"name": "few", "where": "length(text) % 5 = 0", "tier": "prove", "margin": 3},
    {"name": "orders", "recall_of": ["order", "return"], "tier": "prove", "margin": 20, "at_least": 99},
]


def test_check_says_what_rows_can_prove(speak, small_project):
    spoken = speak("check", small_project, "--json")
    assert spoken.code == 0, spoken.stderr
    document = spoken.document
    assert document["rows"] == {"train": 300, "calibration": 60, "validation": 90, "test": 240}
    assert len(document["outputs"]) == 3 and document["slices"]["overall"] == 240
    (proof,) = document["proofs"]
    assert proof["status"] == "provable" and proof["kind"] == "margin" and proof["rows"] == 240
    assert any("fine-tune the teacher" in line for line in document["plan"])
    assert any(line.startswith("time: the teacher's 3 epochs: about") for line in document["plan"])


def test_times_are_of_as_many_rows_as_there_are(speak, small_project):
    """Whatever the newest training had: it may have been another project's."""
    logs = small_project.parent / ".edgekd" / "store" / "teacher" / "of-another-project" / "logs"
    logs.mkdir(parents=True)
    steps = [{"event": "kd_train_step", "throughput_samples_per_sec": rate} for rate in (9.0, 10.0, 90.0)]
    epoch = {"event": "kd_epoch_summary", "seconds": 5000.0}
    (logs / "train.jsonl").write_text("\n".join(map(json.dumps, [*steps, epoch])), encoding="utf-8")
    plan = speak("check", small_project, "--json").document["plan"]
    (line,) = [line for line in plan if line.startswith("time: the teacher's 3 epochs")]
    assert "about 2 minutes, at the rate of the newest of 1 in the cache" in line  # 3 times 300 rows


def test_a_slice_that_cannot_pass_is_one_line_and_exit_code_1(speak, small_project):
    change(small_project, slices=SLICES)
    spoken = speak("check", small_project)
    assert spoken.code == 1
    lines = spoken.stdout.splitlines()
    few = [line for line in lines if line.startswith("slice 'few', margin of 3 points")]
    assert len(few) == 1 and "out of reach" in few[0] and "needs at least 104 rows" in few[0]
    for label in ("order", "return"):  # each class is judged on its own
        (floor,) = [
            line for line in lines if line.startswith(f"slice 'orders', {label}, floor of 99 %, 80 rows")
        ]
        assert "impossible: even with all of them right" in floor and "at least 299 rows" in floor
    assert lines[-1].startswith("2 of 3 slices cannot be proven")


def test_a_name_that_routing_does_not_know_is_refused(speak, small_project):
    change(small_project, routing={"teacher_per_1k": 1.0, "carve_out": ["nope"]})
    spoken = speak("check", small_project)
    assert spoken.code == 2 and "routing.carve_out: unknown slice 'nope'" in spoken.stderr


def test_a_run_says_it_before_anything_trains(speak, small_project):
    change(small_project, slices=SLICES, teacher={"model": "./no-such-teacher"})
    spoken = speak("label", small_project)
    assert spoken.code == 2  # ends at the teacher, before any training
    change(
        small_project, teacher={"model": "./teacher"}, slices=SLICES, distillation={"rare_classes": ["gone"]}
    )
    spoken = speak("label", small_project)
    warnings = [line for line in spoken.stderr.splitlines() if line.startswith("warning: slice 'few'")]
    assert spoken.code == 2 and "gone" in spoken.stderr and len(warnings) == 1
    assert "teacher:" not in spoken.stderr


def test_rows_that_splits_share_are_shown_and_refused_by_test(speak, small_project):
    path = small_project.parent / "rows.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    test = next(row for row in rows if row["split"] == "test")
    rows.append({**test, "split": "train", "text": test["text"].upper()})
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    for verb in ("check", "run"):
        spoken = speak(verb, small_project)
        assert spoken.code == 2 and len(spoken.errors) == 1 and "data.drop_shared_text" in spoken.errors[0]
    spoken = speak("check", small_project, "--set", "data.allow_shared_text=true")
    assert spoken.code == 0 and "1 of 240 test rows have a text that train has, too" in spoken.stdout
    spoken = speak("check", small_project, "--set", "data.drop_shared_text=true")
    assert spoken.code == 0 and "1 row left out of other splits" in spoken.stdout


def test_every_test_row_in_train_is_refused(speak, small_project):
    path = small_project.parent / "rows.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    rows += [{**row, "split": "train"} for row in rows if row["split"] == "test"]
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    spoken = speak("run", small_project)
    assert spoken.code == 2 and len(spoken.errors) == 1
    assert "of 240 test rows some have a text that another split has, too (240 in train)" in spoken.errors[0]


def test_check_loads_no_training_library_and_no_runtime(small_project):
    code = (
        "import sys\nfrom pathlib import Path\nfrom edgekd.cli.checking import check_project\n"
        f"print(check_project(Path({str(small_project)!r}), ()).exit_code)\n"
        "print([name for name in ('torch', 'transformers', 'onnxruntime', 'openvino') if name in "
        "sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.split("\n")[:2] == ["0", "[]"], done.stderr


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (b"text,intent,split\n", "no rows"),
        (b"text,intent,split\nhi,a,train\nho,b,train\n", "split 'calibration' has no rows"),
        (b'text,intent,split\n"hi,a,train\n', "not CSV"),
        (b"text,intent,split\nhi,a\n", "not CSV"),
        (b"text,intent,split\nhi,a,train\nhi,b,trian\n", "split 'trian' is not known"),
        (b"text,label,split\nhi,a,train\n", "no column 'intent'"),
        (b"text,intent,split\n\xff\xfe,a,train\n", "is not UTF-8"),
        (b"", "is empty"),
    ],
)
def test_bad_csv_files_are_one_line(speak, small_project, rows, words):
    (small_project.parent / "bad.csv").write_bytes(rows)
    spoken = speak("check", small_project, "--set", "data.source=bad.csv")
    assert spoken.code == 2 and len(spoken.errors) == 1 and words in spoken.errors[0]
