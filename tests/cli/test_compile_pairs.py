"""`edgekd compile MODEL --task rerank`: a cross-encoder from elsewhere, up to answers and a bundle."""

import json
from pathlib import Path

import pytest
from tiny_pairs import PAIRS, REQUESTS, write_pair_file

from edgekd.bundle import make_bundle
from edgekd.compile import open_artifact
from edgekd.config import Target
from edgekd.serving import load

ASKED = {"query": "where is my order", "candidates": ["return the parcel", "order today?", "advice"]}


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    folder = tmp_path_factory.mktemp("there")
    rows = [
        dict(zip(("query", "candidates"), (q, c), strict=True))
        for q, *c in (one.split("\x1f") for one in REQUESTS)
    ]
    (folder / "requests.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows if row["query"]))
    (folder / "texts.txt").write_text("where is my order\nadvice please\n")
    return write_pair_file(folder / "reranker")


@pytest.fixture
def built(speak, given, tmp_path):
    requests = given.parent.parent / "requests.jsonl"
    words = (
        "--task",
        "rerank",
        "--target",
        "lambda-x86",
        "--texts",
        requests,
        "--out",
        tmp_path / "out",
        "--json",
    )
    said = speak("compile", given, *words)
    assert said.code == 0, said.stderr
    return {entry["variant"].partition(".onnxruntime.")[2]: entry for entry in said.document}


def test_a_cross_encoder_ranks(built, speak, tmp_path):
    assert set(built) == {"fp32", "int8-dynamic"} and built["fp32"]["agreeing"] == 1
    path = built["fp32"]["path"]
    model = load(path)
    assert (model.manifest["task"], model.manifest["head"], model.manifest["cut"]) == (
        "rerank",
        "rank",
        "longest",
    )
    said = speak("predict", path, json.dumps(ASKED), "--json")
    assert said.code == 0, said.stderr
    ranking = model.rank(ASKED["query"], ASKED["candidates"])
    assert said.document[0]["order"] == list(ranking.order)
    target = Target(
        name="here",
        hardware={"arch": "x86_64", "isa": ["avx2"], "vcpus": 1, "memory_mib": 1024},
        builds=[{"runtime": "onnxruntime", "recipe": "fp32"}],
        bundle="triton",
    )
    made = make_bundle(open_artifact(Path(path)), target, tmp_path / "bundle", REQUESTS, "card\n")
    assert json.loads((made.path / "client.json").read_text())["cut"] == "longest"
    assert "cut off the longer of both" in " ".join((made.path / "README.md").read_text().split())
    assert len((made.path / "golden.jsonl").read_text().splitlines()) == len(REQUESTS)


@pytest.mark.long
def test_it_is_measured_by_numbers_of_candidates(built, speak, given, tmp_path):
    requests = given.parent.parent / "requests.jsonl"
    said = speak("bench", built["fp32"]["path"], "--texts", requests, "--out", tmp_path / "bench", "--json")
    assert said.code == 0, said.stderr
    assert [entry["candidates"] for entry in said.document["by_candidates"]] == [1, 10, 50, 100]


@pytest.mark.parametrize(
    ("texts", "task", "said"),
    [
        ("texts.txt", ["--task", "rerank"], "2 of 2 texts have no candidates; expected rows with query"),
        ("requests.jsonl", [], "3 of 3 texts are a query with candidates; give --task rerank"),
        ("requests.jsonl", ["--task", "sort"], "unknown task 'sort'"),
    ],
)
def test_texts_that_do_not_fit_the_task_are_one_line(speak, given, tmp_path, texts, task, said):
    path = given.parent.parent / texts
    found = speak(
        "compile", given, "--target", "lambda-x86", "--texts", path, "--out", tmp_path / "out", *task
    )
    (line,) = found.errors
    assert found.code == 2 and said in line and len(PAIRS) == 11
