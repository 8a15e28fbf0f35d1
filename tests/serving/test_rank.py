"""The head that orders candidates: scores, order, what is kept, what is refused."""

import json
import math
import subprocess
import sys

import build_sample
import numpy as np
import pytest
import sample_students as samples
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekd.serving import ServingError, load, ranker
from edgekd.serving.heads import Head, open_reader, rank
from edgekd.serving.manifest import seal
from edgekd.serving.request import UNIT, join_outputs, join_request, list_examples, split_request
from edgekd.serving.respond import respond

QUERY = "where is my order?"
CANDIDATES = ["the book of money", "order my card", "漫画 🙂", "", "order my card", "x " * 100]
BUILDS = {"ranking": ("onnxruntime", "int8-dynamic"), "ranking-static": ("numpy", "int8-tables")}


@pytest.fixture(scope="module", params=list(BUILDS))
def made(request, graphs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("rank") / "artifact"
    return build_sample.compile_sample(graphs[request.param], *BUILDS[request.param], folder)


@pytest.fixture
def model(made):
    return load(made.path)


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(TEXT, st.lists(TEXT, max_size=4))
def test_a_request_is_one_string(query, candidates):
    request = join_request(query, candidates)
    plain = [text.replace(UNIT, " ") for text in (query, *candidates)]
    assert split_request(request) == (plain[0], plain[1:])
    assert list_examples(request) == ([f"{plain[0]}{UNIT}{one}" for one in plain[1:]] or plain)


def test_the_best_come_first_and_ties_as_they_came(model):
    ranking = model.rank(QUERY, CANDIDATES)
    assert sorted(ranking.order) == list(range(6)) and len(ranking.scores) == 6
    assert list(ranking.order) == sorted(range(6), key=lambda place: (-ranking.scores[place], place))
    assert ranking.scores[1] == ranking.scores[4] and ranking.order.index(1) < ranking.order.index(4)
    assert len(set(ranking.scores)) == 5
    assert model(join_request(QUERY, CANDIDATES)) == ranking
    assert respond(model, join_request(QUERY, CANDIDATES)) == {
        "query": QUERY,
        "order": list(ranking.order),
        "scores": list(ranking.scores),
    }


def test_a_score_depends_on_no_other_candidate(model):
    whole = model.rank(QUERY, CANDIDATES).scores
    alone = [model.rank(QUERY, [one]).scores[0] for one in CANDIDATES]
    backwards = model.rank(QUERY, CANDIDATES[::-1]).scores[::-1]
    assert whole == tuple(alone) == tuple(backwards)


def test_outputs_are_folded_and_padded(model):
    requests = samples.make_requests(5)
    rows = model.outputs(requests)
    counts = [len(split_request(one)[1]) for one in requests]
    assert rows.shape == (len(requests), max(counts)) and rows.dtype == np.float32
    for row, request, count in zip(rows, requests, counts, strict=True):
        assert np.isnan(row[count:]).all()
        assert row[:count].tolist() == pytest.approx(list(model(request).scores), rel=1e-5)
    assert model.outputs([]).shape == (0, 0)
    assert model.outputs(["no candidates"]).shape == (1, 0)
    assert model.rank("no candidates", []) == ((), ())


def test_outputs_are_joined(model):
    requests = samples.make_requests(5)
    parts = [model.outputs(requests[:3]), model.outputs(requests[3:])]
    np.testing.assert_array_equal(join_outputs(parts), model.outputs(requests))


def test_the_reader_and_the_fold_are_what_the_model_does(model, made):
    head = made.head
    read = open_reader(made.path / "tokenizer.json", made.manifest["max_tokens"], head)
    runs = np.stack([model.run(ids or [0]) for ids in read(join_request(QUERY, CANDIDATES))])
    assert runs.shape == (6 + bool(head.towers), head.width)
    assert rank.fold(runs, head).tolist() == pytest.approx(
        list(model.rank(QUERY, CANDIDATES).scores), rel=1e-5
    )


@pytest.mark.parametrize("made", ["ranking-static"], indirect=True)
def test_candidates_are_encoded_once_and_the_oldest_are_dropped(made, monkeypatch):
    monkeypatch.setattr(ranker, "KEPT", 4)
    model = load(made.path)
    seen, run = [], model.run
    model.run = lambda ids: seen.append(ids) or run(ids)

    def count(query, candidates):
        seen.clear()
        model.rank(query, candidates)
        return len(seen) - 1

    assert count("a", ["one", "two", "three", "one"]) == 3
    assert count("b", ["three", "two", "one"]) == 0
    assert count("c", ["four", "one"]) == 1  # and what the model opened with is gone
    assert count("d", ["five"]) == 1
    assert count("e", ["three"]) == 1  # it was used least lately
    first = model.rank("f", ["five", "six", "seven", "eight"])
    assert first == load(made.path).rank("f", ["five", "six", "seven", "eight"])
    with pytest.raises(ServingError, match="5 candidates; at most 4 in one request"):
        model.rank("g", list("abcde"))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_no_usable_output_is_an_error(model, bad):
    model.run = lambda ids: np.full(model.manifest["output"]["shape"][1], bad, np.float32)
    for ask in (lambda: model.rank("hi", ["one"]), lambda: model.outputs([join_request("hi", ["one"])])):
        with pytest.raises(ServingError, match="not finite for the text 'hi"), np.errstate(invalid="ignore"):
            ask()
    model.run = lambda ids: np.zeros(99, np.float32)
    with pytest.raises(ServingError, match="outputs of shape"):
        model.rank("hi", ["two"])


def test_agreement_is_of_the_first_within_a_tolerance():
    one = np.array([[3.0, 1, 2], [1, 1, 0], [2.0, 1.99, 0], [5, np.nan, np.nan], [np.nan] * 3], np.float32)
    other = np.array(
        [[2.0, 3, 1], [0, 1, 0.5], [1.0, 1.01, 0], [7, np.nan, np.nan], [np.nan] * 3], np.float32
    )
    assert rank.Rank().agree(one, other).tolist() == [False, False, True, True, True]
    assert rank.Rank().agree(one, one).all()
    assert not rank.Rank().agree(one[:1], np.array([[1, np.nan, np.nan]], np.float32)).any()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("hello", 'expected {"query"'),
        ("[" * 100_000, 'expected {"query"'),
        ('{"query": "a"}', 'expected {"query"'),
        ('{"query": 3, "candidates": []}', 'expected {"query"'),
        ('{"query": "a", "candidates": [3]}', "a candidate is a text, got int"),
        ('{"query": "a", "candidates": ["b", null]}', "a candidate is a text, got NoneType"),
    ],
)
def test_what_is_no_request_is_one_line(model, line, said):
    with pytest.raises(ServingError) as caught:
        model.parse(line)
    assert said in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("wrong", [(3, ["a"]), ("a", [None]), ("a", "b"), ("a", ["\ud800"])])
