"""The script that writes the rows of the studies on real searches, on a few made-up films and products."""

import gzip
import importlib.util
import json
import sys
from pathlib import Path

import pytest

from edgekd.config import Columns, Data
from edgekd.data.load import load_data
from edgekd.data.rank_reader import RANKS

SCRIPT = Path(__file__).parents[2] / "bench" / "search_rows.py"
COLUMNS = Columns(text="query", label="grades", id="id", split="split")


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("search_rows", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress("\n".join(json.dumps(row) for row in rows).encode()))


def film(number):
    words = {"title": f"Film {number}", "overview": f"A story of {number}.", "genres": ["drama"]}
    return {"id": str(number), "year": 2000, "actors": ["Ann", "Bob", "Cy", "Di"], **words}


@pytest.fixture
def made(script, tmp_path, monkeypatch):
    films = [film(number) for number in range(40)]
    queries = []
    for number in range(30):
        split = "train" if number < 20 else "dev" if number < 25 else "test"
        rel = [str(number % 24)] if number % 3 else [str(number % 24), str(number + 1)]
        nonrel = [str(other) for other in range(40) if str(other) not in rel][:6]
        row = {"query_id": number, "query": f"film {number}", "split": split, "rel": rel, "nonrel": nonrel}
        queries.append(row)
    products = [
        {
            "id": str(n),
            "title": f"Pen {n // 2}",
            "supplier": "Acme",
            "description": "ink " * 90,
            "price_cents": 150,
        }
        for n in range(8)
    ]
    judgments = [{"query_id": q, "product_id": str(n), "grade": n % 4} for q in ("a", "b") for n in range(8)]
    judgments += [{"query_id": "c", "product_id": "1", "grade": 3}]
    shops = [{"query_id": q, "query": f"pen {q}", "split": "test"} for q in ("a", "b", "c")]
    write(tmp_path / "msrd_movies" / "movies.jsonl.gz", films)
    write(tmp_path / "msrd_movies" / "queries.jsonl.gz", queries)
    for name, rows in (("products", products), ("judgments", judgments), ("queries", shops)):
        write(tmp_path / "icecat_search" / f"{name}.jsonl.gz", rows)
    given = ["search_rows.py", "--data", str(tmp_path), "--out", str(tmp_path / "made"), "--train", "15"]
    monkeypatch.setattr(sys, "argv", given)
    script.main()
    return {
        name: script.read_rows(tmp_path / "made" / f"{name}.jsonl.gz")
        for name in ("msrd", "msrd-films", "icecat")
    }


def test_film_rows_say_whether_a_film_was_seen(made):
    rows = made["msrd"]
    assert [sum(row["split"] == split for row in rows) for split in ("train", "dev", "test")] == [15, 5, 5]
    for row in rows:
        assert len(row["candidates"]) == len(row["grades"])
        assert sum(row["grades"]) in (1, 2)
        assert row["candidates"][0].startswith("Film ")
    test = {row["id"]: row["film_seen"] for row in rows if row["split"] == "test"}
    assert test["msrd-26"]  # film 2 answers query 2, a training row
    seen = {row["id"]: row["film_seen"] for row in rows if row["split"] == "dev"}
    assert not seen["msrd-22"]  # no training row has film 22
    best = next(row for row in rows if row["id"] == "msrd-22")
    assert best["candidates"][0] == "Film 22 (2000). drama. Ann, Bob, Cy. A story of 22."


def test_split_by_film_holds_films_apart(made, script):
    def answers(split):
        return {
            text.split(" (")[0]
            for row in made["msrd-films"]
            if row["split"] == split
            for text, grade in zip(row["candidates"], row["grades"], strict=True)
            if grade
        }

    assert not answers("train") & (answers("test") | answers("dev"))
    assert all(script.draw_split(title.removeprefix("Film ")) == "train" for title in answers("train"))
    lots = [script.draw_split(str(number)) for number in range(4000)]
    assert 0.08 < lots.count("test") / 4000 < 0.12
    assert 0.045 < lots.count("dev") / 4000 < 0.075


def test_products_with_one_text_keep_their_best_grade(made):
    assert [row["id"] for row in made["icecat"]] == ["icecat-a", "icecat-b"]  # c has one grade alone
    row = made["icecat"][0]
    found = dict(zip(row["candidates"], row["grades"], strict=True))
    assert {text.split(".")[0]: grade for text, grade in found.items()} == {
        "Pen 0": 1, "Pen 1": 3, "Pen 2": 1, "Pen 3": 3
    }  # fmt: skip


def test_rows_are_what_a_project_reads(made, tmp_path):
    data = Data(
        source=str(tmp_path / "made" / "msrd.jsonl.gz"),
        columns=COLUMNS,
        carve={"calibration": {"take": "train", "share": 0.2}},
    )
    loaded = load_data(data, tmp_path, 0, RANKS)
    assert loaded.counts() == {"train": 12, "calibration": 3, "validation": 5, "test": 5}
