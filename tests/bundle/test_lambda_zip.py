"""The zip that is deployed: built twice, opened on the platform's bare Python, run under its own client."""

import base64
import json
import random
import shutil
import subprocess
import sys
import zipfile
from contextlib import nullcontext
from dataclasses import replace

import pytest
import sample_students as samples
import yaml

from edgekd.bundle import make_bundle, read_bundle
from edgekd.bundle.kinds.lambda_zip import PYTHON
from edgekd.compile import build_artifact
from edgekd.config import load_target
from edgekd.emulate import lambda_function
from edgekd.emulate.lambda_function import start_function
from edgekd.emulate.lambda_place import prepare_place, unpack_function
from edgekd.errors import BadInputError
from edgekd.gate.checks import Check
from edgekd.gate.conditions import RollbackConditions, SliceCondition
from edgekd.gate.ledger import Provenance, read_ledger
from edgekd.gate.live import judge_counts, read_lines
from edgekd.gate.promotion import Candidate, current, promote
from edgekd.gate.verdict import GateVerdict, VariantVerdict
from edgekd.serving import load
from edgekd.stats.sequential import Arm
from edgekd.wheels.python import find_python

pytestmark = pytest.mark.skipif(find_python(PYTHON) is None, reason=f"no Python {PYTHON} here")
TARGET = load_target("lambda-x86")


@pytest.fixture(scope="module")
def bundle(static_artifact, tmp_path_factory):
    return make_bundle(static_artifact, TARGET, tmp_path_factory.mktemp("made") / "x86", [], "# card\n")


@pytest.fixture(scope="module")
def root(bundle, tmp_path_factory):
    folder = tmp_path_factory.mktemp("task")
    unpack_function(bundle.path / "function.zip", folder)
    return folder


@pytest.fixture
def function(root):
    with start_function(root, 512, prepare_place("x86_64", PYTHON)) as started:
        assert started.problem == ""
        yield started


def ask(function, event):
    body = event if isinstance(event, bytes) else json.dumps(event).encode()
    answered = function.invoke(body)
    assert answered is not None, function.problem
    assert not answered.is_error, answered.body
    return json.loads(answered.body)


def test_two_builds_give_the_same_bytes(bundle, static_artifact, tmp_path):
    again = make_bundle(static_artifact, TARGET, tmp_path / "again", [], "# card\n")
    assert again.digest == bundle.digest
    assert {p.name for p in again.path.iterdir()} == {p.name for p in bundle.path.iterdir()}


def test_sizes_and_what_is_inside(bundle, root):
    unzipped = sum(path.stat().st_size for path in root.rglob("*") if path.is_file())
    assert unzipped <= 60e6
    assert (bundle.path / "function.zip").stat().st_size <= 25e6
    names = {path.relative_to(root).as_posix() for path in root.rglob("*")}
    tag = f"cpython-{PYTHON.replace('.', '')}"
    assert f"model/serving/__pycache__/loader.{tag}.pyc" in names
    assert f"__pycache__/lambda_function.{tag}.pyc" in names
    assert not any("tests/" in name or name.startswith(("onnxruntime/", "tokenizers/")) for name in names)
    assert any("licen" in name.lower() for name in names if name.startswith("numpy-"))
    modes = {entry.external_attr >> 16 for entry in zipfile.ZipFile(bundle.path / "function.zip").infolist()}
    assert modes == {0o100644}


