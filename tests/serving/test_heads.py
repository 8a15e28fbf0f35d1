"""What outputs mean: labels, scores, artifacts of before heads had names."""

import json
import math
import subprocess
import sys
import zipfile
from pathlib import Path

import build_sample
import numpy as np
import pytest

from edgekd.compile import open_artifact
from edgekd.compile.policy import set_policy
from edgekd.errors import ArtifactError
from edgekd.serving import ServingError, load
from edgekd.serving.heads import Head, import_head, open_head
from edgekd.serving.heads.score import Scorer, sigmoid
from edgekd.serving.manifest import seal
from edgekd.serving.respond import respond

TEXTS = ["where is my order?", "漫画 🙂", ""]


@pytest.fixture(scope="module")
def scoring(graphs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("scoring") / "artifact"
    return build_sample.compile_sample(graphs["scoring-static"], "numpy", "int8-tables", folder)


@pytest.fixture
def of_format_2(tmp_path):
    """Made by the code of before heads had names: a static student on numpy, with a bias and a policy."""
    with zipfile.ZipFile(Path(__file__).parent / "format_2.zip") as archive:
        archive.extractall(tmp_path / "old")
    return tmp_path / "old"


def test_a_score_is_the_sigmoid_of_the_one_output(scoring):
    model = load(scoring.path)
    assert (model.labels, model.routes, model.calibration) == ((), False, None)
    outputs = model.outputs(TEXTS)
    assert outputs.shape == (3, 1)
    for text, (output,) in zip(TEXTS, outputs.tolist(), strict=True):
        answer = model(text)
        assert answer._fields == ("score",) and answer.score == pytest.approx(1 / (1 + math.exp(-output)))
        assert respond(model, text) == {"text": text, "score": answer.score}


@pytest.mark.parametrize(("logit", "score"), [(0.0, 0.5), (800.0, 1.0), (-800.0, 0.0), (-0.0, 0.5)])
def test_no_logit_is_too_large_for_a_score(logit, score):
    assert sigmoid(logit) == score
    assert sigmoid(-3.0) == pytest.approx(1 - sigmoid(3.0), abs=1e-15)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_no_usable_output_is_an_error(scoring, bad):
    model = load(scoring.path)
    model.run = lambda ids: np.array([bad], np.float32)
    with pytest.raises(ServingError, match="not finite for the text 'hi'"):
        model("hi")


def test_scores_agree_within_a_hundredth():
    one, other = np.array([[0.0], [0.0], [9.0]], np.float32), np.array([[0.039], [0.041], [90]], np.float32)
    assert Scorer().agree(one, other).tolist() == [True, False, True]


def test_the_manifest_names_the_head_and_the_artifact_holds_no_other(scoring, artifact):
    assert scoring.manifest["head"] == "score" and "labels" not in scoring.manifest
    assert scoring.manifest["output"]["shape"] == ["batch", 1]
    assert scoring.head == Head("score") and open_artifact(artifact).head.name == "classify"
    for path, name in ((scoring.path, "score"), (artifact, "classify")):
        files = {file.name for file in (path / "serving" / "heads").glob("*.py")}
        assert files == {"__init__.py", f"{name}.py"}
        assert (path / "serving" / "calibrate.py").is_file() == (name == "classify")


def test_a_score_answers_from_its_own_folder(scoring):
    command = [sys.executable, "-I", "-B", "-W", "error", "-c", _FROM_ITS_FOLDER, str(scoring.path), *TEXTS]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=scoring.path.parent)
    assert done.returncode == 0, done.stderr
    model = load(scoring.path)
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {"text": text, "score": round(model(text).score, 6), "model": model.digest[:12]} for text in TEXTS
    ]


_FROM_ITS_FOLDER = """
import sys
sys.path.insert(0, sys.argv[1])
sys.modules.update(dict.fromkeys(["edgekd", "torch", "pydantic"]))
from serving.__main__ import main
sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.parametrize(
    ("policy", "bias", "said"),
    [({"max_prob": 0.5}, {}, "routing: a score is one number"), ({}, {"yes": 1.0}, "bias: a score is one")],
)
def test_what_a_score_cannot_do_is_refused(scoring, tmp_path, policy, bias, said):
    with pytest.raises(ArtifactError, match=said) as caught:
        set_policy(scoring, policy, tmp_path / "a", bias)
    assert "\n" not in str(caught.value) and not (tmp_path / "a").exists()
    value = {"routing": policy, **({"bias": bias} if bias else {})}
    (tmp_path / "calibration.json").write_text(json.dumps(value))
    with pytest.raises(ServingError, match=said):
        open_head(tmp_path, scoring.manifest)
    with pytest.raises(ServingError, match="no routing policy"):
        load(scoring.path).route("hi")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"head": "sort"}, r"manifest\.json: no head 'sort' here"),
        ({"head": "../score"}, "is not a head's name"),
        ({"head": 3}, "head: expected str, got int"),
        ({"head": None}, "head: expected str, got NoneType"),
        ({"head": "score"}, "bias: a score is one number without labels"),
    ],
)
def test_wrong_heads_are_one_line(artifact, tmp_path, change, said):
    import shutil

    copy = shutil.copytree(artifact, tmp_path / "a", ignore=shutil.ignore_patterns("__pycache__"))
    path = copy / "manifest.json"
    path.write_bytes(seal({**json.loads(path.read_bytes()), **change}))
    with pytest.raises(ServingError, match=said) as caught:
        load(copy)
    assert "\n" not in str(caught.value)


def test_every_head_holds_what_heads_hold():
    for name in ("classify", "score", "rank"):
        module = import_head(name)
        assert module.UNCALIBRATED["routing"] == {} and callable(module.check_policy)


def test_an_artifact_of_format_2_answers_as_it_did(of_format_2):
    model = load(of_format_2)
    assert model.digest == "ab0652dcaac29235b495bfbe0e8e6583f2ca01df85f72a2c61beb72ba5e14b04"
    assert model.labels == ("order", "return", "advice") and model.calibration.bias == {"return": 0.5}
    expected = [
        ("where is my order?", "return", 0.5964100819840901, "answer"),
        ("i want to return the book", "return", 0.8867885274711148, "answer"),
        ("second volume of new", "return", 0.534520765308421, "teacher"),
        ("", "advice", 0.9400396137241663, "answer"),
    ]
    for text, label, probability, action in expected:
        answer = model(text)
        assert (answer.label, answer.probability) == (label, pytest.approx(probability, rel=1e-5))
        assert model.route(text).action == action


def test_an_artifact_of_format_2_keeps_its_format_with_another_policy(of_format_2, tmp_path):
    """The loader inside it reads no newer one."""
    artifact = open_artifact(of_format_2)
    assert artifact.head == Head("classify", ("order", "return", "advice"))
    changed = set_policy(artifact, {}, tmp_path / "new")
    assert changed.manifest["format_version"] == 2 and "head" not in changed.manifest
    command = [sys.executable, "-B", "-m", "serving", "where is my order?"]
    done = subprocess.run(command, cwd=changed.path, capture_output=True, text=True, check=False)
    assert json.loads(done.stdout)["label"] == "return", done.stderr
