import hashlib
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekd.config import Data
from edgekd.data.load import load_and_compare
from edgekd.data.mangaassist.dice import Dice
from edgekd.data.mangasearch import SCHEMA, generate
from edgekd.data.mangasearch.engine import Engine, list_words
from edgekd.data.mangasearch.lines import LANGUAGES, read_names, read_wordings
from edgekd.data.mangasearch.plan import KINDS, Sizes
from edgekd.data.mangasearch.shelf import load_shelf
from edgekd.data.mangasearch.wish import Grader, Wish
from edgekd.data.rank_reader import RANKS
from edgekd.data.source import describe_source
from edgekd.errors import DataError

SMALL = dict(train=120, unlabelled=20, calibration=30, validation=40, test=80, candidates=20)
PINNED = "3bb1ad2be6b5ae8ea816698e081d3f88fc3a738cecbd8f3817a478654084c802"


def digest(table):
    rows = json.dumps(table.to_pylist(), ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(rows.encode()).hexdigest()


@pytest.fixture(scope="module")
def rows():
    return generate(train=500, test=300, validation=100, calibration=50).to_pylist()


def of(rows, split):
    return [row for row in rows if row["split"] == split]


def ndcg(grades):
    gains = 2.0 ** np.array(grades) - 1
    discount = 1 / np.log2(np.arange(2, 12))
    return (gains[:10] @ discount) / (np.sort(gains)[::-1][:10] @ discount)


def test_same_arguments_give_the_same_table():
    first = generate(**SMALL)
    assert digest(first) == digest(generate(**SMALL)) == PINNED
    assert digest(generate(**SMALL, seed=1)) != PINNED
    assert first.schema == SCHEMA


def test_test_rows_do_not_depend_on_other_splits():
    def texts(table):
        return [
            {key: value for key, value in row.items() if key != "id"} for row in of(table.to_pylist(), "test")
        ]

    assert texts(generate(**SMALL)) == texts(
        generate(**{**SMALL, "train": 40, "unlabelled": 0, "validation": 5})
    )


def test_rows_have_their_sizes_candidates_and_grades(rows):
    assert Counter(row["split"] for row in rows) == {
        "train": 500,
        "test": 300,
        "validation": 100,
        "calibration": 50,
    }
    assert len({row["text"] for row in rows}) == len(rows)
    assert len({row["id"] for row in rows}) == len(rows)
    for row in rows:
        assert len(row["candidates"]) == len(set(row["candidates"])) == len(row["grades"]) == 50
        assert set(row["grades"]) <= {0, 1, 2, 3}
        assert max(row["grades"]) >= 2
        assert min(row["grades"]) < 2
    days = {split: [row["date"] for row in of(rows, split)] for split in ("train", "validation", "test")}
    assert max(days["train"]) < min(days["validation"]) <= max(days["validation"]) < min(days["test"])


def test_kinds_and_languages_have_their_shares(rows):
    train = of(rows, "train")
    kinds = Counter(row["kind"] for row in train)
    assert all(kinds[kind] == round(500 * share) for kind, share in KINDS)
    assert set(Counter(row["language"] for row in train)) == set(LANGUAGES)
    assert 0.4 < np.mean([row["language"] == "en" for row in train]) < 0.6
    assert {row["device"] for row in train} == {"web", "ios", "android", "android-lowmem", "kiosk"}


def test_the_incoming_order_is_that_of_a_plain_engine(rows):
    """Better than chance for every kind, and far from right for every kind."""
    dice = Dice("order")
    for kind, _ in KINDS:
        chosen = [row for row in rows if row["kind"] == kind]
        incoming = np.mean([ndcg(row["grades"]) for row in chosen])
        shuffled = np.mean([ndcg(dice.shuffle(row["grades"])) for row in chosen for _ in range(4)])
        assert shuffled - 0.02 < incoming < 0.85, (kind, shuffled, incoming)
    assert 0.4 < np.mean([ndcg(row["grades"]) for row in rows]) < 0.7


def test_later_splits_hold_what_training_never_has(rows):
    train, test = of(rows, "train"), of(rows, "test")
    assert all(row["seen"] and not row["new_title"] and not row["new_wording"] for row in train)
    for column in ("new_title", "new_wording"):
        assert 0.1 < np.mean([row[column] for row in test]) < 0.45
    assert 0.35 < np.mean([row["seen"] for row in test]) < 0.75
    shelf = load_shelf()
    held_back = [story.title for story in shelf.stories if story.held_back]
    assert len(held_back) > 20
    known = "\n".join(text for row in train for text in row["candidates"])
    assert not [title for title in held_back if f"{title}, v" in known or f"{title} Vol" in known]
    late = [story.title for story in shelf.stories if story.released.isoformat() > "2025-05-31"]
    assert late
    assert not [title for title in late if f"{title}, v" in known or f"{title} - " in known]


def test_fresh_titles_came_out_within_sixty_days(rows):
    fresh = [row for row in rows if row["fresh"]]
    assert len(fresh) > 40
    assert all(row["kind"] not in ("author", "genre") for row in fresh)


def test_hard_negatives_stand_among_the_candidates(rows):
    """The same title in another volume or format, over the price, or rated above the reader's age."""
    by_kind = {kind: [row for row in rows if row["kind"] == kind] for kind, _ in KINDS}
    others = [sum(0 < grade < 3 for grade in row["grades"]) for row in by_kind["volume number"]]
    assert np.mean(np.array(others) >= 2) > 0.9
    adult = [
        any("18+" in text or "16+" in text for text in row["candidates"]) for row in by_kind["age limit"]
    ]
    assert np.mean(adult) > 0.8


def test_the_shelf_is_one_text_per_book():
    shelf = load_shelf()
    assert len({book.text for book in shelf.books}) == len(shelf.books) > 4000
    assert {book.format for book in shelf.books} == set(read_names("formats"))
    assert all(
        1 <= book.first <= book.last <= shelf.stories[book.story].series.volumes for book in shelf.books
    )
    assert {story.rating for story in shelf.stories} == {0, 8, 13, 16, 18}


def test_every_language_words_every_kind_in_known_and_new_ways():
    for language in LANGUAGES:
        wordings = read_wordings(language)
        for kind in ("volume", "price", *(kind for kind, _ in KINDS)):
            assert {wording.is_new for wording in wordings[kind]} == {True, False}, (language, kind)
            assert all(wording.template.slots for wording in wordings[kind])
    assert all(set(names) == set(LANGUAGES) for names in read_names("genres").values())


@pytest.fixture(scope="module")
def shelf():
    return load_shelf()


@pytest.fixture(scope="module")
def grader(shelf):
    return Grader(shelf)


stories = st.integers(0, 199)
wishes = st.builds(
    Wish,
    story=stories,
    volume=st.one_of(st.none(), st.integers(1, 12)),
    format=st.one_of(st.none(), st.sampled_from(["paperback", "digital", "omnibus", "box set"])),
    cents=st.one_of(st.none(), st.integers(3, 60).map(lambda euro: 100 * euro)),
    age=st.one_of(st.none(), st.integers(6, 15)),
)


@given(wishes)
def test_grades_go_by_the_rules(shelf, grader, wish):
    grades = grader.grade(wish)
    wanted = shelf.stories[wish.story]
    for book, grade in zip(shelf.books, grades, strict=True):
        story = shelf.stories[book.story]
        if (wish.cents is not None and book.cents > wish.cents) or (
            wish.age is not None and story.rating > wish.age
        ):
            assert grade == 0
        elif book.story != wish.story:
            plain = wish.volume is None and wish.format is None
            assert grade == (1 if plain and story.author == wanted.author else 0)
        else:
            assert 1 <= grade <= 3
            if wish.format not in (None, book.format):
                assert grade < 3
            if wish.volume is not None and not book.first - 1 <= wish.volume <= book.last + 1:
                assert grade == 1
            if book.first == book.last == (wish.volume or 1) and wish.format in (None, book.format):
                assert grade == 3


def test_by_author_and_genre_the_beginning_is_best(shelf, grader):
    author = shelf.stories[0].author
    grades = grader.grade(Wish(author=author))
    for book, grade in zip(shelf.books, grades, strict=True):
        theirs = shelf.stories[book.story].author == author
        assert grade == ((3 if book.first == 1 else 2) if theirs else 0)
    grades = grader.grade(Wish(genre="horror", format="digital"))
    for book, grade in zip(shelf.books, grades, strict=True):
        first, second = shelf.stories[book.story].genres
        best = (
            3
            if first == "horror" and book.first == 1
            else 2
            if first == "horror"
            else int(second == "horror")
        )
        assert grade == max(0, best - (book.format != "digital"))


def test_the_engine_prefers_rare_words_in_short_texts():
    engine = Engine(["a cat", "a dog", "a cat that is in a very long text of a cat", "a bird"])
    assert engine.score(list_words("Cat"))[[0, 2, 1]].argmax() == 0
    assert engine.score(["a"]).max() < engine.score(["bird"]).max()
    assert engine.score(["fish"]).tolist() == [0, 0, 0, 0]
    assert list_words("第3巻, Vol.12!") == ["第", "3", "巻", "vol", "12"]


def test_rows_load_as_a_project_has_them():
    data, shared = load_and_compare(Data(source="mangasearch", options=SMALL), Path(), 0, RANKS)
    assert data.counts() == {
        name: SMALL[name] for name in ("train", "unlabelled", "calibration", "validation", "test")
    }
    assert shared.contradictions == ()
    assert all(entry.rows == 0 for entry in shared.overlaps)
    assert not RANKS.is_known(data.split("unlabelled").targets).any()
    assert data.split("test").targets.shape == (80, 20)
    names = describe_source(Data(source="mangasearch"), Path())
    assert {"catalogue.py", "mangasearch/table.py", "mangasearch/bank/ja.txt"} <= set(names)
    assert not any("mangasearch" in name for name in describe_source(Data(source="mangaassist"), Path()))


def test_options_that_cannot_be_are_refused():
    for options, message in (
        ({"books": 3}, "data.options: .*'books'; see edgekd.data.mangasearch.plan.Sizes"),
        ({"candidates": 5}, "data.options: candidates must be from 10 to 200, got 5"),
    ):
        with pytest.raises(DataError, match=message):
            load_and_compare(Data(source="mangasearch", options=options), Path(), 0, RANKS)
    assert Sizes().candidates == 50