@pytest.mark.parametrize("target", ["lambda-x86", "lambda-arm"])
def test_the_template_passes_cfn_lint(static_artifact, bundle, tmp_path, target):
    folder = bundle.path
    if target == "lambda-arm":
        folder = make_bundle(static_artifact, load_target(target), tmp_path / target, [], "# card\n").path
    linter = shutil.which("cfn-lint", path=str(sys.prefix) + "/bin")
    done = subprocess.run([linter, folder / "template.yaml"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    properties = yaml.load((folder / "template.yaml").read_text(), Loader=_Tags)["Resources"]["Function"]
    assert properties["Properties"]["Architectures"] == ["arm64" if target == "lambda-arm" else "x86_64"]


class _Tags(yaml.SafeLoader):
    """Reads CloudFormation's short forms."""


_Tags.add_multi_constructor("!", lambda loader, tag, node: f"{tag} {node.value}")


def test_it_answers_on_a_bare_python(root, static_artifact):
    code = (
        "import lambda_function, json; print(json.dumps(lambda_function.handler(json.loads(input()), None)))"
    )
    texts = ["where is my order", "漫画 🙂", ""]
    done = subprocess.run(
        [find_python(PYTHON), "-S", "-B", "-W", "error", "-c", code],
        input=json.dumps({"texts": texts}),
        cwd=root,
        env={},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    here = load(static_artifact.path)
    assert answer["status"] == 200
    assert [a["label"] for a in answer["answers"]] == [here(text).label for text in texts]


def test_the_digest_that_an_answer_tells_is_the_one_that_the_ledger_promoted(
    function, bundle, static_artifact, tmp_path
):
    """So counts that are kept with what the function answered stop a candidate that does harm."""
    check = Check("quality overall", "pass", "", "", "")
    judged = VariantVerdict("static", static_artifact.digest, "pass", (check,))
    verdict = GateVerdict(TARGET.name, (judged,), "static", static_artifact.digest, (), "native", "")
    rests_on = Provenance({}, "d" * 64, 1, "here")
    digest = static_artifact.digest
    promote(
        tmp_path,
        "shop",
        TARGET.name,
        Candidate(static_artifact.path, digest),
        verdict,
        rests_on,
        expects=None,
    )
    told = ask(function, {"text": "where is my order"})["model"]
    (entry,) = read_ledger(tmp_path / "ledger.jsonl")
    assert entry.artifact_digest.startswith(told) and len(told) == 12
    assert told in (bundle.path / "template.yaml").read_text(encoding="utf-8")
    assert read_bundle(bundle.path)["artifact"].startswith(told)

    counts = [("incumbent", 4500, "teacher"), ("candidate", 3000, told)]
    lines = [
        {"slice": "overall", "arm": arm, "artifact": of, "n": 5000, "hits": hits} for arm, hits, of in counts
    ]
    path = tmp_path / "counts.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    conditions = RollbackConditions({"overall": SliceCondition(margin=0.01)})
    of_candidate = current(tmp_path, "shop", TARGET.name)[0].startswith
    arms = {}
    for line in read_lines(path, conditions):
        assert line.arm == "incumbent" or of_candidate(line.artifact)
        arms[line.arm] = Arm(line.hits, line.n)
    assert judge_counts({"overall": arms}, conditions)["overall"].decision == "stop: harm"


ERRORS = [
    ({}, 400, "expected"),
    (None, 400, "NoneType"),
    ([], 400, "list"),
    ("text", 400, "str"),
    (3, 400, "int"),
    ({"text": None}, 400, "NoneType"),
    ({"text": 3}, 400, "int"),
    ({"texts": []}, 400, "expected"),
    ({"texts": "one"}, 400, "expected"),
    ({"texts": ["a", 3]}, 400, "int"),
    ({"text": "a", "texts": ["a"]}, 400, "expected"),
    (b'{"text": "\\ud800"}', 400, "Unicode"),
    ({"text": "x" * 20_001}, 413, "characters"),
    ({"texts": ["x"] * 65}, 413, "65 texts"),
    ({"requestContext": {}, "body": "{"}, 400, "not JSON"),
    ({"requestContext": {}, "body": None}, 400, "not JSON"),
    ({"requestContext": {}}, 400, "not JSON"),
    ({"requestContext": {}, "body": "[" * 100_000}, 400, "not JSON"),
    ({"requestContext": {}, "body": "%%", "isBase64Encoded": True}, 400, "base64"),
    (
        {
            "requestContext": {},
            "body": base64.b64encode(b'{"text": "\xff"}').decode(),
            "isBase64Encoded": True,
        },
        400,
        "UTF-8",
    ),
    ({"httpMethod": "POST", "body": '{"text": 3}'}, 400, "int"),
]


def test_every_error_has_a_body_and_a_status_and_ends_nothing(function):
    for event, status, words in ERRORS:
        answer = ask(function, event)
        body = json.loads(answer["body"]) if "statusCode" in answer else answer
        assert answer.get("statusCode", answer.get("status")) == status, event
        assert words in body["error"], (event, body)
    assert ask(function, {"text": "where is my order"})["status"] == 200
    page = ask(function, {"requestContext": {}, "body": '{"texts": ["a", "b"]}'})
    assert page["statusCode"] == 200
    assert len(json.loads(page["body"])["answers"]) == 2
    assert function.is_alive


def random_event(dice):
    """A JSON value of any shape, often nearly right."""
    alphabet = "abc é漫🙂\0\n[SEP]'\"\\{}"
    text = "".join(dice.choices(alphabet, k=dice.randrange(80)))
    values = [text, dice.random(), None, True, [], {}, dice.randrange(10**9), [text] * dice.randrange(5)]
    event = {dice.choice(["text", "texts", "body", text]): dice.choice(values)}
    if dice.random() < 0.4:
        event = {"requestContext": {}, "body": dice.choice([json.dumps(event), text, None])}
        event["isBase64Encoded"] = dice.random() < 0.2
    return dice.choice([event, event, event, dice.choice(values)])


@pytest.mark.long
def test_ten_thousand_random_events_crash_nothing(function):
    dice = random.Random(0)
    answers = [ask(function, random_event(dice)) for _ in range(10_000)]
    assert {answer.get("statusCode", answer.get("status")) for answer in answers} == {200, 400}
    assert function.is_alive


WATCH = """
import json, sys
import lambda_function as f

def held():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))

for turn, line in enumerate(sys.stdin):
    f.handler(json.loads(line), None)
    if turn % 1000 == 999:
        print(held())
"""


def test_ten_thousand_random_events_leak_nothing(root):
    """Without the platform's client, which keeps some 110 bytes of each event, whatever the function does."""
    dice = random.Random(1)
    events = "".join(json.dumps(random_event(dice)) + "\n" for _ in range(10_000))
    command = [find_python(PYTHON), "-S", "-B", "-c", WATCH]
    done = subprocess.run(command, input=events, cwd=root, env={}, capture_output=True, text=True, check=True)
    held_kib = [int(line) for line in done.stdout.split()]
    assert max(held_kib) - held_kib[0] < 128, held_kib


def test_a_function_without_room_is_out_of_memory(root, monkeypatch):
    """With a whole processor: the share that goes with so little memory is a hundredth, and takes minutes."""
    monkeypatch.setattr(lambda_function, "limit_cpu", lambda share: nullcontext(None))
    place = prepare_place("x86_64", PYTHON)
    if place.limit is None:
        pytest.skip("memory cannot be limited here")
    with start_function(root, 16, replace(place, init_seconds=60.0)) as started:
        assert started.problem == "out of memory"
        assert started.invoke(b"{}") is None


def test_too_large_a_bundle_is_refused_before_it_is_packed(static_artifact, tmp_path):
    limits = TARGET.limits.model_copy(update={"bundle_unzipped_mib": 20})
    small = TARGET.model_copy(update={"limits": limits})
    with pytest.raises(BadInputError, match=r"the bundle is .* unpacked, at most 20.0 MiB is allowed"):
        make_bundle(static_artifact, small, tmp_path / "small", [], "")
    assert list(tmp_path.iterdir()) == []


def test_wrong_inputs(static_artifact, bundle, tmp_path):
    with pytest.raises(BadInputError, match="takes artifacts of"):
        make_bundle(static_artifact, load_target("intel-openvino"), tmp_path / "a", [], "")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    with pytest.raises(BadInputError, match="not empty and not a bundle"):
        make_bundle(static_artifact, TARGET, tmp_path / "full", [], "")
    copy = shutil.copytree(bundle.path, tmp_path / "copy")
    assert read_bundle(copy)["bundle"] == "lambda-zip"
    (copy / "template.yaml").write_text("changed")
    with pytest.raises(BadInputError, match=r"template\.yaml: not what bundle\.json says"):
        read_bundle(copy)


def test_odd_texts_as_the_artifact_answers_them(function, static_artifact):
    here = load(static_artifact.path)
    answer = ask(function, {"texts": list(samples.ODD_TEXTS)})
    assert [a["label"] for a in answer["answers"]] == [here(text).label for text in samples.ODD_TEXTS]


@pytest.mark.long
def test_a_score_is_answered(compiled, tmp_path):
    artifact = compiled("scoring-static", "numpy", "int8-tables")
    made = make_bundle(artifact, TARGET, tmp_path / "made", [], "# card\n")
    (tmp_path / "task").mkdir()
    unpack_function(made.path / "function.zip", tmp_path / "task")
    texts = ["where is my order", "漫画 🙂", ""]
    with start_function(tmp_path / "task", 512, prepare_place("x86_64", PYTHON)) as started:
        assert started.problem == ""
        answer = ask(started, {"texts": texts, "slices": ["ios"]})
        page = ask(started, {"requestContext": {}, "body": json.dumps({"text": texts[0]})})
    here = load(artifact.path)
    expected = [{"score": pytest.approx(here(text).score, abs=1e-5)} for text in texts]
    assert (answer["status"], answer["answers"]) == (200, expected)
    assert json.loads(page["body"])["answers"] == expected[:1]


@pytest.mark.parametrize(
    ("student", "runtime", "recipe"),
    [("ranking-static", "numpy", "int8-tables"), ("ranking", "onnxruntime", "int8-dynamic")],
)
@pytest.mark.long
def test_candidates_are_ordered(compiled, tmp_path, student, runtime, recipe):
    artifact = compiled(student, runtime, recipe)
    made = make_bundle(artifact, TARGET, tmp_path / "made", [], "# card\n")
    (tmp_path / "task").mkdir()
    unpack_function(made.path / "function.zip", tmp_path / "task")
    asked = {"query": "where is my order", "candidates": ["漫画 🙂", "my order", "", "my order"]}
    wrong = [
        ({"text": "hi"}, 400, 'expected {"query"'),
        ({"query": "a", "candidates": [1]}, 400, "a candidate is a text, got int"),
        ({"query": "a", "candidates": ["b"] * 1001}, 413, "1001 candidates; at most 1000 a call"),
        ({"query": "a", "candidates": ["b" * 20_001]}, 413, "a text of 20001 characters"),
        ([], 400, 'expected {"query"'),
    ]
    with start_function(tmp_path / "task", 512, prepare_place("x86_64", PYTHON)) as started:
        assert started.problem == ""
        answer = ask(started, asked)
        page = ask(started, {"requestContext": {}, "body": json.dumps(asked)})
        for event, status, said in wrong:
            refused = ask(started, event)
            assert refused["status"] == status and said in refused["error"]
    ranking = load(artifact.path).rank(asked["query"], asked["candidates"])
    scores = [pytest.approx(score, rel=1e-4, abs=1e-5) for score in ranking.scores]
    assert answer["answers"] == [{"order": list(ranking.order), "scores": scores}]
    assert json.loads(page["body"])["answers"] == answer["answers"]


def test_an_artifact_without_what_the_handler_calls_is_refused(static_artifact, tmp_path):
    old = shutil.copytree(
        static_artifact.path, tmp_path / "old", ignore=shutil.ignore_patterns("__pycache__")
    )
    (old / "serving" / "respond.py").unlink()
    with pytest.raises(BadInputError, match=r"has no serving/respond\.py, which the handler calls"):
        make_bundle(build_artifact(old, static_artifact.manifest), TARGET, tmp_path / "made", [], "")
    assert not (tmp_path / "made").exists()
