import json
import random

import pytest

from edgekd.config import Carve, Columns, Data
from edgekd.data.load import load_and_compare, load_data
from edgekd.data.shared import SharedTexts, describe_shared
from edgekd.errors import DataError
from edgekd.store import digest_bytes

COLUMNS = Columns(split="split")
ROWS = [
    {"text": f"text {split} {word} {i}", "label": "ab"[i % 2], "split": split}
    for split in ("train", "calibration", "validation", "test")
    for i, word in enumerate(["apple", "lantern", "river", "violin"])
]


def load(folder, more, rows=ROWS, **settings):
    text = "\n".join(json.dumps(row) for row in [*rows, *more])
    (folder / "rows.jsonl").write_text(text, encoding="utf-8")
    return load_and_compare(Data(source="rows.jsonl", columns=COLUMNS, **settings), folder)


def copy_of_test(text="text test apple 0", split="train", label="a"):
    return {"text": text, "label": label, "split": split}


@pytest.mark.parametrize(
    "text",
    ["text test apple 0", " Text TEST\tapple 0\n", "ｔｅｘｔ test apple ０", "text test ap\u00adple 0"],
    ids=["same", "case-and-space", "full-width", "soft-hyphen"],
)
@pytest.mark.parametrize("split", ["train", "calibration", "validation"])
def test_a_test_text_in_another_split_is_refused_in_one_line(tmp_path, text, split):
    with pytest.raises(DataError) as caught:
        load(tmp_path, [copy_of_test(text, split)])
    message = str(caught.value)
    assert "\n" not in message and f"1 in {split}" in message
    assert "rows.jsonl row 13 " in message and "rows.jsonl row 17" in message
    assert "data.drop_shared_text: true" in message and "data.allow_shared_text: true" in message


def test_it_is_counted_where_the_project_allows_it(tmp_path):
    data, shared = load(tmp_path, [copy_of_test(), copy_of_test()], allow_shared_text=True)
    assert data.counts()["train"] == 6
    (overlap,) = [entry for entry in shared.overlaps if entry.rows]
    assert (overlap.split, overlap.other, overlap.rows, overlap.of) == ("test", "train", 1, 4)
    assert any("1 of 4 test rows have a text that train has, too" in line for line in describe_shared(shared))


def test_or_left_out_of_the_other_splits(tmp_path):
    data, shared = load(tmp_path, [copy_of_test(" TEXT test apple 0"), copy_of_test()], drop_shared_text=True)
    assert data.counts() == {"train": 4, "calibration": 4, "validation": 4, "test": 4}
    assert shared.dropped == 2 and not any(entry.rows for entry in shared.overlaps)
    assert "2 rows left out" in describe_shared(shared)[0]
    with pytest.raises(ValueError, match="set one"):
        Data(source="x", allow_shared_text=True, drop_shared_text=True)


def test_texts_of_other_pairs_of_splits_are_counted_only(tmp_path):
    _, shared = load(tmp_path, [copy_of_test("text validation river 2", "train")])
    assert [(e.split, e.other, e.rows) for e in shared.overlaps if e.rows] == [("validation", "train", 1)]


def test_unlabelled_texts_never_equal_a_judged_one(tmp_path):
    judged = ("text calibration apple 0", "TEXT validation apple 0", "text  test apple 0")
    more = [{"text": text, "label": None, "split": "unlabelled"} for text in (*judged, "a new one")]
    (tmp_path / "more.jsonl").write_text(
        "\n".join(json.dumps({"text": t}) for t in (*judged, "newer", "Newer"))
    )
    data, shared = load(tmp_path, more, unlabelled=("more.jsonl",))
    assert data.split("unlabelled").texts == ["a new one", "newer"]
    assert shared.unlabelled_left_out == 3  # rows of the file repeat those of the project
    assert any("3 rows without a label left out" in line for line in describe_shared(shared))


