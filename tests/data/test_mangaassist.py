import hashlib
import json
from collections import Counter
from statistics import median

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from edgekd.data.mangaassist import CRITICAL, FAMILY_OF, INTENTS, SCHEMA, bank, generate, primary_intent
from edgekd.data.mangaassist.bank import LANGUAGES, load_bank
from edgekd.data.mangaassist.catalogue import load_catalogue
from edgekd.data.mangaassist.dice import Dice, apportion
from edgekd.data.mangaassist.intents import FAMILIES, RANK, companions
from edgekd.data.mangaassist.table import fold_text

SMALL = dict(
    train=400,
    unlabelled=300,
    calibration=200,
    validation=200,
    test=300,
    critical=30,
    critical_train=40,
    critical_validation=20,
    near_misses=40,
    near_misses_test=30,
)
PINNED = "7a2b45c7a3e489da304687b0a3624e19592ac6dc35a2ee295038fe45c53b1d8e"


def digest(table: pa.Table) -> str:
    rows = json.dumps(table.to_pylist(), ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(rows.encode()).hexdigest()


@pytest.fixture(scope="module")
def full() -> pa.Table:
    return generate()


@pytest.fixture(scope="module")
def rows(full):
    return full.to_pylist()


def of(rows, split, sample=None):
    return [row for row in rows if row["split"] == split and sample in (None, row["sample"])]


def test_same_arguments_give_the_same_table():
    first = generate(**SMALL)
    assert digest(first) == digest(generate(**SMALL)) == PINNED
    assert digest(generate(**SMALL, seed=1)) != PINNED


def test_test_rows_do_not_depend_on_the_training_rows():
    def texts(table):
        return [row["text"] for row in table.to_pylist() if row["split"] == "test"]

    changed = dict(train=250, unlabelled=0, validation=220, critical_train=9, critical_validation=5)
    other = generate(**{**SMALL, **changed, "near_misses": 3})
    assert texts(other) == texts(generate(**SMALL))


def test_further_wordings_are_in_rows_to_learn_from_alone(monkeypatch):
    """More to learn from makes no other split harder or easier, nor the part of train that is traffic."""

    def texts(table, is_extra):
        rows = (row for row in table.to_pylist() if row["split"] != "unlabelled")
        return [
            row["text"]
            for row in rows
            if (row["split"] == "train" and row["sample"] != "traffic") == is_extra
        ]

    with_more = generate(**SMALL)
    monkeypatch.setattr(bank, "_MORE", {})
    load_bank.cache_clear()
    without = generate(**SMALL)
    load_bank.cache_clear()
    assert texts(with_more, False) == texts(without, False)
    assert len(set(texts(with_more, True)) & set(texts(without, True))) < 20 < len(texts(without, True))


def test_columns_and_counts(full, rows):
    assert full.schema == SCHEMA
    counts = Counter((row["split"], row["sample"]) for row in rows)
    assert counts == {
        ("train", "traffic"): 6000,
        ("unlabelled", "traffic"): 24000,
        ("calibration", "traffic"): 1000,
        ("validation", "traffic"): 2000,
        ("test", "traffic"): 6000,
        ("test", "critical"): 1600,
    }
    assert len(set(full["id"].to_pylist())) == len(rows)
    assert Counter(row["family"] for row in of(rows, "test", "critical")) == dict.fromkeys(CRITICAL, 800)


@pytest.mark.parametrize("split", ["train", "calibration", "validation", "test"])
def test_families_come_in_the_skew_of_traffic(rows, split):
    part = of(rows, split, "traffic")
    shares = Counter(row["family"] for row in part)
    for family, (share, _) in FAMILIES.items():
        assert shares[family] / len(part) == pytest.approx(share, abs=0.005)
    assert all(FAMILY_OF[row["intent"]] == row["family"] for row in part)


@pytest.mark.parametrize("split", ["train", "calibration", "validation", "test"])
def test_every_intent_is_in_every_labelled_split(rows, split):
    assert {row["intent"] for row in of(rows, split, "traffic")} == set(INTENTS)
    small = Counter(row["intent"] for row in of(generate(**SMALL).to_pylist(), split, "traffic"))
    assert min(small[intent] for intent in INTENTS) >= 2


def test_unlabelled_rows_have_no_label(rows):
    part = of(rows, "unlabelled")
    assert {row["intent"] for row in part} == {row["family"] for row in part} == {None}


def test_no_text_comes_twice(full):
    folded = [fold_text(text) for text in full["text"].to_pylist()]
    assert len(set(folded)) == len(folded)


def test_texts_that_differ_in_case_space_marks_or_unicode_form_count_as_one():
    assert fold_text(" Ｗhere's  my ORDER?") == fold_text("where's my order...") == "where s my order"
    assert fold_text("Cafe\u0301") == fold_text("café")


def test_splits_follow_each_other_in_time(rows):
    def days(*splits):
        return [row["date"] for row in rows if row["split"] in splits]

    assert max(days("train", "unlabelled")) < min(days("calibration", "validation"))
    assert max(days("calibration", "validation")) < min(days("test"))


def test_fresh_titles_of_the_test_split_are_not_in_train(rows):
    start = min(row["date"] for row in of(rows, "test"))
    late = [s.title.lower() for s in load_catalogue().series if s.released.isoformat() >= start]
    assert len(late) >= 8
    earlier = " \n".join(row["text"].lower() for row in rows if row["split"] in ("train", "unlabelled"))
    assert not [title for title in late if title in earlier]
    assert not any(row["fresh"] for row in of(rows, "unlabelled"))


def test_slices_are_as_large_as_real_traffic_makes_them(rows):
    part = of(rows, "test", "traffic")

    def share(column, value):
        return sum(row[column] == value for row in part) / len(part)

    assert share("language", "en") == pytest.approx(0.72, abs=0.01)
    assert {row["language"] for row in part} == set(LANGUAGES)
    assert share("device", "android-lowmem") == pytest.approx(0.09, abs=0.01)
    assert share("multi_intent", True) == pytest.approx(0.08, abs=0.015)
    assert share("fresh", True) == pytest.approx(0.10, abs=0.015)
    assert 0.1 < share("noisy", True) < 0.3
    assert {row["region"] for row in part} == {"na", "eu", "latam", "apac"}


def test_messages_have_the_length_of_chat_messages(full):
    words = [len(text.split()) for text in full["text"].to_pylist()]
    assert 11 <= median(words) <= 15
    assert min(words) >= 3
    assert max(words) <= 45
    assert not pc.any(pc.match_substring_regex(full["text"], r"[{}|]")).as_py()


def test_train_holds_no_reserved_wording(rows):
    english = load_bank("en")
    texts = "\n".join(row["text"].lower() for row in of(rows, "train"))
    later = "\n".join(row["text"].lower() for row in rows if row["split"] in ("unlabelled", "test"))
    plain = [
        template.pieces[0].lower()
        for intent in INTENTS
        for template in english.sections[f"intent {intent}"].reserved
        if not template.slots and len(template.pieces) == 1 and len(template.pieces[0].split()) > 4
    ]
    assert len(plain) > 50
    assert not [wording for wording in plain if wording in texts]
    assert len([wording for wording in plain if wording in later]) > 40


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_words_every_intent(language):
    bank = load_bank(language)
    for intent in INTENTS:
        phrases = bank.sections[f"intent {intent}"]
        together = len(set(phrases.common)) + len(phrases.reserved)
        assert together >= (45 if language == "en" else 14), (language, intent)
        assert len(phrases.reserved) >= 3


def test_primary_intent_goes_by_rank_and_then_by_place():
    assert primary_intent(("faq_shipping", "return_start", "safety_abuse")) == "safety_abuse"
    assert primary_intent(("order_late", "dispute_charge")) == "dispute_charge"
    assert primary_intent(("rec_genre", "order_status")) == "order_status"
    assert primary_intent(("order_status", "return_start")) == "order_status"
    for intent in INTENTS:
        for other in companions(intent):
            assert primary_intent((intent, other)) == intent
    assert set(RANK) == set(FAMILIES)


def test_apportion_keeps_the_total_and_the_least():
    parts = apportion(200, [("a", 0.9), ("b", 0.099), ("c", 0.001)], least=2)
    assert sum(count for _, count in parts) == 200
    assert dict(parts)["c"] == 2
    assert apportion(0, [("a", 1.0)]) == [("a", 0)]


def test_dice_repeat():
    assert Dice("x").shuffle(range(9)) == Dice("x").shuffle(range(9))
    assert Counter(Dice("y").weigh([("a", 1.0), ("b", 0.0)]) for _ in range(20)) == {"a": 20}
