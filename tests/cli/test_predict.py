"""What `edgekd predict` answers is what was judged: the routed system, unless the student alone is asked."""

import io
import json
import subprocess
import sys

import build_sample
import pytest

from edgekd.compile import open_artifact
from edgekd.compile.policy import set_policy
from edgekd.serving import load

TEXTS = ("where is my parcel", "i want a charge back", "漫画 🙂")


@pytest.fixture(scope="module")
def routed(artifact, tmp_path_factory):
    labels = open_artifact(artifact).manifest["labels"]
    policy = {
        "max_prob": 0.3,
        "refuse_below": 0.2,
        "refuse_as": labels[5],
        "slices": {"minors": 1.0},
        "rules": [{"phrase": "charge back", "label": labels[3]}],
    }
    return set_policy(open_artifact(artifact), policy, tmp_path_factory.mktemp("routed") / "artifact")


def say(run_edgekd, artifact, *arguments):
    done = run_edgekd("predict", artifact.path, *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_answers_are_the_policys(run_edgekd, routed):
    model = load(routed.path)
    for slices in ((), ("minors",), ("de", "minors")):
        options = [word for name in slices for word in ("--slice", name)]
        answers = say(run_edgekd, routed, *TEXTS, *options)
        assert [tuple(a[key] for key in ("action", "label", "probability", "reason")) for a in answers] == [
            tuple(model.route(text, slices)) for text in TEXTS
        ]
        assert {answer["model"] for answer in answers} == {routed.digest}
    assert {answer["action"] for answer in say(run_edgekd, routed, *TEXTS, "--slice", "minors")} >= {
        "teacher"
    }
    done = run_edgekd("predict", routed.path, TEXTS[1])
    assert f"{model.labels[3]}  " in done.stdout and "answer (rule: charge back)" in done.stdout


def test_the_student_alone_is_asked_for_by_name(run_edgekd, routed, artifact):
    model = load(routed.path)
    for made, options in ((routed, ["--student-only"]), (open_artifact(artifact), [])):
        answers = say(run_edgekd, made, *TEXTS, *options)
        assert all("action" not in answer for answer in answers)
        assert [(a["label"], a["probability"]) for a in answers] == [model(text)[:2] for text in TEXTS]


def test_a_score_is_said_as_a_number(run_edgekd, graphs, tmp_path):
    made = build_sample.compile_sample(graphs["scoring-static"], "numpy", "int8-tables", tmp_path / "a")
    model = load(made.path)
    assert [answer["score"] for answer in say(run_edgekd, made, *TEXTS)] == [model(t).score for t in TEXTS]
    done = run_edgekd("predict", made.path, *TEXTS)
    assert done.stdout.splitlines() == [f"{model(text).score:.3f}" for text in TEXTS]


def test_what_is_measured_of_a_routed_artifact_is_its_routed_answer(routed):
    """In a process of its own, for it runs the artifact's own loader."""
    code = (
        "import json, sys; from edgekd.shipped import open_shipped; model = open_shipped(sys.argv[1], '1'); "
        "print(json.dumps([[model(text) for text in sys.argv[2:]], sorted(model.opened_ns)]))"
    )
    command = [sys.executable, "-c", code, str(routed.path), *TEXTS]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    answers, stages = json.loads(done.stdout)
    assert answers == [list(load(routed.path).route(text)) for text in TEXTS]
    assert stages == ["imports", "session", "tokenizer", "verify"]


def test_candidates_are_said_in_their_order(run_edgekd, graphs, tmp_path):
    made = build_sample.compile_sample(graphs["ranking-static"], "numpy", "int8-tables", tmp_path / "a")
    asked = {"query": "where is my parcel", "candidates": ["a book", "漫画 🙂", "my parcel"]}
    (answer,) = say(run_edgekd, made, json.dumps(asked))
    ranking = load(made.path).rank(**asked)
    assert (answer["query"], answer["order"]) == (asked["query"], list(ranking.order))
    assert answer["scores"] == list(ranking.scores)
    shown = run_edgekd("predict", made.path, json.dumps(asked)).stdout.splitlines()
    assert [line.rpartition("  ")[0] for line in shown] == [asked["candidates"][at] for at in ranking.order]
    none = run_edgekd("predict", made.path, json.dumps({**asked, "candidates": []}))
    assert (none.returncode, none.stdout) == (0, "there are no candidates to put in order\n")
    refused = run_edgekd("predict", made.path, "where is my parcel")
    assert refused.returncode == 2 and 'expected {"query": "...", "candidates"' in refused.stderr


@pytest.fixture
def forms(speak, monkeypatch, tmp_path):
    """Say what `predict` prints for texts in every form, standard input among them."""

    def call(artifact, *words, stdin=b""):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8"))
        return speak("predict", artifact, *words, "--json")

    return call


def test_texts_come_from_files_and_from_standard_input(forms, artifact, tmp_path):
    (tmp_path / "lines.txt").write_text("\n".join(TEXTS) + "\n\n", encoding="utf-8")
    rows = "".join(json.dumps({"text": text}) + "\n" for text in TEXTS)
    (tmp_path / "rows.jsonl").write_text(rows, encoding="utf-8")
    wanted = forms(artifact, *TEXTS).document
    assert [answer["text"] for answer in wanted] == list(TEXTS)
    stdin = "\r\n".join(TEXTS).encode()
    for words in (["-"], ["@lines.txt"], ["@rows.jsonl"], [TEXTS[0], "-"]):
        said = forms(artifact, *words, stdin=stdin.partition(b"\r\n")[2] if len(words) > 1 else stdin)
        assert said.code == 0 and said.document == wanted, said.stderr
    assert [answer["text"] for answer in forms(artifact, "@@you", "a@b").document] == ["@you", "a@b"]


@pytest.mark.parametrize(
    ("words", "stdin", "line"),
    [
        ([""], b"", "text 1 is empty"),
        (["where is it", " \t"], b"", "text 2 is empty"),
        (["\u200b"], b"", "text 1 is empty"),
        (["caf\udce9"], b"", "text 1 is not UTF-8"),
        (["-"], b"", "standard input: holds no text"),
        (["-"], b"a\n\nb\n", "standard input: line 2 is empty"),
        (["-"], b"caf\xe9\n", "standard input: is not UTF-8 at byte 3"),
        (["@gone.txt"], b"", "a text that starts with @ is written as @@"),
        (["@gone.jsonl"], b"", "gone.jsonl"),
        (["a text", "--slice", "minors"], b"", "--slice is of a routing policy"),
        (["a text", "--student-only"], b"", "--student-only is of a routing policy"),
    ],
)
def test_what_is_no_text_is_refused(forms, artifact, words, stdin, line):
    said = forms(artifact, *words, stdin=stdin)
    assert said.code == 2
    (error,) = said.errors
    assert line in error
