"""A query and its candidates go the whole road: from a file of rows to promoted artifacts that rank.

Through the command line: labelled pair by pair, distilled into a cross-encoder, two towers and a cascade of
both, compiled for two runtimes, judged against the teacher and the order that came in, promoted, replayed,
reported, and a Lambda zip that ranks.
"""

import json
import random
from pathlib import Path

import pytest

from edgekd.gate.ledger import read_ledger
from edgekd.serving import load

pytestmark = pytest.mark.long

ABOUT = ("parcel", "refund", "gift", "series")
WAYS = ("where is my {}", "{} please", "i want a {}", "{} for my order")
SPLITS = {"train": 240, "calibration": 30, "validation": 60, "test": 200}
QUERY, BOOKS = "i want a gift", ("a parcel book 1", "a gift book 2", "a refund book 3", "a series book 4")

PROJECT = """\
name: search
task: rerank
data:
  source: rows.jsonl
  columns: {text: query, label: grades, split: split}
  allow_shared_text: true
slices:
  - {name: overall, tier: prove, margin: 12, above: {incoming: 5}}
  - {name: ios, where: "device = 'ios'", margin: 30}
  - {name: first, metric: top1, margin: 60}
teacher: {model: ./teacher, training: {epochs: 14, learning_rate: 0.002, batch: 8}}
students:
  - {model: pairs-2l, training: {epochs: 8, learning_rate: 0.002, batch: 8}}
  - {model: towers, training: {epochs: 16, learning_rate: 0.005, batch: 8}}
cascades: [{first: towers, second: pairs-2l}]
targets: [desk, intel]
threads: 1
measure: {rounds: 3, seconds: 0.1, inputs: 16, pytorch: false}
"""
MODELS = {
    "pairs-2l": "{kind: transformer, name: pairs-2l, layers: [0, -1], vocabulary: 3500, max_tokens: 32}\n",
    "towers": "{kind: static, name: towers, dimension: 48, hidden: 96, pairs: 512, vocabulary: 3500}\n",
}
HARDWARE = "hardware: {arch: x86_64, isa: [avx2], vcpus: 1, memory_mib: 1769}\n"
TARGETS = {
    "desk": "builds: [{runtime: numpy, recipe: int8-tables}, "
    "{runtime: onnxruntime, recipe: int8-dynamic, restore: true}]\n"
    "objective: artifact_bytes\nbundle: lambda-zip\n"
    "tasks: {rerank: {limits: {p95_ms: 500, candidates: 12}}}\n",
    "intel": "builds: [{runtime: openvino, recipe: fp32}]\nobjective: quality\n",
}


