"""Bundles of models that rank, for servers: what the client asks and answers, over the servers' protocol."""

import contextlib
import json
import shutil
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import sample_students as samples
from test_servers import load_client, read_golden

from edgekd.bundle import make_bundle
from edgekd.bundle.servers.batching import measure_batching
from edgekd.compile import open_artifact
from edgekd.compile.artifact import build_artifact
from edgekd.compile.cascade import write_cascade
from edgekd.errors import BadInputError
from edgekd.serving import load
from edgekd.serving.heads import open_reader
from edgekd.serving.manifest import read_manifest
from edgekd.serving.request import split_request
from edgekd.serving.runtimes import import_runtime, open_session

PAIRS, DYNAMIC = ("ranking", "onnxruntime", "fp32"), ("ranking", "onnxruntime", "int8-dynamic")
TOWERS = ("ranking-static", "openvino", "fp32")
FIRST = ("ranking-static", "numpy", "int8-tables")
BOTH = "both"
SLOW = pytest.mark.long
KEEP = 2
REQUESTS = [one for one in samples.make_requests(20) if split_request(one)[1]]
QUERY, BOOKS = "where is my order?", ["the book of money", "order my card", "漫画 🙂", "", "order my card"]


@pytest.fixture(scope="module")
def made(compiled, tmp_path_factory):
    """An artifact by its key; `BOTH` is towers on numpy, then pairs."""

    def make(key):
        if key != BOTH:
            return compiled(*key)
        folder = tmp_path_factory.getbasetemp() / "both"
        return (
            open_artifact(folder)
            if folder.exists()
            else write_cascade(compiled(*FIRST), compiled(*PAIRS), KEEP, folder)
        )

    return make


@pytest.fixture(scope="module")
def folders(made, target_for, tmp_path_factory):
    found = {}

    def bundle(key):
        if key not in found:
            folder = tmp_path_factory.mktemp("bundles") / "bundle"
            found[key] = make_bundle(made(key), target_for(made(key)), folder, REQUESTS, "card\n").path
        return found[key]

    return bundle


class Served:
    """The models of a bundle's repository behind the servers' protocol; counts what each was asked."""

    def __init__(self, artifact, folder):
        self.asked = Counter()
        self._sessions = {}
        for place in (folder / "models").iterdir():
            version = place / "1"
            manifest = (
                read_manifest(version, verify=False)
                if (version / "manifest.json").is_file()
                else artifact.manifest
            )
            self._sessions[place.name] = open_session(import_runtime(version, manifest), version, manifest, 1)

    def answer(self, path, body):
        name = path.split("/")[3]
        ids = np.array(body["inputs"][0]["data"], np.int64).reshape(body["inputs"][0]["shape"])
        self.asked[name, len(ids)] += 1
        rows = self._sessions[name].run_batch(ids)
        output = {
            "name": "logits",
            "shape": list(rows.shape),
            "datatype": "FP32",
            "data": rows.ravel().tolist(),
        }
        return {"outputs": [output]}


