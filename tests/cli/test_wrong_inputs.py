"""Wrong inputs: each gives one line that names what is wrong, exit code 2, and never a traceback."""

import gzip
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import yaml

from edgekd.serving.manifest import seal

Rows = list[dict]


def use_rows(change: Callable[[Rows], object]) -> Callable[[Path], Sequence[object]]:
    """Change the rows, or what JSON cannot hold: a change that returns bytes writes the file."""

    def prepare(folder: Path) -> Sequence[object]:
        path = folder / "rows.jsonl"
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        made = change(rows)
        data = made if isinstance(made, bytes) else "\n".join(json.dumps(row) for row in rows).encode()
        path.write_bytes(data)
        return ("run", folder / "project.yaml")

    return prepare


def use_keys(**changes: object) -> Callable[[Path], Sequence[object]]:
    def prepare(folder: Path) -> Sequence[object]:
        path = folder / "project.yaml"
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        path.write_text(yaml.safe_dump({**document, **changes}), encoding="utf-8")
        return ("run", path)

    return prepare


def use_slice(where: str) -> Callable[[Path], Sequence[object]]:
    overall = {"name": "overall", "tier": "prove", "margin": 10}
    return use_keys(slices=[overall, {"name": "bad", "where": where, "margin": 10}])


def use_set(setting: str) -> Callable[[Path], Sequence[object]]:
    return lambda folder: ("run", folder / "project.yaml", "--set", setting)


def use_file(name: str, data: bytes) -> Callable[[Path], Sequence[object]]:
    """Read the rows from another file."""

    def prepare(folder: Path) -> Sequence[object]:
        (folder / name).write_bytes(data)
        return ("run", folder / "project.yaml", "--set", f"data.source={name}")

    return prepare


def use_project(data: bytes) -> Callable[[Path], Sequence[object]]:
    def prepare(folder: Path) -> Sequence[object]:
        (folder / "project.yaml").write_bytes(data)
        return ("run", folder / "project.yaml")

    return prepare


def say(*arguments: object) -> Callable[[Path], Sequence[object]]:
    """Say these words; FOLDER stands for the project's."""
    return lambda folder: [str(word).replace("FOLDER", str(folder)) for word in arguments]


def first(rows: Rows, split: str) -> dict:
    return next(row for row in rows if row["split"] == split)


def in_latin_1(rows: Rows) -> bytes:
    lines = [json.dumps(row).encode() for row in rows]
    lines[6] = lines[6].replace(b'"text": "', b'"text": "caf\xe9 ')
    return b"\n".join(lines)


def with_ids(rows: Rows) -> None:
    for number, row in enumerate(rows):
        row["key"] = f"r{min(number, 400)}"


def with_duplicate_ids(folder: Path) -> Sequence[object]:
    use_rows(with_ids)(folder)
    return ("run", folder / "project.yaml", "--set", "data.columns.id=key")


def without(column: str) -> Callable[[Rows], None]:
    return lambda rows: [row.pop(column) for row in rows] and None


def put(split: str, column: str, value: object) -> Callable[[Rows], None]:
    return lambda rows: first(rows, split).update({column: value})


def keep(condition: Callable[[dict], bool]) -> Callable[[Rows], None]:
    def change(rows: Rows) -> None:
        rows[:] = [row for row in rows if condition(row)]

    return change


