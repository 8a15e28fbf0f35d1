import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekd.config import Columns, Data, load_project
from edgekd.data.load import load_data
from edgekd.data.rank_files import join_texts, read_run
from edgekd.data.rank_reader import RANKS
from edgekd.data.source import describe_source
from edgekd.errors import ConfigError, DataError

SPLITS = ("train", "calibration", "validation", "test")
COLUMNS = Columns(text="query", id="qid", split="part", document="doc", document_text=("title", "body"))
SOURCE = {"queries": "queries.jsonl", "documents": "documents.jsonl", "qrels": "qrels.txt", "run": "run.txt"}


def write_lines(path, rows):
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")


@pytest.fixture
def folder(tmp_path):
    """Four queries, one per split, over five documents; the run has d4 first, and d5 is judged for none."""
    write_lines(
        tmp_path / "queries.jsonl",
        [{"qid": i, "query": f"query {i}", "part": split} for i, split in enumerate(SPLITS)],
    )
    write_lines(
        tmp_path / "documents.jsonl",
        [
            {"doc": f"d{i}", "title": f"Title {i}", "body": ["x", str(i)] if i > 1 else None}
            for i in range(1, 6)
        ],
    )
    qrels = [f"{q} 0 d{d} {d % 3}" for q in range(4) for d in (1, 2, 3, 4)]
    run = [
        f"{q} Q0 d{d} {rank} {9 - rank} mine"
        for q in range(4)
        for rank, d in enumerate((4, 5, 1, 2), start=1)
    ]
    (tmp_path / "qrels.txt").write_text("\n".join(qrels), encoding="utf-8")
    (tmp_path / "run.txt").write_text("\n".join(run[::-1]), encoding="utf-8")
    return tmp_path


def load(folder, source=SOURCE, columns=COLUMNS, **more):
    return load_data(Data(source=source, columns=columns, **more), folder, 0, RANKS)


def without(*parts):
    return {part: name for part, name in SOURCE.items() if part not in parts}


def test_a_run_says_which_candidates_there_are_and_their_order(folder):
    data = load(folder)
    row = data.table.to_pylist()[0]
    assert row["candidates"] == ["Title 4. x, 4", "Title 5. x, 5", "Title 1", "Title 2. x, 2"]
    assert row["label"] == [1, None, 1, 2]
    assert data.ids == ["0", "1", "2", "3"]
    assert data.counts() == dict.fromkeys(SPLITS, 1)
    assert data.table.column_names == ["id", "text", "label", "split", "candidates"]


def test_judgements_alone_give_candidates_in_an_order_without_meaning(folder):
    rows = load(folder, without("run")).table.to_pylist()
    titles = [[text[6] for text in row["candidates"]] for row in rows]
    assert all(sorted(row) == ["1", "2", "3", "4"] for row in titles)
    assert len(set(map(tuple, titles))) > 1
    for row in rows:
        assert row["label"] == [int(text[6]) % 3 for text in row["candidates"]]


def test_a_run_alone_is_for_the_teacher(folder):
    queries = [json.loads(line) for line in (folder / "queries.jsonl").read_text().splitlines()]
    queries.append({"qid": 9, "query": "more", "part": "unlabelled"})
    write_lines(folder / "queries.jsonl", queries)
    with (folder / "run.txt").open("a") as file:
        file.write("\n9 Q0 d2 1 0.5 mine\n9 Q0 d1 2 0.5 mine\n")
    data = load(folder).split("unlabelled")
    assert data.table["candidates"][0].as_py() == ["Title 2. x, 2", "Title 1"]
    assert not RANKS.is_known(data.targets).any()
    with pytest.raises(DataError, match="no candidate has a grade"):
        load(folder, without("qrels"))


def test_packed_files_and_queries_of_other_splits(folder):
    for name in ("run.txt", "qrels.txt"):
        (folder / f"{name}.gz").write_bytes(gzip.compress((folder / name).read_bytes()))
    packed = SOURCE | {"run": "run.txt.gz", "qrels": "qrels.txt.gz"}
    assert load(folder, packed).digest == load(folder).digest
    assert len(describe_source(Data(source=packed, columns=COLUMNS), folder)) == 4
    queries = [json.loads(line) for line in (folder / "queries.jsonl").read_text().splitlines()]
    write_lines(folder / "queries.jsonl", [*queries, {"qid": 7, "query": "no candidates", "part": "other"}])
    assert len(load(folder, splits={split: (split,) for split in SPLITS})) == 4
    with pytest.raises(DataError, match="split 'other' is not known"):
        load(folder)


BAD_LINES = [
    ("qrels", "0 0 d1", "has 3 values, expected 4 between spaces .query 0 document grade."),
    (
        "qrels",
        "0 0 d5 good",
        "grade must be a number from 0 up, got 'good'; write 0 for what is not relevant",
    ),
    ("qrels", "0 0 d5 -2", "grade must be a number from 0 up, got '-2'"),
    ("qrels", "0 0 d5 nan", "grade must be a number from 0 up, got 'nan'"),
    ("qrels", "0 0 d1 2", "query '0' has document 'd1' in line 1, too; remove one of them"),
    ("run", "0 Q0 d1 1 0.4", r"has 5 values, expected 6 between spaces \(query Q0 document rank score tag\)"),
    ("run", "0 Q0 d3 first 0.4 mine", "rank and score must be numbers, got 'first' and '0.4'"),
    ("run", "0 Q0 d4 7 0.4 mine", "query '0' has document 'd4' in line 16, too; remove one of them"),
    (
        "run",
        "0 Q0 d77 7 0.4 mine",
        r"document 'd77' is not in .*documents.jsonl; add it there, or remove the",
    ),
]