def write_rows(path):
    """A candidate is relevant that is about what the query names; one row in ten lacks some grades."""
    rng = random.Random(5)
    lines = []
    for split, count in SPLITS.items():
        for number in range(count):
            about = ABOUT[number % 4]
            named = [rng.choice(ABOUT) for _ in range(rng.randint(4, 9))]
            named[rng.randrange(len(named))] = about
            grades = [int(one == about) * rng.choice((1, 2)) for one in named]
            if number % 10 == 0:
                grades = [None if rng.random() < 0.2 and not grade else grade for grade in grades]
            row = {
                "query": WAYS[number // 4 % 4].format(about),
                "candidates": [f"a {one} book {place}" for place, one in enumerate(named)],
                "grades": grades,
                "split": split,
                "device": rng.choice(["web", "ios"]),
            }
            lines.append(json.dumps(row))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture(scope="module")
def project(tmp_path_factory, teacher_folder, run_edgekd):
    folder = tmp_path_factory.mktemp("search")
    (folder / "teacher").symlink_to(teacher_folder)
    for name in ("models", "targets"):
        (folder / name).mkdir()
    for name, text in MODELS.items():
        (folder / "models" / f"{name}.yaml").write_text(text, encoding="utf-8")
    for name, text in TARGETS.items():
        (folder / "targets" / f"{name}.yaml").write_text(f"name: {name}\n{HARDWARE}{text}", encoding="utf-8")
    write_rows(folder / "rows.jsonl")
    (folder / "project.yaml").write_text(PROJECT, encoding="utf-8")
    done = run_edgekd("run", "project.yaml", "--json", cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, json.loads(done.stdout), done.stderr


def promoted(project, target):
    return project[0] / ".edgekd" / "registry" / "search" / target / "current"


def verdict_of(project, target):
    path = Path(project[1]["run"]) / "verdicts" / f"{target}.json"
    return json.loads(path.read_text(encoding="utf-8"))


def test_every_target_has_a_promoted_variant(project):
    found = {entry["name"]: entry["status"].partition(" ")[0] for entry in project[1]["targets"]}
    assert found == dict.fromkeys(TARGETS, "promoted")


def test_students_and_their_cascade_are_judged_side_by_side(project):
    variants = {entry["variant"] for entry in verdict_of(project, "desk")["variants"]}
    assert variants == {
        "pairs-2l.onnxruntime.int8-dynamic-restored",
        "towers.numpy.int8-tables",
        "towers.onnxruntime.int8-dynamic-restored",
        "towers+pairs-2l.onnxruntime.int8-dynamic-restored",
    }


def test_operators_are_restored_by_the_value_of_orders(project):
    paths = sorted((project[0] / ".edgekd" / "store").glob("restore/*/*/logs/restored.json"))
    assert [path.parts[-4].partition(".")[0] for path in paths] == ["pairs-2l", "towers"]
    for path in paths:
        bounds = json.loads(path.read_text(encoding="utf-8"))["steps"][-1]["bounds"]
        assert [bound["slice"] for bound in bounds] == ["overall"]
        assert bounds[0]["high"] <= bounds[0]["goal"]


@pytest.mark.parametrize("target", TARGETS)
def test_it_is_proven_near_the_teacher_and_above_the_order_that_came_in(project, target):
    verdict = verdict_of(project, target)
    chosen = next(one for one in verdict["variants"] if one["variant"] == verdict["promoted"])
    checks = {check["name"]: check["status"] for check in chosen["checks"]}
    assert checks["quality overall"] == checks["above-incoming overall"] == "pass"


def test_what_is_promoted_ranks(project, run_edgekd):
    ranking = load(promoted(project, "desk")).rank(QUERY, list(BOOKS))
    assert ranking.order[0] == 1 and len(ranking.scores) == 4
    request = json.dumps({"query": QUERY, "candidates": list(BOOKS)})
    done = run_edgekd("predict", promoted(project, "intel"), request, "--json", cwd=project[0])
    assert done.returncode == 0, done.stderr
    (answer,) = json.loads(done.stdout)
    assert answer["order"][0] == 1


def test_a_cascade_answers_as_its_two_models_do_in_turn(project):
    folder = Path(project[1]["run"]) / "artifacts" / "desk"
    names = ("towers.numpy.int8-tables", "pairs-2l.onnxruntime.int8-dynamic-restored")
    first, second = (load(folder / name) for name in names)
    both = load(folder / "towers+pairs-2l.onnxruntime.int8-dynamic-restored")
    keep = both.manifest["first"]["keep"]
    books = [f"a {about} book {number}" for number in range(keep) for about in ABOUT]
    by_first = first.rank(QUERY, books).order
    by_second = second.rank(QUERY, books).scores
    best = sorted(by_first[:keep], key=lambda place: (-by_second[place], place))
    assert list(both.rank(QUERY, books).order) == [*best, *by_first[keep:]]


def test_the_verdict_is_replayed_from_answers_and_samples(project, run_edgekd):
    entries = read_ledger(project[0] / ".edgekd" / "registry" / "ledger.jsonl")
    assert {entry.target for entry in entries} == set(TARGETS)
    for entry in entries:
        done = run_edgekd("ledger", "replay", "project.yaml", entry.sequence, cwd=project[0])
        assert done.returncode == 0 and "is the same" in done.stdout, done.stdout + done.stderr


def test_the_report_speaks_of_orders(project):
    for name in ("report.html", "report.md"):
        text = (Path(project[1]["run"]) / name).read_text(encoding="utf-8")
        assert "NDCG@10" in text and "the order that came in" in text
    assert "accuracy" not in text.lower()


def test_the_second_run_makes_nothing_again(project, run_edgekd):
    done = run_edgekd("run", "project.yaml", cwd=project[0])
    assert done.returncode == 0, done.stderr
    assert "nothing to train or compile" in done.stderr and "done in" not in done.stderr


def test_the_bundle_ranks_as_a_function(project, tmp_path, run_edgekd):
    from edgekd.bundle.kinds.lambda_zip import PYTHON
    from edgekd.emulate.lambda_function import start_function
    from edgekd.emulate.lambda_place import prepare_place, unpack_function
    from edgekd.wheels.python import find_python

    if find_python(PYTHON) is None:
        pytest.skip(f"no Python {PYTHON} here")
    done = run_edgekd("bundle", "project.yaml", "--target", "desk", "--out", tmp_path / "out", cwd=project[0])
    assert done.returncode == 0, done.stderr
    (archive,) = (tmp_path / "out").rglob("function.zip")
    unpack_function(archive, tmp_path / "root")
    with start_function(tmp_path / "root", 512, prepare_place("x86_64", PYTHON)) as function:
        asked = {"query": QUERY, "candidates": list(BOOKS)}
        answered = function.invoke(json.dumps(asked).encode())
    assert answered is not None and not answered.is_error, function.problem
    (answer,) = json.loads(answered.body)["answers"]
    assert answer["order"] == list(load(promoted(project, "desk")).rank(QUERY, list(BOOKS)).order)


@pytest.mark.long
def test_students_may_learn_through_a_model_between(project, run_edgekd):
    done = run_edgekd("distill", "project.yaml", "--set", "teacher.through=./teacher", cwd=project[0])
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    steps = [line.partition(":")[0] for line in lines if ": done in" in line or ": cached" in line]
    assert steps.index("teacher") < steps.index("through") < steps.index("distil/pairs-2l")


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("teacher.through=towers", "teacher.through: 'towers' is a student shape; name an encoder"),
        ("routing={teacher_per_1k: 3}", "routing: thresholds are of probabilities of labels"),
        ("slices.2.metric=f1", "unknown metric 'f1'"),
        ("slices.0.recall_of=[gift]", "recall_of"),
        ("slices.0.above={zero: 1}", "zero"),
        ("cascades.0.first=cut-9l", "cascades.0.first"),
        ("teacher.class_weights=inverse", "teacher.class_weights: is of classes, and a ranking has none"),
    ],
)
def test_what_the_task_cannot_do_is_refused_in_one_line(project, setting, said, run_edgekd):
    done = run_edgekd("run", "project.yaml", "--set", setting, cwd=project[0])
    assert done.returncode == 2 and said in done.stderr.strip().splitlines()[-1], done.stderr