# What is wrong, what is said, and the words that the one line must hold.
WRONG = [
    ("missing file", use_set("data.source=gone.jsonl"), ["gone.jsonl", "no such file"]),
    ("a folder for a file", use_set("data.source=teacher"), ["teacher", "no such file"]),
    ("empty file", use_rows(lambda rows: b""), ["rows.jsonl", "empty"]),
    ("blank file", use_rows(lambda rows: b"\n \n"), ["rows.jsonl", "empty"]),
    ("header alone", use_file("rows.csv", b"text,intent,split\n"), ["rows.csv", "no rows"]),
    ("unknown format", use_file("rows.xls", b"PK"), ["rows.xls", ".parquet"]),
    ("not Parquet", use_file("rows.parquet", b"PAR1 not at all"), ["rows.parquet", "not Parquet"]),
    ("cut gzip", use_file("r.jsonl.gz", gzip.compress(b"{}" * 999)[:20]), ["r.jsonl.gz", "cannot be read"]),
    ("not JSON", use_rows(lambda rows: b'{"text": \n'), ["rows.jsonl", "line 1", "not JSON"]),
    ("not an object", use_rows(lambda rows: b"[1]\n"), ["rows.jsonl", "line 1", "object"]),
    ("missing text column", use_rows(without("text")), ["'text'", "data.columns.text", "intent"]),
    ("missing label column", use_rows(without("intent")), ["'intent'", "data.columns.label"]),
    ("missing split column", use_rows(without("split")), ["'split'", "data.columns.split"]),
    ("unknown split", use_rows(put("test", "split", "exam")), ["row 451", "exam", "data.splits"]),
    ("no validation rows", use_rows(keep(lambda r: r["split"] != "validation")), ["validation", "carve"]),
    ("label of the test split alone", use_rows(put("test", "intent", "novel")), ["'novel'", "'test'"]),
    ("one class only", use_rows(keep(lambda r: r["intent"] == "order")), ["one class", "'order'"]),
    ("NaN text", use_rows(put("train", "text", float("nan"))), ["row 1 ", "column text", "NaN"]),
    ("null text", use_rows(put("train", "text", None)), ["row 1 ", "column text", "null"]),
    ("no text at all", use_rows(lambda rows: [r.update(text=None) for r in rows] and None), ["column text"]),
    ("empty text", use_rows(put("validation", "text", "")), ["row 361 ", "column text is empty"]),
    ("blank text", use_rows(put("test", "text", " \t")), ["row 451 ", "column text is empty"]),
    ("null label", use_rows(put("test", "intent", None)), ["row 451 ", "label is empty"]),
    ("NaN label", use_rows(put("test", "intent", float("nan"))), ["row 451 ", "label is empty"]),
    ("numbers for labels", use_rows(lambda rows: [r.update(intent=1) for r in rows] and None), ["quote it"]),
    ("empty text in CSV", use_file("r.csv", b"text,intent,split\n,order,train\n"), ["row 1 ", "empty"]),
    ("not UTF-8", use_rows(in_latin_1), ["rows.jsonl", "line 7", "UTF-8"]),
    ("duplicate ids", with_duplicate_ids, ["id r400", "row 401", "unique"]),
    ("unknown key", use_keys(distilation={"alpha": 1}), ["'distilation'", "did you mean 'distillation'"]),
    ("unknown key inside", use_set("measure.round=4"), ["'measure.round'", "did you mean 'rounds'"]),
    ("missing key", use_project(b"name: small\n"), ["key 'data' is missing", "schema"]),
    ("value out of range", use_set("measure.rounds=0"), ["measure.rounds", "got 0"]),
    ("no slice overall", use_keys(slices=[{"name": "all", "margin": 1}]), ["'overall'"]),
    ("not YAML", use_project(b"name: [small\n"), ["project.yaml", "not YAML"]),
    ("no mapping", use_project(b"- name\n"), ["project.yaml", "keys and values"]),
    ("project not UTF-8", use_project(b"name: caf\xe9\n"), ["project.yaml", "UTF-8"]),
    ("empty project", use_project(b""), ["project.yaml", "keys and values"]),
    (
        "no date",
        use_keys(
            gates={"data_age_p50_days": 30},
            data={
                "source": "rows.jsonl",
                "columns": {"text": "text", "label": "intent", "split": "split", "date": "device"},
            },
        ),
        ["column device", "expected a date as 2026-03-04"],
    ),
    ("unknown target", use_keys(targets=["lamda-x86"]), ["'lamda-x86'", "did you mean 'lambda-x86'", "gpu"]),
    (
        "target not of the project",
        say("run", "FOLDER/project.yaml", "--target", "mobile-lowmem"),
        ["'mobile"],
    ),
    ("unknown student", use_keys(students=["static-265"]), ["'static-265'", "did you mean 'static-256'"]),
    ("unknown teacher", use_keys(teacher={"model": "minilm-l7"}), ["'minilm-l7'", "'minilm-l6'"]),
    ("teacher for a student", use_keys(students=["minilm-l6"]), ["'minilm-l6' is a teacher"]),
    (
        "no pairs of a static student",
        use_set("students.0.pairs=0"),
        ["is static: its pairs must be 1 or more"],
    ),
    ("teacher without a label", use_set("teacher.fine_tune=false"), ["label 'advice'", "fine_tune: true"]),
    ("slice with bad SQL", use_slice("device = = 'ios'"), ["'bad'", "device = = 'ios'"]),
    ("slice of an unknown column", use_slice("devise = 'ios'"), ["'bad'", "devise"]),
    ("slice that is no predicate", use_slice("length(text)"), ["'bad'", "true or false"]),
    (
        "slice that reads a file",
        use_slice("(SELECT count(*) FROM read_text('/etc/hostname')) > 0"),
        ["'bad'", "read_text"],
    ),
    ("overall that matches nothing", use_set("slices.0.where=device = 'tv'"), ["'overall'", "no row"]),
    ("slice of an unknown class", use_set("slices.1.recall_of=[novel]"), ["'ios'", "'novel'"]),
    ("setting without a value", use_set("seed"), ["--set seed", "key=value"]),
    ("setting of an unknown key", use_set("sed=1"), ["'sed'", "did you mean 'seed'"]),
    ("setting of a wrong type", use_set("seed=many"), ["seed", "'many'"]),
    ("setting of an item not there", use_set("students.4.model=x"), ["students.4.model", "0 to 0"]),
    ("setting below a value", use_set("name.x.y=1"), ["name"]),
    ("missing project file", say("run", "FOLDER/gone.yaml"), ["gone.yaml", "no such file"]),
    ("project file below a file", say("run", "FOLDER/rows.jsonl/x.yaml"), ["x.yaml", "no such file"]),
    ("folder for a project file", say("run", "FOLDER"), ["is a folder"]),
    ("unknown verb", say("rnu"), ["rnu"]),
    ("unknown option", say("run", "FOLDER/project.yaml", "--fast"), ["--fast"]),
    ("unknown list", say("show", "recipes"), ["recipes", "targets"]),
    ("texts forgotten", say("predict", "FOLDER"), ["TEXTS"]),
    ("artifact not there", say("predict", "FOLDER/gone", "hi"), ["gone", "manifest.json"]),
    ("artifact that is no folder", say("predict", "FOLDER/rows.jsonl", "hi"), ["rows.jsonl"]),
    ("artifact without manifest", say("predict", "FOLDER", "hi"), ["manifest.json", "not found"]),
    ("rollback of nothing", say("rollback", "FOLDER/project.yaml", "lambda-x86"), ["no earlier version"]),
    ("rollback of an unknown target", say("rollback", "FOLDER/project.yaml", "lamda"), ["'lamda'"]),
    ("runs of no project", say("show", "runs", "FOLDER/gone.yaml"), ["gone.yaml"]),
]