@pytest.mark.parametrize(("part", "line", "message"), BAD_LINES)
def test_bad_lines_are_refused(folder, part, line, message):
    with (folder / SOURCE[part]).open("a") as file:
        file.write(f"\n\n{line}\n")
    with pytest.raises(DataError, match=rf"{SOURCE[part]}: line 18: {message}") as refused:
        load(folder)
    assert "\n" not in str(refused.value)


def test_a_judged_document_that_is_not_there_is_refused_without_a_run(folder):
    with (folder / "qrels.txt").open("a") as file:
        file.write("\n3 0 d77 1\n")
    with pytest.raises(DataError, match=r"qrels.txt: line 17: document 'd77' is not in"):
        load(folder, without("run"))
    load(folder)  # the run has no such candidate


def test_a_query_without_candidates_is_refused(folder):
    lines = [line for line in (folder / "run.txt").read_text().splitlines() if not line.startswith("2 ")]
    (folder / "run.txt").write_text("\n".join(lines))
    with pytest.raises(
        DataError, match=r"queries.jsonl: query '2' has no line in .*run.txt; add its candidates"
    ):
        load(folder)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"doc": "d1", "title": "Again"}, r"row 6: id 'd1' is that of an earlier row, too \(column doc\)"),
        ({"doc": None, "title": "None"}, r"row 6: has no id \(column doc\); ids must be unique"),
        ({"doc": "d6", "title": " "}, r"row 6 \(id d6\): has no text in title, body; fill it, or name more"),
    ],
)
def test_bad_documents_are_refused(folder, document, message):
    with (folder / "documents.jsonl").open("a") as file:
        file.write("\n" + json.dumps(document))
    with pytest.raises(DataError, match=f"documents.jsonl: {message}"):
        load(folder)


def test_documents_of_one_text_in_one_query_are_refused(folder):
    with (folder / "documents.jsonl").open("a") as file:
        file.write("\n" + json.dumps({"doc": "d6", "title": "Title 1"}))
    with (folder / "run.txt").open("a") as file:
        file.write("\n1 Q0 d6 9 0 mine")
    with pytest.raises(
        DataError, match=r"row 2 \(id 1\): candidate 5 has the text of candidate 3 .'Title 1'."
    ):
        load(folder)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            {"document": "id"},
            r"documents.jsonl: has no column 'id' \(data.columns.document\); found: doc, title",
        ),
        ({"document_text": ("plot",)}, r"has no column 'plot' \(data.columns.document_text\); found: doc"),
        ({"text": "text"}, r"queries.jsonl: has no column 'text' \(data.columns.text\); found: qid, query"),
        ({"id": "name"}, r"queries.jsonl: has no column 'name' \(data.columns.id\)"),
    ],
)
def test_missing_columns_are_named(folder, columns, message):
    with pytest.raises(DataError, match=message):
        load(folder, columns=COLUMNS.model_copy(update=columns))


PROJECT = """\
name: search
data: {source: %s, columns: {id: qid, split: part}}
slices: [{name: overall}]
students: [cut-2l]
targets: [lambda-x86]
"""


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            "{queries: a, train: b}",
            "source names a file per split, or files of queries, documents, qrels and a run",
        ),
        (
            "{queries: a, documents: b}",
            "source needs queries, documents, and qrels or a run .or both.; found: doc",
        ),
        ("{queries: a, qrels: b}", "source needs queries, documents, and qrels or a run"),
    ],
)
def test_half_a_source_is_refused_with_the_project_file(tmp_path, source, message):
    path = tmp_path / "edgekd.yaml"
    path.write_text(PROJECT % source)
    with pytest.raises(ConfigError, match=message):
        load_project(path)
    path.write_text(PROJECT.replace("{id: qid, split: part}", "{}") % "{queries: a, documents: b, run: c}")
    with pytest.raises(ConfigError, match=r"needs columns.id and columns.split, of the file of queries"):
        load_project(path)


def test_documents_join_their_columns():
    assert (
        join_texts(["Smile", "", None, ["Horror"], 2022, "  A  doctor\nsees "])
        == "Smile. Horror. 2022. A doctor sees"
    )


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=20))
def test_a_run_is_ordered_by_score_then_rank(tmp_path_factory, values):
    path = tmp_path_factory.mktemp("run") / "run.txt"
    path.write_text("\n".join(f"q Q0 d{i} {rank} {score} x" for i, (rank, score) in enumerate(values)))
    order = [int(entry.document[1:]) for entry in read_run(path)["q"]]
    assert order == sorted(range(len(values)), key=lambda i: (-values[i][1], values[i][0], i))
