import random

import pyarrow as pa
import pytest

from edgekd.curate.twins.kinds import KINDS, Clean
from edgekd.curate.twins.make import CLEAN, KIND, make_twins
from edgekd.curate.twins.telling import Telling, find_telling
from edgekd.data.rank_reader import RANKS
from edgekd.data.taskdata import TaskData
from edgekd.errors import BadInputError

WORDS = {
    "order_late": "my parcel is late and i want to know where",
    "refund": "please send the money back to me",
}


def rows(split: str, each: int = 6) -> TaskData:
    found = [
        {"id": f"{split}{label}{i}", "text": f"hello {text} number {i} today", "label": label, "split": split}
        for label, text in WORDS.items()
        for i in range(each)
    ]
    return TaskData(pa.Table.from_pylist(found), tuple(WORDS))


def test_twins_are_paired_with_their_clean_rows_and_come_out_the_same_again():
    test, train = rows("test"), rows("train")
    twins = make_twins(test, train)
    table = twins.rows.table.to_pylist()
    for row, place in zip(table, twins.places, strict=True):
        clean = test.table.slice(int(place), 1).to_pylist()[0]
        assert row[CLEAN] == clean["id"] and row["id"] == f"{clean['id']}~{row[KIND]}"
        assert row["label"] == clean["label"] and row["text"] != clean["text"]
    assert {row[KIND] for row in table} | {k for k, n in twins.left_out.items() if n == len(test)} == set(
        KINDS
    )
    assert all(twins.of(kind).sum() + twins.left_out[kind] == len(test) for kind in KINDS)
    assert make_twins(test, train).rows.table.equals(twins.rows.table)
    assert not make_twins(test, train, seed=1).rows.table.equals(twins.rows.table)


def test_a_twin_that_may_have_another_target_is_left_out():
    telling = find_telling([*(["refund me now"] * 4), *(["where is it now"] * 4)], ["a"] * 4 + ["b"] * 4)
    assert {"refund", "where"} <= telling.words and "now" not in telling.words
    cut = KINDS["truncated"]
    kept = Clean("where is it now my dear friend again", (), (), telling)
    assert cut(kept, random.Random(0)) == " ".join(
        kept.text.split()[: len(cut(kept, random.Random(0)).split())]
    )
    assert cut(Clean("now my dear friend give me my refund", (), (), telling), random.Random(0)) is None
    nothing = Clean("naruto box set", (), (), Telling(frozenset()).beside(["Naruto Box 1"]))
    assert cut(nothing, random.Random(1)) is not None or "box" in nothing.telling.words
    for kind in (
        "several",
        "instruction",
        "negation",
    ):  # without names of answers or rows alike nothing is known
        assert KINDS[kind](nothing, random.Random(0)) is None


def test_rows_with_candidates_keep_the_words_that_their_candidates_have():
    found = [
        {"id": f"{i}", "text": "cheap naruto box for kids", "label": [1.0, 0.0], "split": "test",
         "candidates": ["Naruto Box 1", "Bleach kids 2"]}
        for i in range(9)
    ]  # fmt: skip
    data = TaskData(pa.Table.from_pylist(found), ("score",), RANKS)
    twins = make_twins(data, data)
    texts = {kind: [t for t, k in zip(twins.rows.texts, twins.of(kind), strict=True) if k] for kind in KINDS}
    assert (
        twins.left_out["truncated"] == 9 and twins.left_out["several"] == 9
    )  # the last word is a candidate's
    assert len(texts["typos"]) == len(texts["look-alike"]) == 9
    assert all(request.endswith("Bleach kids 2") for request in twins.rows.requests)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_takes_any_text(kind):
    for text in ("a", "   x", "日本語の注文", "?!", "{} and {1}", "don't", "\n\n", "word " * 300):
        twin = KINDS[kind](Clean(text, ("x",), ("y {}",), Telling(frozenset())), random.Random(3))
        assert twin is None or isinstance(twin, str)


def test_an_unknown_kind_and_a_taken_column_are_refused():
    with pytest.raises(BadInputError, match="unknown kind 'typo'"):
        make_twins(rows("test"), rows("train"), ("typo",))
    taken = rows("test")
    taken = TaskData(taken.table.append_column(KIND, taken.table["id"]), taken.outputs)
    with pytest.raises(BadInputError, match="column 'twin'"):
        make_twins(taken, rows("train"))


def test_the_project_file_names_the_kinds_that_there_are():
    from typing import get_args

    from edgekd.config.twins import TwinKind

    assert get_args(TwinKind) == tuple(KINDS)