@pytest.mark.parametrize(("prepare", "words"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_wrong_input_is_one_line_and_code_2(speak, small_project, prepare, words):
    arguments = [*prepare(small_project.parent), "--json"]
    said = speak(*arguments)
    assert said.code == 2, said.stderr
    assert len(said.errors) == 1
    assert said.stderr.splitlines()[-1] == said.errors[0]
    for word in words:
        assert word in said.errors[0]
    assert said.document == {"error": said.errors[0].removeprefix("edgekd: "), "exit_code": 2}
    assert "Traceback" not in said.stderr and "defect" not in said.stderr


@pytest.fixture
def artifact(finished_run, tmp_path):
    """A copy of the promoted artifact, to be damaged."""
    source = finished_run.registry / "small" / "cloud" / "current"
    return shutil.copytree(source, tmp_path / "artifact")


@pytest.mark.long  # the first of all tests that needs a finished run waits for it
@pytest.mark.parametrize("file", ["model.onnx", "tokenizer.json", "calibration.json", "serving/loader.py"])
def test_one_flipped_byte_is_named(speak, artifact, file):
    assert speak("predict", artifact, "where is my parcel").code == 0
    data = bytearray((artifact / file).read_bytes())
    data[len(data) // 2] ^= 1
    (artifact / file).write_bytes(data)
    said = speak("predict", artifact, "where is my parcel", "--json")
    assert said.code == 2
    assert said.stderr.count("\n") == 1
    assert f"artifact/{file}: sha256 is" in said.errors[0]
    assert said.document["error"] in said.errors[0]


@pytest.mark.long
def test_artifact_of_a_runtime_that_is_not_here(speak, artifact):
    """The manifest agrees with every file, but names an engine that nobody has."""
    path = artifact / "manifest.json"
    path.write_bytes(seal({**json.loads(path.read_text(encoding="utf-8")), "runtime": "abacus"}))
    said = speak("predict", artifact, "hi", "--json")
    assert said.code == 3
    assert "abacus" in said.errors[0] and "defect" not in said.errors[0]


def test_gpu_asked_for_by_name_is_code_3(speak, small_project):
    said = speak("run", small_project, "--target", "gpu", "--json")
    assert said.code == 3
    assert "target gpu" in said.errors[0]
    assert said.document["exit_code"] == 3
    assert not (small_project.parent / ".edgekd").exists()  # said before anything costs time


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (("run", "gone.yaml"), 2, "no such file"),
        (("run", "project.yaml", "--set", "targets=[lamda-x86]", "--json"), 2, "lambda-x86"),
        (("run", "project.yaml", "--target", "gpu"), 3, "gpu"),
        (("--nonsense",), 2, "--nonsense"),
    ],
)
def test_a_real_process_says_the_same(run_edgekd, small_project, arguments, code, word):
    done = run_edgekd(*arguments, cwd=small_project.parent)
    assert done.returncode == code
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("edgekd: ") and word in done.stderr
    if "--json" in arguments:
        assert json.loads(done.stdout)["exit_code"] == code
    else:
        assert done.stdout == ""


WITHOUT = """
import sys
from importlib.machinery import PathFinder

class Without(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in {names!r} else super().find_spec(name, path, target)

sys.meta_path[:] = [Without if finder is PathFinder else finder for finder in sys.meta_path]
"""


@pytest.fixture
def uninstall(monkeypatch, tmp_path):
    """Make commands run as where libraries are not installed: their import system does not find them."""

    def call(*names: str) -> None:
        (tmp_path / "site").mkdir()
        (tmp_path / "site" / "sitecustomize.py").write_text(WITHOUT.format(names=names), encoding="utf-8")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))

    return call