def test_what_is_no_text_is_refused(model, wrong):
    with pytest.raises(ServingError, match="expected a"):
        model.rank(*wrong)


def test_it_ranks_from_its_own_folder(made):
    asked = json.dumps({"query": QUERY, "candidates": CANDIDATES}, ensure_ascii=False)
    command = [sys.executable, "-I", "-B", "-W", "error", "-c", _FROM_ITS_FOLDER, str(made.path)]
    done = subprocess.run(command, input=asked, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said, ranking = json.loads(done.stdout), load(made.path).rank(QUERY, CANDIDATES)
    assert said.keys() == {"query", "order", "scores", "model"}
    assert said["order"] == list(ranking.order)
    assert said["scores"] == [round(score, 6) for score in ranking.scores]
    refused = subprocess.run([*command, "hi"], capture_output=True, text=True, check=False)
    assert refused.returncode == 2 and len(refused.stderr.splitlines()) == 1


_FROM_ITS_FOLDER = """
import sys
sys.path.insert(0, sys.argv[1])
sys.modules.update(dict.fromkeys(["edgekd", "torch", "pydantic"]))
from serving.__main__ import main
sys.exit(main(sys.argv[2:]))
"""


def test_the_manifest_says_what_the_outputs_are(made):
    head = made.head
    assert head.name == "rank" and made.manifest["head"] == "rank" and "labels" not in made.manifest
    assert made.manifest["output"]["shape"] == ["batch", head.width]
    if head.towers:
        assert (made.manifest["towers"], made.manifest["separator"]) == (24, samples.SEPARATOR)
    else:
        assert not {"towers", "separator"} & set(made.manifest)
    assert Head("classify", ("a", "b")).width == 2
    files = {file.name for file in (made.path / "serving").glob("*.py")}
    assert {"request.py", "pairs.py"} <= files and "calibrate.py" not in files and "route.py" not in files


@pytest.mark.parametrize("made", ["ranking-static"], indirect=True)
def test_towers_need_a_separator(made, tmp_path):
    import shutil

    copy = shutil.copytree(made.path, tmp_path / "a", ignore=shutil.ignore_patterns("__pycache__"))
    manifest = json.loads((copy / "manifest.json").read_bytes())
    del manifest["separator"]
    (copy / "manifest.json").write_bytes(seal(manifest))
    with pytest.raises(ServingError, match=r"manifest\.json: separator: expected int, got nothing"):
        load(copy)


@given(st.lists(st.floats(-1e3, 1e3, width=32), min_size=1, max_size=8))
@settings(max_examples=100)
def test_any_scores_are_ordered(scores):
    ranking = rank.Rank().answer(np.array(scores, np.float32))
    assert ranking.order == tuple(sorted(range(len(scores)), key=lambda place: (-scores[place], place)))
    assert not math.isnan(sum(ranking.scores))
