"""What clients of bundles answer: with the decision bias and the routing policy that were judged."""

import contextlib
import json
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest
from biased import add_bias, changed_texts
from test_servers import SCORING, load_client, read_golden

from edgekd.bundle import make_bundle
from edgekd.bundle.card import write_card
from edgekd.bundle.kinds import lambda_zip
from edgekd.bundle.servers.batching import measure_batching
from edgekd.compile.policy import set_policy
from edgekd.config import load_target
from edgekd.serving import load

KEYS = [("tiny", "onnxruntime", "fp32"), ("static", "openvino", "fp32")]
HANDLER = Path(lambda_zip.__file__).parent.parent / "aws_lambda" / "lambda_function.py"


@pytest.fixture(scope="module")
def biased(compiled, texts, tmp_path_factory):
    """Give a compiled student a bias and a policy, each once."""
    made = {}

    def add_once(key, policy=None):
        name = ".".join(key) + (".routed" if policy else "")
        if name not in made:
            folder = tmp_path_factory.mktemp("biased") / name
            made[name] = add_bias(compiled(*key), folder, texts)
            if policy:
                made[name] = set_policy(made[name], policy, folder.with_suffix(".policy"))
        return made[name]

    return add_once


@pytest.fixture(scope="module")
def policy(compiled):
    labels = compiled(*KEYS[0]).manifest["labels"]
    return {"max_prob": 0.06, "slices": {"minors": 1.0}, "rules": [{"phrase": "order", "label": labels[1]}]}


