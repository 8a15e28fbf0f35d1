"""Before a teacher's label becomes a target, a project's rules are held against it."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from edgekd.config import ClaimRule, Claims, Columns, Data, Records
from edgekd.data.load import load_data
from edgekd.data.mangasearch.records import list_books, list_wishes
from edgekd.data.taskdata import save_data
from edgekd.distill.labels.kept import keep_outputs
from edgekd.distill.labels.shard import ShardRows
from edgekd.distill.labels.store import LabelStore
from edgekd.distill.softlabels import list_texts, save_texts
from edgekd.engines.step import Folder
from edgekd.pipeline.claims import build_claims, read_trust
from edgekd.pipeline.opening import write_task
from edgekd.progress import silent
from edgekd.tasks import load_task

TEACHER = "3" * 64


def run_step(tmp_path, data, task, outputs_of, settings, copies=0):
    """Run the step over texts that a teacher labelled with `outputs_of`; returns its folder and the texts."""
    places = {name: tmp_path / name for name in ("rows", "texts", "claims", "labels")}
    for place in places.values():
        place.mkdir()
    save_data(data, places["rows"])
    write_task(places["rows"], task)
    listed = list_texts(data, copies, 0)
    save_texts(listed, places["texts"])
    texts = listed.learn.texts
    store = LabelStore(places["labels"] / TEACHER, TEACHER, len(data.outputs))
    outputs = keep_outputs(np.array([outputs_of(text) for text in texts], np.float32))
    store.add(ShardRows(store.keys(texts), outputs, listed.learn.evidence, listed.learn.tags), {"name": "t"})
    inputs = {name: Folder(places[name], "") for name in ("rows", "texts")}
    inputs["teacher"] = Folder(tmp_path, TEACHER)
    how = {
        "claims": settings.model_dump(mode="json"),
        "labels": str(places["labels"]),
        "folder": str(tmp_path),
    }
    build_claims(places["claims"], how, inputs, silent)
    return places["claims"], texts


@pytest.fixture
def shop(tmp_path):
    """Rows about orders; of some the order is cancelled, of one nothing is known."""
    intents = ("track", "return")
    states = ["delivered", "cancelled", "delivered", None]
    rows = [
        {"text": f"send it back number {place}", "intent": intents[place % 2], "order": f"o{place}",
         "split": split}
        for split, start in (("train", 0), ("calibration", 100), ("validation", 200), ("test", 300))
        for place in range(start, start + 8)
    ]  # fmt: skip
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    records = [{"id": f"o{place}", "state": states[place % 4]} for place in range(8) if place != 6]
    (tmp_path / "orders.jsonl").write_text("".join(json.dumps(row) + "\n" for row in records))
    how = Data(source="rows.jsonl", columns=Columns(label="intent", split="split"))
    return load_data(how, tmp_path, 0, load_task("intent").reader)


def test_classes_that_an_orders_state_contradicts_are_no_targets(tmp_path, shop):
    settings = Claims(
        records={"parcel": Records(source="orders.jsonl", row="order", key="id")},
        rules=(ClaimRule(name="delivered", claims=("return",), holds="parcel.state = 'delivered'"),),
    )
    # The teacher calls all but the first row a return; it hesitates about row 7 and its copies.
    said = {"0": [-4.0, 4.0], "7": [0.5, 0.0]}
    folder, texts = run_step(
        tmp_path, shop, "intent", lambda text: said.get(text[-1], [4.0, 0.0]), settings, copies=1
    )
    trust = read_trust(folder)
    wanted = {"0": 1, "1": 0, "2": 1, "3": 0.25, "4": 1, "5": 0, "6": 0.25, "7": 0}
    assert len(texts) > 8 and trust[:8].tolist() == [wanted[str(place)] for place in range(8)]
    counts = json.loads((folder / "logs" / "claims.json").read_text())
    assert counts["verdicts"]["unchecked"] >= 1 and counts["actions"]["reject"] >= 2
    doubtful = [json.loads(line) for line in (folder / "logs" / "doubtful.jsonl").read_text().splitlines()]
    assert {one["action"] for one in doubtful} == {"reject", "weigh", "review"}
    assert doubtful[0]["slice"] == "delivered" and doubtful[0]["answer"] == "return"


def test_candidates_that_break_a_querys_limits_are_no_targets(tmp_path):
    sizes = {"train": 40, "calibration": 10, "validation": 10, "test": 10, "candidates": 10}
    data = load_data(Data(source="mangasearch", options=sizes), tmp_path, 0, load_task("rerank").reader)
    pq.write_table(list_books(), tmp_path / "books.parquet")
    wishes = list_wishes(**sizes)
    pq.write_table(wishes, tmp_path / "wishes.parquet")
    settings = Claims(
        records={
            "wish": Records(source="wishes.parquet", row="text", key="text"),
            "book": Records(source="books.parquet", row="claim", key="text"),
        },
        rules=(
            ClaimRule(name="price", holds="wish.cents IS NULL OR book.cents <= wish.cents"),
            ClaimRule(name="age", holds="wish.age IS NULL OR book.rating <= wish.age"),
        ),
        places=2,
    )
    rng = np.random.default_rng(0)
    scores: dict[str, float] = {}
    folder, texts = run_step(
        tmp_path, data, "rerank", lambda text: [scores.setdefault(text, float(rng.normal()))], settings
    )
    trust = read_trust(folder)
    books = {row["text"]: row for row in list_books().to_pylist()}
    limits = {row["text"]: row for row in wishes.to_pylist()}
    queries = {}
    for place, text in enumerate(texts):
        query, _, candidate = text.partition("\x1f")
        queries.setdefault(query, []).append((scores[text], place, candidate))
    rejected = 0
    for query, candidates in queries.items():
        first = {place for _, place, _ in sorted(candidates, reverse=True)[:2]}
        for _, place, candidate in candidates:
            wish, book = limits[query], books[candidate]
            breaks = (wish["cents"] or 10**9) < book["cents"] or (wish["age"] or 99) < book["rating"]
            assert (trust[place] == 0) == (breaks and place in first)
            rejected += trust[place] == 0
    assert rejected >= 3