@pytest.mark.parametrize(
    ("library", "verb", "extra"),
    [
        ("torch", "label", "train"),
        ("transformers", "label", "train"),
        ("onnxruntime", "compile", "onnx"),
        ("onnxscript", "bench", "onnx"),
        ("sklearn", "gate", "train"),
        ("plotly", "run", "report"),
    ],
)
def test_missing_extra_is_named_before_anything_costs_time(
    run_edgekd, uninstall, small_project, library, verb, extra
):
    uninstall(library)
    done = run_edgekd(verb, "project.yaml", "--json", cwd=small_project.parent)
    assert done.returncode == 3, done.stderr
    assert f'pip install "edgekd[{extra}]"' in done.stderr
    assert done.stderr.count("\n") == 1
    assert json.loads(done.stdout)["exit_code"] == 3


def test_extra_of_a_target_is_asked_for(run_edgekd, uninstall, small_project):
    uninstall("openvino")
    settings = ("--set", "targets=[lambda-x86, intel-openvino]", "--set", "data.source=gone.jsonl")
    done = run_edgekd("compile", "project.yaml", *settings, cwd=small_project.parent)
    assert (done.returncode, done.stderr.count("\n")) == (3, 1)
    assert 'openvino is not installed; run: pip install "edgekd[intel]"' in done.stderr
    done = run_edgekd(
        "compile", "project.yaml", *settings, "--target", "lambda-x86", cwd=small_project.parent
    )
    assert done.returncode == 2  # goes on to the rows


@pytest.mark.long
def test_predict_without_its_runtime(run_edgekd, uninstall, artifact):
    uninstall("onnxruntime")
    done = run_edgekd("predict", artifact, "hi")
    assert (done.returncode, done.stderr.count("\n")) == (3, 1)
    assert 'pip install "edgekd[onnx]"' in done.stderr


@pytest.mark.long
def test_extra_of_a_later_step_is_not_asked_for(run_edgekd, uninstall, small_project):
    uninstall("onnxruntime", "openvino", "plotly")
    settings = ("--set", "teacher.training.epochs=1")
    done = run_edgekd("label", "project.yaml", *settings, cwd=small_project.parent)
    assert done.returncode == 0, done.stderr
