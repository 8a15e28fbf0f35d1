"""Against a real MLflow with its SQLite store; what is loaded back answers in a process without edgekd."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import build_sample
import pytest
import sample_students
from biased import add_bias, changed_texts

from edgekd.compile import open_artifact
from edgekd.compile.policy import set_policy
from edgekd.errors import TrackerError
from edgekd.publish import publish, retract
from edgekd.serving import load

mlflow = pytest.importorskip("mlflow", reason="needs the extra mlflow")
pytest.importorskip("sqlalchemy", reason="needs the extra mlflow")
pytestmark = [
    pytest.mark.long,
    # of MLflow's own code
    pytest.mark.filterwarnings("ignore:.*noload.*"),
    pytest.mark.filterwarnings("ignore:.*Any type hint"),
]

TEXTS = ["where is my parcel", "start a return", "😀 マンガ", ""]
# Answers each line in a process of its own that finds MLflow imported, which takes longer than an answer.
ANSWERS = """\
import json, os, sys, traceback
sys.modules["edgekd"] = None  # an import of it fails
import mlflow, pandas
for line in sys.stdin:
    child = os.fork()
    if not child:
        database, address, frame, place = json.loads(line)
        os.chdir(place)
        try:
            mlflow.set_tracking_uri(database)
            model = mlflow.pyfunc.load_model(address)
            said = model.predict(pandas.DataFrame(frame)).to_json(orient="records")
        except Exception:
            said = json.dumps(traceback.format_exc())
        print(said, flush=True)
        os._exit(0)
    os.waitpid(child, 0)