def test_carving_keeps_equal_texts_together(tmp_path):
    rows = [row for row in ROWS if row["split"] != "calibration"]
    rows = [row for row in rows if row["split"] != "validation"]
    texts = [f"message number {i // 3}" for i in range(300)]  # each three times, the third in capitals
    more = [
        {"text": text.upper() if i % 3 == 2 else text, "label": "ab"[i // 3 % 2], "split": "train"}
        for i, text in enumerate(texts)
    ]
    carve = {name: Carve(take="train", share=0.2) for name in ("validation", "calibration")}
    data, shared = load(tmp_path, more, rows, carve=carve)
    assert not any(entry.rows for entry in shared.overlaps)
    assert 55 <= data.counts()["validation"] <= 66


def test_carving_distinct_texts_takes_the_rows_that_it_took_before(tmp_path):
    rows = [row for row in ROWS if row["split"] != "calibration"]
    more = [{"text": f"more {i}", "label": "a" if i < 60 else "b", "split": "train"} for i in range(80)]
    data, _ = load(tmp_path, more, rows, carve={"calibration": Carve(take="train", share=0.1)})
    numbers = {"a": [1, 3, *range(13, 73)], "b": [2, 4, *range(73, 93)]}
    expected = set()
    for members in numbers.values():
        order = sorted(members, key=lambda number: digest_bytes(f"0:{number}".encode()))
        expected |= {str(number) for number in order[: -(-len(members) // 10)]}
    assert set(data.split("calibration").ids) == expected


def test_contradicting_labels_are_listed_by_file_and_row(tmp_path):
    _, shared = load(tmp_path, [copy_of_test("Text train LANTERN 1", "train", "a")])
    (contradiction,) = shared.contradictions
    assert contradiction.rows == (("rows.jsonl row 2", "train", "b"), ("rows.jsonl row 17", "train", "a"))
    line = next(line for line in describe_shared(shared) if "several labels" in line)
    assert "'b' in rows.jsonl row 2 (train), 'a' in rows.jsonl row 17 (train)" in line


def test_contradictions_across_files_name_the_files(tmp_path):
    for split in ("train", "calibration", "validation", "test"):
        rows = [{"text": f"{split} {i}", "label": "ab"[i % 2]} for i in range(4)]
        rows += (
            [{"text": "the same", "label": split[0] if split[0] in "ab" else "a"}] if split == "train" else []
        )
        rows += [{"text": "The same", "label": "b"}] if split == "validation" else []
        (tmp_path / f"{split}.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    names = {split: f"{split}.jsonl" for split in ("train", "calibration", "validation", "test")}
    _, shared = load_and_compare(Data(source=names), tmp_path)
    (contradiction,) = shared.contradictions
    assert [place for place, _, _ in contradiction.rows] == ["train.jsonl row 5", "validation.jsonl row 5"]


def test_nearly_equal_texts_are_counted_and_not_refused(tmp_path):
    text = "please tell me where my parcel with the blue lamp has been for two weeks, order {}"
    more = [copy_of_test(text.format(74188), "test"), copy_of_test(text.format("55, now!"), "train")]
    _, shared = load(tmp_path, more)
    (near,) = [e for e in shared.overlaps if (e.split, e.other) == ("test", "train") and e.near_rows]
    assert near.rows == 0 and near.near_rows == 1
    assert near.near_example == ("rows.jsonl row 17", "rows.jsonl row 18")


def test_what_was_counted_is_read_back(tmp_path):
    more = [copy_of_test(), copy_of_test("Text train LANTERN 1", "train", "a")]
    _, shared = load(tmp_path, more, allow_shared_text=True)
    assert shared.overlaps and shared.contradictions
    assert SharedTexts.from_json(json.loads(json.dumps(shared.to_json()))) == shared


@pytest.mark.parametrize("study", ["clinc150", "banking77"])
def test_the_public_sets_hold_no_test_text_in_train_as_studied(study):
    from pathlib import Path

    from edgekd.config import load_project

    path = Path(__file__).parents[2] / "bench" / "studies" / f"{study}.yaml"
    project = load_project(path)
    if not (path.parent / project.data.source).is_file():
        pytest.skip("the public data sets are not beside the checkout")
    assert project.data.drop_shared_text
    data = project.data.model_copy(update={"unlabelled": ()})
    rows, shared = load_and_compare(data, path.parent)
    assert shared.dropped == {"clinc150": 2, "banking77": 7}[study]
    assert rows.counts()["test"] == {"clinc150": 5500, "banking77": 3080}[study]


def test_a_built_in_split_shares_no_text():
    options = {"unlabelled": 300, "train": 800, "test": 400, "critical": 50}
    data = load_data(Data(source="mangaassist", options=options), None)
    assert data.counts()["test"] >= 400


def test_near_texts_are_found_and_only_those(tmp_path):
    rng = random.Random(0)
    words = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(4, 9))) for _ in range(3000)]

    def made(split, count):
        return [
            {"text": " ".join(rng.choices(words, k=12)), "label": "ab"[i % 2], "split": split}
            for i in range(count)
        ]

    train, test = made("train", 1500), made("test", 300)
    copies = []
    for row in rng.sample(train, 100):
        place = rng.randrange(len(row["text"]) - 1)
        copies.append({**row, "text": row["text"][:place] + row["text"][place + 1 :], "split": "test"})
    _, shared = load(tmp_path, [*train, *test, *copies])
    (near,) = [entry for entry in shared.overlaps if (entry.split, entry.other) == ("test", "train")]
    assert 98 <= near.near_rows <= 100 and near.rows == 0
