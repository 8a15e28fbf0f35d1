"""A task that lives in these tests alone goes the whole road, without a line changed in edgekd.

Label, distil, compile for two runtimes, bench, evaluate on slices, gate with margins and floors, promote,
replay, report, and a Lambda zip that answers; through the command line, so that child processes find it too.
"""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from edgekd.gate.ledger import read_ledger
from edgekd.serving import load

pytestmark = pytest.mark.long
HERE = Path(__file__).parent
URGENT = ("now", "asap", "urgent", "immediately", "today", "broken", "emergency", "hurry")
CALM = ("whenever", "sometime", "maybe", "browsing", "someday", "curious", "looking", "thanks")
REST = ("my", "order", "parcel", "the", "a", "please", "about", "series", "volume", "question")
SPLITS = {"train": 600, "unlabelled": 200, "calibration": 80, "validation": 150, "test": 400}

PROJECT = """\
name: urgency
task: "urgency:TASK"
data:
  source: rows.jsonl
  columns: {text: text, label: urgency, split: split}
slices:
  - {name: overall, tier: prove, margin: 10, at_least: 70}
  - {name: ios, where: "device = 'ios'", margin: 20}
  - {name: near, metric: within a tenth, margin: 60}
teacher: {model: ./teacher, training: {epochs: 4, learning_rate: 0.002, batch: 32}}
students:
  - {model: static-256, pairs: 1024, training: {epochs: 6, learning_rate: 0.003, batch: 32}}
distillation: {augmentations: 1}
targets: [desk, intel]
gates: {teacher_preference_match: 0.2}
threads: 1
measure: {rounds: 3, seconds: 0.05, inputs: 16, pytorch: false}
"""


def write_rows(path):
    """Urgency is the share of loaded words that are urgent; a message without one is at 0.5."""
    rng = random.Random(3)
    lines = []
    for split, count in SPLITS.items():
        for _ in range(count):
            loaded = [
                rng.choice(URGENT if rng.random() < rng.random() else CALM) for _ in range(rng.randint(1, 4))
            ]
            words = [*loaded, *rng.sample(REST, 3), str(rng.randrange(10_000))]
            rng.shuffle(words)
            urgency = sum(word in URGENT for word in loaded) / len(loaded)
            row = {"text": " ".join(words), "split": split, "device": rng.choice(["web", "ios"])}
            row["urgency"] = None if split == "unlabelled" else urgency
            lines.append(json.dumps(row))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


TARGETS = {
    "desk": "builds: [{runtime: onnxruntime, recipe: fp32}, "
    "{runtime: onnxruntime, recipe: int8-dynamic, restore: true}]\n"
    "bundle: lambda-zip\n",
    "intel": "builds: [{runtime: openvino, recipe: fp32}]\n",
}
HARDWARE = "hardware: {arch: x86_64, isa: [avx2], vcpus: 1, memory_mib: 1769}\n"