"""


@pytest.fixture(scope="module")
def ask():
    """Ask what is loaded back, in a process that cannot import edgekd."""
    command = [sys.executable, "-W", "ignore", "-c", ANSWERS]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:

        def answer(database, address, frame):
            process.stdin.write(
                json.dumps([database, address, frame, str(Path(database[10:]).parent)]) + "\n"
            )
            process.stdin.flush()
            found = json.loads(process.stdout.readline())
            assert not isinstance(found, str), found
            return found

        yield answer
        process.stdin.close()


@pytest.fixture(scope="session")
def empty(tmp_path_factory):
    """A database as MLflow makes it: by 68 migrations."""
    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    uri = f"sqlite:///{path}"
    mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri).search_experiments()
    return path


@pytest.fixture
def database(tmp_path, monkeypatch, empty):
    monkeypatch.chdir(tmp_path)  # MLflow keeps the files of a local database in mlruns/ here
    shutil.copy(empty, tmp_path)
    return f"sqlite:///{tmp_path}/mlflow.db"


@pytest.fixture
def routed(artifact, tmp_path):
    labels = open_artifact(artifact).manifest["labels"]
    policy = {"max_prob": 0.2, "slices": {"minors": 1.0}, "rules": [{"phrase": "parcel", "label": labels[1]}]}
    return set_policy(open_artifact(artifact), policy, tmp_path / "routed")


def send(made, database, target="lambda-x86"):
    card, tags, metrics = "# A card", {"edgekd.variant": "static"}, {"p95_ms": 1.5, "quality/overall": 0.9}
    return publish(made, "shop", target, card=card, tags=tags, metrics=metrics, uri=database)


def test_an_alias_a_target_follows_promotion_and_rollback(artifact, routed, database):
    plain = open_artifact(artifact)
    first = send(plain, database)
    assert (first.model, first.alias, first.version, first.added) == ("shop", "lambda-x86", "1", True)
    assert send(plain, database, "lambda-arm").added is False  # one artifact, two targets
    assert send(routed, database).version == "2"
    client = mlflow.MlflowClient(tracking_uri=database, registry_uri=database)
    assert str(client.get_model_version_by_alias("shop", "lambda-x86").version) == "2"
    back = send(plain, database)
    assert (back.version, back.added) == ("1", False)
    known = client.get_model_version_by_alias("shop", "lambda-x86")
    assert known.version == client.get_model_version_by_alias("shop", "lambda-arm").version
    assert known.tags == {"edgekd.artifact": plain.digest, "edgekd.variant": "static"}
    assert known.description == "# A card"
    run = client.get_run(known.run_id)
    assert run.data.metrics == {"p95_ms": 1.5, "quality/overall": 0.9}
    assert run.info.status == "FINISHED"


def test_the_alias_of_what_was_withdrawn_is_taken_away(artifact, database):
    send(open_artifact(artifact), database)
    assert retract("shop", "lambda-x86", database) is True
    assert retract("shop", "lambda-x86", database) is False
    assert retract("other", "lambda-x86", database) is False
    client = mlflow.MlflowClient(tracking_uri=database, registry_uri=database)
    assert client.search_registered_models("name = 'shop'")[0].aliases == {}


def test_a_card_that_says_something_new_replaces_the_old_one(artifact, database):
    made = open_artifact(artifact)
    send(made, database)
    publish(made, "shop", "lambda-x86", card="# It fails", tags={}, metrics={}, uri=database)
    client = mlflow.MlflowClient(tracking_uri=database, registry_uri=database)
    assert client.get_model_version_by_alias("shop", "lambda-x86").description == "# It fails"


def test_what_is_loaded_back_answers_as_the_artifact_does(artifact, routed, database, ask):
    send(open_artifact(artifact), database)
    own = load(artifact)
    answers = ask(database, "models:/shop@lambda-x86", {"text": TEXTS})
    for text, answer in zip(TEXTS, answers, strict=True):
        assert (answer["label"], answer["probability"]) == (
            own(text).label,
            pytest.approx(own(text).probability),
        )
    send(routed, database)
    own = load(routed.path)
    slices = [[], ["minors"], [], []]
    answers = ask(database, "models:/shop@lambda-x86", {"text": TEXTS, "slices": slices})
    for text, names, answer in zip(TEXTS, slices, answers, strict=True):
        route = own.route(text, names)
        assert (answer["action"], answer["label"]) == (route.action, route.label)
    assert {answers[0]["action"], answers[1]["action"]} == {"answer", "teacher"}


def test_a_score_and_an_order_are_loaded_back(graphs, database, tmp_path, ask):
    scoring = build_sample.compile_sample(graphs["scoring-static"], "numpy", "int8-tables", tmp_path / "a")
    send(scoring, database)
    own = load(scoring.path)
    answers = ask(database, "models:/shop@lambda-x86", {"text": TEXTS})
    assert answers == [{"score": pytest.approx(own(text).score)} for text in TEXTS]
    ranking = build_sample.compile_sample(graphs["ranking-static"], "numpy", "int8-tables", tmp_path / "b")
    send(ranking, database)
    own, candidates = load(ranking.path), [["a book", "my order", "a book"], ["one"]]
    answers = ask(
        database, "models:/shop@lambda-x86", {"query": ["second volume", ""], "candidates": candidates}
    )
    for query, texts, answer in zip(("second volume", ""), candidates, answers, strict=True):
        wanted = own.rank(query, texts)
        assert answer["order"] == list(wanted.order)
        assert answer["scores"] == pytest.approx(wanted.scores, rel=1e-6)
    with pytest.raises(AssertionError, match="candidates"):
        ask(database, "models:/shop@lambda-x86", {"query": ["book"], "candidates": ["no list"]})


def test_a_head_that_the_loader_does_not_know_is_one_line(artifact):
    made = open_artifact(artifact)
    other = replace(made, manifest={**made.manifest, "head": "tags"})
    with pytest.raises(TrackerError, match="classify or score or rank; one with the head tags is not"):
        send(other, "sqlite:///nowhere")


@pytest.mark.parametrize("policy", [None, {"max_prob": 0.01}])
def test_what_is_loaded_back_adds_the_decision_bias(artifact, database, tmp_path, policy, ask):
    texts = sample_students.make_texts(100)
    biased = add_bias(open_artifact(artifact), tmp_path / "biased", texts, policy)
    own, plain = load(biased.path), load(artifact)
    asked = changed_texts(own, texts)[:5]
    assert len(asked) == 5 and all(own(text).label != plain(text).label for text in asked)
    send(biased, database)
    answers = ask(database, "models:/shop@lambda-x86", {"text": asked})
    assert [answer["label"] for answer in answers] == [own(text).label for text in asked]
    assert [answer["probability"] for answer in answers] == pytest.approx(
        [own(text).probability for text in asked]
    )


def test_a_changed_file_is_not_loaded(artifact, database, tmp_path, ask):
    send(open_artifact(artifact), database)
    (model,) = (tmp_path / "mlruns").rglob("calibration.json")
    model.write_text(model.read_text().replace("1", "2", 1))
    with pytest.raises(AssertionError, match=r"calibration\.json"):
        ask(database, "models:/shop@lambda-x86", {"text": TEXTS})


def test_no_pickle_is_in_the_model(artifact, database, tmp_path):
    send(open_artifact(artifact), database)
    names = {path.name for path in (tmp_path / "mlruns").rglob("*") if path.is_file()}
    assert {"MLmodel", "MODEL_CARD.md", "mlflow_loader.py", "manifest.json"} <= names
    assert not [name for name in names if name.endswith((".pkl", ".pickle", ".pt", ".bin"))]


def test_what_mlflow_refuses_is_one_line(artifact, tmp_path):
    (tmp_path / "file").touch()
    database = f"sqlite:///{tmp_path}/file/mlflow.db"
    with pytest.raises(TrackerError, match=r"^MLflow at sqlite:") as caught:
        send(open_artifact(artifact), database)
    assert "\n" not in str(caught.value)


def test_a_password_in_an_address_is_not_printed(artifact):
    with pytest.raises(TrackerError, match=r"^MLflow at nowhere://\.\.\.@host") as caught:
        send(open_artifact(artifact), "nowhere://me:hidden@host/db")
    assert "hidden" not in str(caught.value)


@pytest.mark.long
def test_the_command_publishes_what_is_promoted(finished_run, tmp_path, run_edgekd, database):
    folder = finished_run.copy(tmp_path / "project")
    done = run_edgekd("publish", "project.yaml", "--uri", database, "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    published = {entry["alias"]: entry for entry in json.loads(done.stdout)}
    assert set(published) == {"cloud", "desk", "twin"}  # gpu has nothing promoted
    client = mlflow.MlflowClient(tracking_uri=database, registry_uri=database)
    for target, entry in published.items():
        known = client.get_model_version(entry["model"], entry["version"])
        promoted = folder / ".edgekd" / "registry" / "small" / target / "current"
        assert known.tags["edgekd.artifact"] == open_artifact(promoted).digest
        assert "## Evidence" in known.description
        assert {"p95_ms", "artifact_bytes", "quality/overall"} <= set(
            client.get_run(known.run_id).data.metrics
        )
    again = run_edgekd("publish", "project.yaml", "--uri", database, "--target", "cloud", cwd=folder)
    assert "which was there" in again.stdout
    for target, code in (("gpu", 2), ("gpuu", 2)):
        wrong = run_edgekd("publish", "project.yaml", "--uri", database, "--target", target, cwd=folder)
        assert wrong.returncode == code and len(wrong.stderr.splitlines()) == 1, wrong.stderr