@contextlib.contextmanager
def kserve(artifact):
    """Speak the servers' protocol over HTTP, with the artifact's own session behind it."""
    model = load(artifact.path)

    class Answering(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            logits = model.run(body["inputs"][0]["data"])
            output = {
                "name": "logits",
                "shape": [1, len(logits)],
                "datatype": "FP32",
                "data": logits.tolist(),
            }
            content = json.dumps({"outputs": [output]}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Answering) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("key", KEYS)
def test_golden_rows_show_the_bias_and_a_client_without_it_fails(
    biased, target_for, texts, ask, tmp_path, key
):
    artifact = biased(key)
    folder = make_bundle(artifact, target_for(artifact), tmp_path / "bundle", texts, "card\n").path
    model, golden = load(artifact.path), read_golden(folder)
    assert [row["label"] for row in golden] == [model(row["text"]).label for row in golden]
    assert len({row["text"] for row in golden}) == len(golden) <= 50
    decided = [row for row in golden if row["label"] != model.labels[int(np.argmax(row["logits"]))]]
    assert {row["text"] for row in decided} == set(changed_texts(model, [row["text"] for row in golden]))
    assert 10 <= len(decided) < len(golden)
    with kserve(artifact) as url:
        done = ask(folder, "--url", url, "--golden", decided[0]["text"])
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.splitlines()[0].split("\t")[0] == decided[0]["label"]
        assert f"{len(golden)} of {len(golden)} as the artifact answers" in done.stdout
        calibration = json.loads((folder / "calibration.json").read_text())
        (folder / "calibration.json").write_text(json.dumps({**calibration, "bias": {}}))
        done = ask(folder, "--url", url, "--golden")
        assert done.returncode == 1 and done.stdout.count(f"instead of {decided[0]['label']}") >= 1
        assert f"{len(golden) - len(decided)} of {len(golden)} as the artifact answers" in done.stdout


@pytest.mark.long
def test_a_client_holds_a_server_to_golden_scores(compiled, bundled, ask):
    key = SCORING[0]
    folder, model = bundled(*key), load(compiled(*key).path)
    golden = read_golden(folder)
    with kserve(compiled(*key)) as url:
        done = ask(folder, "--url", url, "--golden", golden[0]["text"])
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.splitlines()[0] == f"{model(golden[0]['text']).score:.3f}"
        assert f"{len(golden)} of {len(golden)} as the artifact answers" in done.stdout


@pytest.mark.parametrize("key", KEYS)
def test_the_readme_says_how_logits_become_an_answer(biased, compiled, target_for, texts, tmp_path, key):
    artifact = biased(key)
    folder = make_bundle(artifact, target_for(artifact), tmp_path / "bundle", texts, "card\n").path
    told = (folder / "README.md").read_text("utf-8").partition("## From logits to an answer\n")[2]
    told = " ".join(told.partition("\n## ")[0].split())
    for label, number in load(artifact.path).calibration.bias.items():
        assert f"`{label}` ({number:+g})" in told
    assert "A client that takes the largest logit answers otherwise" in told and "policy" not in told
    plain = make_bundle(compiled(*key), target_for(artifact), tmp_path / "plain", texts, "card\n").path
    assert "The label is that of the largest logit." in (plain / "README.md").read_text("utf-8")


@pytest.mark.parametrize("key", KEYS)
def test_the_client_runs_the_policy_unless_told_otherwise(
    biased, policy, target_for, texts, ask, tmp_path, key
):
    artifact = biased(key, policy)
    bundle = make_bundle(artifact, target_for(artifact), tmp_path / "bundle", texts, "card\n")
    model = load(artifact.path)
    (note,) = bundle.notes
    readme = " ".join((bundle.path / "README.md").read_text("utf-8").split())
    assert "`client.py` runs it" in note and note in readme and "--student-only" in readme
    assert note in write_card(artifact, target_for(artifact), None)
    with kserve(artifact) as url:
        _, client = load_client(bundle.path, url)
        with contextlib.closing(client):
            actions = set()
            for text in texts:
                for slices in ((), ("minors",)):
                    answer, route = client.answer(text, slices), model.route(text, slices)
                    assert (answer.label, answer.action, answer.reason) == (
                        route.label,
                        route.action,
                        route.reason,
                    )
                    assert answer.probability == pytest.approx(route.probability, rel=1e-6)
                    actions.add(answer.action)
                alone = client.answer(text, student_only=True)
                assert (alone.label, alone.action) == (model(text).label, "answer")
            assert actions == {"answer", "teacher"}
        text = "I want my order"
        asked = ["--url", url, text]
        assert ask(bundle.path, *asked).stdout.split("\t")[2:] == ["answer", "rule: order\n"]
        done = ask(bundle.path, "--slice", "minors", "--url", url, "words of nothing")
        assert done.stdout.split("\t")[2:] == ["teacher", "this slice always goes to the teacher\n"]
        alone = ask(bundle.path, "--student-only", *asked).stdout
        assert alone.split("\t") == [model(text).label, f"{model(text).probability:.3f}\n"]


def test_clients_of_two_bundles_decide_apart(biased, compiled, target_for, texts, tmp_path):
    """Each by the code and the settings beside it, in one process."""
    key = KEYS[0]
    row = None
    for name, artifact in (("a", biased(key)), ("b", compiled(*key))):
        folder = make_bundle(artifact, target_for(artifact), tmp_path / name, texts, "card\n").path
        model, (_, client) = load(artifact.path), load_client(folder)
        row = row or next(
            row for row in read_golden(folder) if model(row["text"]).label_index != np.argmax(row["logits"])
        )
        logits = np.array(row["logits"], np.float32)
        assert client.decide(row["text"], logits).label == model(row["text"]).label
    assert row["label"] != client.decide(row["text"], logits).label


def test_logits_that_are_not_finite_are_no_answer(biased, target_for, texts, tmp_path):
    artifact = biased(KEYS[0])
    folder = make_bundle(artifact, target_for(artifact), tmp_path / "bundle", texts, "card\n").path
    module, client = load_client(folder)
    for bad in (np.nan, np.inf):
        with pytest.raises(module.ClientError, match="not finite"):
            client.decide("where", np.full(20, bad, np.float32))


def test_batches_are_compared_by_the_label_that_is_served(compiled, texts, tmp_path):
    """A bias that decides every answer leaves no label to change, whatever a batch does to logits."""
    artifact = compiled("tiny", "onnxruntime", "int8-dynamic")
    tokenize = load(artifact.path).tokenize
    tokens = [[tokenize(text)] for text in texts]
    one = set_policy(artifact, {}, tmp_path / "one", {artifact.manifest["labels"][0]: 1000.0})
    found, without = measure_batching(one, tokens, 1), measure_batching(artifact, tokens, 1)
    assert found.compared == without.compared > 50
    assert found.changed == 0 and found.worst == without.worst


@pytest.mark.parametrize("routed", [False, True])
def test_the_lambda_handler_answers_with_the_bias(compiled, texts, tmp_path, routed):
    plain = compiled("static", "numpy", "int8-tables")
    artifact = add_bias(plain, tmp_path / "biased", texts, {"max_prob": 0.05} if routed else None)
    model = load(artifact.path)
    asked = changed_texts(model, texts)[:5]
    assert len(asked) == 5
    root = tmp_path / "task"
    root.mkdir()
    shutil.copyfile(HANDLER, root / HANDLER.name)
    shutil.copytree(artifact.path, root / "model", ignore=shutil.ignore_patterns("__pycache__"))
    code = (
        "import lambda_function, json; print(json.dumps(lambda_function.handler(json.loads(input()), None)))"
    )
    given = json.dumps({"texts": asked})
    command = [sys.executable, "-B", "-c", code]
    done = subprocess.run(command, input=given, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)["answers"]
    assert [answer["label"] for answer in answers] == [model(text).label for text in asked]
    assert [answer["label"] for answer in answers] != [load(plain.path)(text).label for text in asked]
    assert all(("action" in answer) == routed for answer in answers)


def test_lambda_runs_a_policy_so_nothing_is_noted(compiled, texts, tmp_path):
    target = load_target("lambda-x86")
    artifact = set_policy(compiled("static", "numpy", "int8-tables"), {"max_prob": 0.5}, tmp_path / "routed")
    assert lambda_zip.POLICY == "run"
    card = write_card(artifact, target, None)
    assert "DO NOT RUN" not in card and "knows nothing of the artifact's routing policy" not in card