@contextlib.contextmanager
def kserve(artifact, folder):
    served = Served(artifact, folder)

    class Answering(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # else each answer waits for an acknowledgement

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            content = json.dumps(served.answer(self.path, body)).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", served
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def asking(artifact, folder):
    """A bundle's client, and the server that it asks."""
    with kserve(artifact, folder) as (url, served):
        module, client = load_client(folder, url)
        with contextlib.closing(client):
            yield module, client, served


@pytest.mark.parametrize("key", [PAIRS, DYNAMIC, TOWERS, BOTH])
def test_the_client_ranks_as_the_artifact_does(made, folders, key):
    model = load(made(key).path)
    with asking(made(key), folders(key)) as (_, client, served):
        for request in REQUESTS:
            found, wanted = client.rank(*split_request(request)), model(request)
            assert found.scores == pytest.approx(wanted.scores, rel=1e-4, abs=1e-4)
            assert sorted(found.order) == list(range(len(wanted.order)))
            assert all(np.diff(np.array(found.scores)[found.order]) <= 0)
        found = client.rank(QUERY, BOOKS)
        assert found.order == list(model.rank(QUERY, BOOKS).order)
        assert found.order.index(1) + 1 == found.order.index(4)  # equal candidates tie, as they came
        assert client.rank(QUERY, []) == ([], [])
        most = max(count for _, count in served.asked)
    assert (most > 1) == (key != DYNAMIC)  # pairs share a batch where that was found harmless


@pytest.mark.parametrize("key", [pytest.param(PAIRS, marks=SLOW), pytest.param(TOWERS, marks=SLOW), BOTH])
def test_golden_requests_hold_a_server_to_the_artifact(made, folders, tmp_path, ask, key):
    folder = shutil.copytree(folders(key), tmp_path / "bundle")
    golden, model = read_golden(folder), load(made(key).path)
    assert len(golden) == len(set(REQUESTS))
    for row in golden:
        assert set(row) == {"query", "candidates", "order", "scores"}
        ranking = model.rank(row["query"], row["candidates"])
        assert row["order"] == list(ranking.order) and row["scores"] == pytest.approx(
            ranking.scores, rel=1e-6
        )
    asked = json.dumps({"query": QUERY, "candidates": BOOKS})
    with kserve(made(key), folder) as (url, _):
        done = ask(folder, "--url", url, "--golden", asked)
        assert done.returncode == 0, done.stdout + done.stderr
        first, *_, last = done.stdout.splitlines()
        assert json.loads(first)["order"] == list(model.rank(QUERY, BOOKS).order)
        assert f"{len(golden)} of {len(golden)} as the artifact answers" in last
        settings = json.loads((folder / "client.json").read_text())
        (folder / "client.json").write_text(json.dumps({**settings, "max_tokens": 10}))
        done = ask(folder, "--url", url, "--golden")
        assert done.returncode == 1 and "scores" in done.stdout and " off" in done.stdout
        for wrong in ("hello", '{"query": "a", "candidates": [3]}'):
            done = ask(folder, "--url", url, wrong)
            assert done.returncode == 1 and done.stderr.count("\n") == 1, done.stderr


def test_vectors_of_candidates_are_asked_for_once(made, folders):
    with asking(made(TOWERS), folders(TOWERS)) as (_, client, served):
        client.rank(QUERY, BOOKS)
        served.asked.clear()
        client.rank("another", BOOKS[::-1])
        assert sum(count * times for (_, count), times in served.asked.items()) == 1


def test_the_second_of_two_models_reads_the_best_of_the_first(made, folders):
    folder = folders(BOTH)
    first, second = "ranking-static", "ranking-static-ranking"
    assert {place.name for place in (folder / "models").iterdir()} == {first, second}
    with asking(made(BOTH), folder) as (_, client, served):
        client.rank(QUERY, BOOKS)
        runs = Counter()
        for (name, count), times in served.asked.items():
            runs[name] += count * times
        assert runs == {first: 5, second: KEEP}  # a query and four texts, for one came twice
        served.asked.clear()
        client.rank(QUERY, BOOKS[:KEEP])
        assert {name for name, _ in served.asked} == {second}


def test_what_is_no_order_is_one_line(made, folders, bundled):
    with asking(made(PAIRS), folders(PAIRS)) as (module, client, _):
        for wrong in ((3, ["a"]), ("a", [None]), ("a", ["\ud800"])):
            with pytest.raises(module.ClientError) as caught:
                client.rank(*wrong)
            assert "\n" not in str(caught.value)
    module, client = load_client(bundled("tiny", "onnxruntime", "fp32"))
    with pytest.raises(module.ClientError, match="answers texts and orders nothing"):
        client.rank(QUERY, BOOKS)


@pytest.mark.parametrize("key", [PAIRS, TOWERS, BOTH])
def test_the_readme_says_what_goes_in_and_out(made, folders, key):
    artifact, folder = made(key), folders(key)
    readme = (folder / "README.md").read_text(encoding="utf-8")
    words = " ".join(readme.split())
    body = json.loads(readme.partition(" -d '")[2].partition("'\n")[0])
    answer = json.loads(readme.partition("```json\n")[2].partition("\n```")[0])
    session = open_session(
        import_runtime(artifact.path, artifact.manifest), artifact.path, artifact.manifest, 1
    )
    assert answer["outputs"][0]["data"] == pytest.approx(
        session.run(body["inputs"][0]["data"]).tolist(), rel=1e-5
    )
    assert ("the product of its vector" in words) == (key in (TOWERS, BOTH))
    assert ("at most 16, then the candidate's" in words) == (key in (PAIRS, BOTH))
    assert (f"reads the best {KEEP} anew" in words) == (key == BOTH)
    assert "queries got another first candidate than alone" in words and "label" not in words
    assert not list(folder.rglob("labels.txt")) and not (folder / "serving" / "loader.py").exists()


def test_triton_reads_the_configuration_of_both(folders, parse_pbtxt):
    width = {"ranking-static": 24, "ranking-static-ranking": 1}
    for path in (folders(BOTH) / "models").glob("*/config.pbtxt"):
        config = parse_pbtxt(path.read_text(encoding="utf-8"))
        assert list(config.output[0].dims) == [width[config.name]] and config.name == path.parent.name
        assert (path.parent / "1" / config.default_model_filename).is_file()
        assert config.backend == ("onnxruntime" if config.name.endswith("ranking") else "python")


@pytest.mark.parametrize("key", [PAIRS, BOTH])
def test_triton_ranks(folders, triton, ask, tmp_path, key):
    folder = shutil.copytree(folders(key), tmp_path / "bundle")
    with triton.serve(folder / "models", "--model-config-name=python") as url:
        done = ask(folder, "--url", url, "--golden")
        assert done.returncode == 0, done.stdout + done.stderr


def test_sharing_a_batch_is_judged_by_the_first_candidate(made):
    for key, harmless in ((PAIRS, True), (DYNAMIC, False)):
        artifact = made(key)
        read = open_reader(artifact.path / "tokenizer.json", artifact.manifest["max_tokens"], artifact.head)
        found = measure_batching(artifact, [read(one) for one in REQUESTS * 9], 1)
        assert 200 < found.compared <= 256 and found.requests < found.compared
        assert found.is_harmless == harmless


def test_what_cannot_be_bundled_is_one_line(made, compiled, target_for, tmp_path):
    old = shutil.copytree(made(PAIRS).path, tmp_path / "old", ignore=shutil.ignore_patterns("__pycache__"))
    (old / "serving" / "ranker.py").unlink()
    old = build_artifact(old, {k: v for k, v in made(PAIRS).manifest.items() if k not in ("files", "sha256")})
    mixed = write_cascade(compiled(*FIRST), compiled(*TOWERS), KEEP, tmp_path / "mixed")
    for artifact, bundle, texts, said in (
        (made(PAIRS), "triton", ["a text"], "orders candidates, and the 1 texts have none; give --texts"),
        (
            mixed,
            "openvino-server",
            REQUESTS,
            "its first model is of numpy, which OpenVINO Model Server does not",
        ),
        (
            old,
            "triton",
            REQUESTS,
            r"has no serving/ranker\.py, which a client reads requests with; compile it",
        ),
    ):
        with pytest.raises(BadInputError, match=said) as caught:
            make_bundle(artifact, target_for(artifact, bundle=bundle), tmp_path / "b", texts, "card\n")
        assert "\n" not in str(caught.value) and not (tmp_path / "b").exists()