def edgekd(*arguments, cwd, task=HERE):
    environment = {**os.environ, "PYTHONPATH": f"{task}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    command = [sys.executable, "-W", "ignore", "-m", "edgekd", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=600)


@pytest.fixture(scope="module")
def project(tmp_path_factory, teacher_folder):
    folder = tmp_path_factory.mktemp("urgency")
    (folder / "teacher").symlink_to(teacher_folder)
    (folder / "models").mkdir()
    (folder / "models" / "static-256.yaml").write_text(
        "{kind: static, name: static-256, dimension: 256, pairs: 2048, hidden: 512, vocabulary: 4096}\n"
    )
    write_rows(folder / "rows.jsonl")
    (folder / "targets").mkdir()
    for name, text in TARGETS.items():
        (folder / "targets" / f"{name}.yaml").write_text(f"name: {name}\n{HARDWARE}{text}", encoding="utf-8")
    (folder / "project.yaml").write_text(PROJECT, encoding="utf-8")
    done = edgekd("run", "project.yaml", "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder, json.loads(done.stdout), done.stderr


def promoted(project, target):
    return project[0] / ".edgekd" / "registry" / "urgency" / target / "current"


def slices_of(project, target):
    (path,) = (Path(project[1]["run"]) / "verdicts").glob(f"{target}.json")
    verdict = json.loads(path.read_text(encoding="utf-8"))
    name = verdict["promoted"]
    evidence = Path(project[1]["run"]) / "evidence" / target / f"{name}.json"
    judged = json.loads(evidence.read_text(encoding="utf-8"))["evaluation"]["slices"]
    checks = next(one["checks"] for one in verdict["variants"] if one["variant"] == name)
    return {one["name"]: one for one in judged}, {check["name"]: check for check in checks}


def test_every_target_has_a_promoted_variant(project):
    found = {entry["name"]: (entry["status"], entry["variant"]) for entry in project[1]["targets"]}
    assert {name: status.partition(" ")[0] for name, (status, _) in found.items()} == {
        "desk": "promoted",
        "intel": "promoted",
    }
    assert "plan: compile 3 variants for desk, intel" in project[2]
    assert "labels: 13" in project[2]  # train rows, a copy of each, the unlabelled ones


@pytest.mark.parametrize("target", TARGETS)
def test_it_is_judged_by_its_own_values_with_margins_and_floors(project, target):
    slices, checks = slices_of(project, target)
    overall, near = slices["overall"], slices["near"]
    assert (overall["metric"], near["metric"]) == ("closeness", "within a tenth")
    drop = overall["drops"][0]
    assert drop["reference"] == "teacher" and drop["differences"]["least"] == -1
    assert 0.7 < overall["value"]["low"] < overall["value"]["estimate"] < 1
    assert drop["low"] < drop["estimate"] < drop["high"] < 0.1
    assert near["drops"][0]["differences"] is None and near["tally"]["right"] <= 400  # hits
    assert checks["quality overall"]["status"] == checks["floor overall"]["status"] == "pass"
    assert checks["teacher_preference_match"]["status"] == "pass"


def test_operators_are_restored_by_its_own_values(project):
    (notes,) = (project[0] / ".edgekd" / "store").glob("restore/*/*/logs/restored.json")
    found = json.loads(notes.read_text(encoding="utf-8"))
    bounds = found["steps"][-1]["bounds"]
    assert [bound["slice"] for bound in bounds] == ["overall"] and found["without_rows"] == []
    assert bounds[0]["drop"] < bounds[0]["high"] <= bounds[0]["goal"]


def test_a_floor_above_its_value_holds_it_back(project):
    done = edgekd("gate", "project.yaml", "--set", "slices.0.at_least=99", "--json", cwd=project[0])
    assert done.returncode == 1, done.stderr
    (first, *_) = json.loads(done.stdout)["targets"]
    assert first["status"] == "not promoted" and "floor overall" in json.dumps(first)


def test_what_is_promoted_answers_numbers(project):
    model = load(promoted(project, "desk"))
    urgent, calm = (model(text).score for text in ("order broken now urgent", "a volume whenever thanks"))
    assert 0 <= calm < 0.4 < 0.6 < urgent <= 1
    done = edgekd("predict", promoted(project, "intel"), "order broken now urgent", "--json", cwd=project[0])
    assert done.returncode == 0, done.stderr
    (answer,) = json.loads(done.stdout)
    assert answer["score"] > 0.6


def test_the_verdict_is_replayed_from_answers_and_samples(project):
    entries = read_ledger(project[0] / ".edgekd" / "registry" / "ledger.jsonl")
    assert {entry.target for entry in entries} == set(TARGETS)
    for entry in entries:
        done = edgekd("ledger", "replay", "project.yaml", entry.sequence, cwd=project[0])
        assert done.returncode == 0 and "is the same" in done.stdout, done.stdout + done.stderr


def test_the_report_speaks_of_its_metric(project):
    for name in ("report.html", "report.md"):
        text = (Path(project[1]["run"]) / name).read_text(encoding="utf-8")
        assert "closeness" in text.lower() and "within a tenth" in text
    assert "accuracy" not in text.lower()


def test_the_second_run_makes_nothing_again(project):
    done = edgekd("run", "project.yaml", cwd=project[0])
    assert done.returncode == 0, done.stderr
    assert "nothing to train or compile" in done.stderr and "done in" not in done.stderr


def test_the_bundle_answers_as_a_function(project, tmp_path):
    from edgekd.bundle.kinds.lambda_zip import PYTHON
    from edgekd.emulate.lambda_function import start_function
    from edgekd.emulate.lambda_place import prepare_place, unpack_function
    from edgekd.wheels.python import find_python

    if find_python(PYTHON) is None:
        pytest.skip(f"no Python {PYTHON} here")
    done = edgekd("bundle", "project.yaml", "--target", "desk", "--out", tmp_path / "out", cwd=project[0])
    assert done.returncode == 0, done.stderr
    (archive,) = (tmp_path / "out").rglob("function.zip")
    unpack_function(archive, tmp_path / "root")
    with start_function(tmp_path / "root", 512, prepare_place("x86_64", PYTHON)) as function:
        answered = function.invoke(json.dumps({"text": "order broken now urgent"}).encode())
    assert answered is not None and not answered.is_error, function.problem
    here = load(promoted(project, "desk"))("order broken now urgent").score
    (answer,) = json.loads(answered.body)["answers"]
    assert answer["score"] == pytest.approx(here, abs=1e-6)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("routing={teacher_per_1k: 3}", "routing: thresholds are of probabilities of labels"),
        ("slices.1.metric=f1", "unknown metric 'f1'"),
        ("teacher.class_weights=inverse", "teacher.class_weights: is of classes, and a score has none"),
        ("task=urgency:NOTHING", "cannot be imported"),
        ("task=urgncy", "unknown task 'urgncy'"),
        ("task=nothing:TASK", "cannot be imported (ModuleNotFoundError: No module named 'nothing')"),
        ("task=broken:TASK", "cannot be imported (ZeroDivisionError: division by zero)"),
    ],
)
def test_what_the_task_cannot_do_is_refused_in_one_line(project, setting, said, tmp_path):
    (tmp_path / "broken.py").write_text("TASK = 1 / 0\n", encoding="utf-8")
    path = f"{HERE}{os.pathsep}{tmp_path}"
    done = edgekd("run", "project.yaml", "--set", setting, cwd=project[0], task=path)
    assert done.returncode == 2 and said in done.stderr.strip().splitlines()[-1], done.stderr


