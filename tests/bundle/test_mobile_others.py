"""Mobile bundles of models that give a score or an order of candidates, on the runtimes' own C interfaces."""

import re
import shutil

import mobile_bundles as mobile
import pytest
import sample_students as samples
from random_texts import random_texts

from edgekd.bundle import make_bundle
from edgekd.bundle.mobile.cases import CASES
from edgekd.bundle.mobile.golden import CANDIDATES, COUNT, choose_requests
from edgekd.compile.cascade import write_cascade
from edgekd.config import load_target
from edgekd.errors import BadInputError
from edgekd.serving import load
from edgekd.serving.heads import open_reader
from edgekd.serving.request import UNIT, join_request, split_request

TARGET = load_target("mobile-lowmem")
COLUMNS = {"score": "text ids logit score", "rank": "request ids scores order"}


QUICK = ("pairs-onnxruntime", "score-litert")


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(name, marks=() if name in QUICK else pytest.mark.long) for name in mobile.OTHER_BUILDS
    ],
)
def made(request, graphs, mobile_folder):
    return mobile.make(request.param, graphs, mobile_folder)


@pytest.fixture(scope="module")
def pairs(graphs, mobile_folder):
    return mobile.make("pairs-onnxruntime", graphs, mobile_folder)


def close(made, own):
    """The same library rounds alike; scores of candidates have no size of their own."""
    return pytest.approx(own, abs=1e-4 * max(1, *map(abs, own), 1))


def test_golden_file_passes_on_the_runtimes_own_c_interface(made):
    done = made.run("--golden")
    assert (done.returncode, done.stdout.split(",")[0]) == (0, "200 of 200"), done.stdout + done.stderr
    assert float(done.stdout.split(" ")[-1]) < 1e-3, done.stdout


def test_c_program_answers_as_the_artifact(made):
    model, head = load(made.artifact.path), made.artifact.head
    texts = random_texts(60, seed=2)
    if head.name == "rank":
        texts = [join_request(text, texts[: place % 5]) for place, text in enumerate(texts)]
    read = open_reader(made.artifact.path / "tokenizer.json", made.artifact.manifest["max_tokens"], head)
    for text, (ids, outputs, said) in zip(texts, made.answer(texts), strict=True):
        assert ids == "|".join(" ".join(map(str, run)) for run in read(text)), repr(text)
        own = model.outputs([text])[0].tolist()
        assert list(map(float, outputs.split())) == close(made, own)
        if head.name == "score":
            assert float(said) == pytest.approx(model(text).score, abs=1e-5)
        else:
            assert sorted(map(int, said.split())) == list(range(len(own)))
            in_order = [own[int(place)] for place in said.split()]
            assert in_order == close(made, sorted(own, reverse=True))


def test_the_bundle_is_of_its_head_and_its_pages_are_filled(made):
    names = {path.name for path in made.path.rglob("*") if path.is_file()}
    assert not names & {"labels.txt", "calibration.json"}
    assert {"answer.c", "Answer.kt", "Answer.swift", "Model.kt", "Model.swift", "golden.tsv"} <= names
    assert not [name for name in names if name.count(".") > 1]
    golden = (made.path / "golden.tsv").read_text("utf-8").splitlines()
    assert golden[0].split("\t") == COLUMNS[made.artifact.head.name].split(" ") and len(golden) == COUNT + 1
    for name in ("ANDROID.md", "IOS.md"):
        page = (made.path / name).read_text("utf-8")
        assert not re.search(r"\{\{|\{[a-z]+\}", page)
        assert "answer.label" not in page and "labels.txt" not in page.partition("## The calls")[0]


def test_same_input_same_bytes(pairs, tmp_path):
    again = make_bundle(pairs.artifact, TARGET, tmp_path / "again", samples.make_requests(60), "# Card\n")
    assert {p.relative_to(again.path): p.read_bytes() for p in again.path.rglob("*") if p.is_file()} == {
        p.relative_to(pairs.path): p.read_bytes() for p in pairs.path.rglob("*") if p.is_file()
    }


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("\npair_between 102\n", "\npair_between 101\n", "token ids differ"),
        ("\nmax_tokens 32\n", "\nmax_tokens 30\n", "token ids differ"),
    ],
)
def test_a_ranking_port_that_is_wrong_fails(pairs, tmp_path, old, new, said):
    folder = shutil.copytree(pairs.path, tmp_path / "bundle")
    text = (folder / "model.txt").read_text("utf-8")
    assert old in text
    (folder / "model.txt").write_text(text.replace(old, new, 1), encoding="utf-8")
    done = pairs.run("--golden", folder=folder)
    assert done.returncode == 1 and said in done.stdout


@pytest.mark.parametrize(("column", "said"), [(1, "token ids"), (2, "scores"), (3, "order")])
def test_a_changed_golden_row_is_named(pairs, tmp_path, column, said):
    folder = shutil.copytree(pairs.path, tmp_path / "bundle")
    lines = (folder / "golden.tsv").read_text("utf-8").split("\n")
    cells = lines[5].split("\t")  # a case's: its first candidate ties with its last
    if column == 3:
        places = cells[3].split(" ")
        first, last = places.index("0"), places.index("3")
        assert first < last
        places[first], places[last] = "3", "0"
        cells[3] = " ".join(places)
    else:
        last = cells[column].split(" ")[-1]
        cells[column] = cells[column][: -len(last)] + f"{float(last) + 1000:g}"
    lines[5] = "\t".join(cells)
    (folder / "golden.tsv").write_text("\n".join(lines), encoding="utf-8")
    done = pairs.run("--golden", folder=folder)
    assert (done.returncode, done.stdout.splitlines()[0]) == (1, f"golden.tsv:6: {said} differ")


def test_two_models_in_turn_are_refused(pairs, tmp_path):
    both = write_cascade(pairs.artifact, pairs.artifact, 2, tmp_path / "both")
    with pytest.raises(BadInputError, match="two models in turn") as raised:
        make_bundle(both, TARGET, tmp_path / "bundle", [], "")
    assert "\n" not in str(raised.value) and not (tmp_path / "bundle").exists()


def test_there_are_always_200_requests_with_few_candidates():
    given = [join_request(f"query {n}", ["a"] * 50) for n in range(300)]
    requests = choose_requests(given, ["where", "order"])
    assert len(set(requests)) == len(requests) == COUNT
    assert all(len(split_request(one)[1]) <= CANDIDATES for one in requests)
    assert sum(one.startswith("query ") for one in requests) == COUNT - len(CASES)
    assert len(choose_requests([], ["where"])) == COUNT and UNIT in choose_requests([], ["where"])[-1]