def test_a_row_out_of_range_is_refused_by_its_place(project, tmp_path):
    text = (project[0] / "rows.jsonl").read_text(encoding="utf-8").splitlines()
    bad = json.loads(text[0]) | {"urgency": 1.5}
    (project[0] / "bad.jsonl").write_text("\n".join([json.dumps(bad), *text[1:]]), encoding="utf-8")
    done = edgekd("check", "project.yaml", "--set", "data.source=bad.jsonl", cwd=project[0])
    assert done.returncode == 2 and "row 1" in done.stderr and "from 0 to 1, got 1.5" in done.stderr


def test_traffic_without_labels_cannot_be_compared_and_a_training_can_be_diagnosed(project):
    (project[0] / "logged.jsonl").write_text("{}\n", encoding="utf-8")
    shadow = ("evaluate", "project.yaml", "--target", "desk", "--shadow", "logged.jsonl")
    done = edgekd(*shadow, cwd=project[0])
    assert done.returncode == 2 and "answers without any" in done.stderr, done.stderr
    done = edgekd("diagnose", "project.yaml", "--json", cwd=project[0])
    assert done.returncode in (0, 1) and "defect" not in done.stderr, done.stderr


def test_what_another_source_of_the_task_made_is_not_taken_for_its_own(project, tmp_path):
    source = (HERE / "urgency.py").read_text(encoding="utf-8")
    (tmp_path / "urgency.py").write_text(source.replace("NEAR = 0.1", "NEAR = 0.2"), encoding="utf-8")
    for task, expected in ((HERE, "cached"), (tmp_path, "to run")):
        done = edgekd("run", "project.yaml", "--plan", cwd=project[0], task=task)
        assert done.returncode == 0, done.stderr
        (teacher,) = [line for line in done.stdout.splitlines() if line.startswith("teacher:")]
        assert expected in teacher
