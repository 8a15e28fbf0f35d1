"""The critical classes and what only sounds like them: their wordings, their extra rows, their splits."""

from collections import Counter

import pytest

from edgekd.data.mangaassist import CRITICAL, FAMILY_OF, INTENTS, generate
from edgekd.data.mangaassist.bank import LANGUAGES, load_bank
from edgekd.data.mangaassist.table import fold_text
from edgekd.data.mangaassist.template import Slot, Template

CLASSES = tuple(intent for intent in INTENTS if FAMILY_OF[intent] in CRITICAL)
ORDINARY = tuple(intent for intent in INTENTS if FAMILY_OF[intent] not in CRITICAL)
SECTIONS = tuple(f"intent {intent}" for intent in CLASSES) + tuple(f"near {intent}" for intent in ORDINARY)

LEAST_COMMON = {"en": 110, "es": 45, "de": 45, "fr": 45, "pt": 45, "ja": 30}
LEAST_RESERVED = {"en": 45, "es": 12, "de": 12, "fr": 12, "pt": 12, "ja": 9}
LEAST_NEAR = {"en": (130, 50), "es": (40, 34), "de": (40, 34), "fr": (40, 34), "pt": (40, 34), "ja": (40, 34)}

DEMO = dict(
    train=4000,
    unlabelled=4000,
    validation=3000,
    test=4800,
    critical=1800,
    critical_train=800,
    critical_validation=600,
    near_misses=800,
    near_misses_test=600,
    other_languages=400,
)


@pytest.fixture(scope="module")
def rows():
    return generate(**DEMO).to_pylist()


def of(rows, split, sample=None):
    return [row for row in rows if row["split"] == split and sample in (None, row["sample"])]


def words(template: Template) -> set[str]:
    """Return every word that the template can hold; a slot counts as one word."""
    held: set[str] = set()
    for piece in template.pieces:
        if isinstance(piece, str):
            held.update(fold_text(piece).split())
        elif isinstance(piece, Slot):
            held.add(f"slot {piece.name}")
        else:
            held.update(*(words(option) for option in piece.options))
    return held


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("intent", CLASSES)
def test_each_critical_class_has_many_wordings(language, intent):
    phrases = load_bank(language).sections[f"intent {intent}"]
    assert len(set(phrases.common)) >= LEAST_COMMON[language]
    assert len(set(phrases.reserved)) >= LEAST_RESERVED[language]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_words_near_misses_of_every_ordinary_intent(language):
    bank = load_bank(language)
    near = [bank.sections[f"near {intent}"] for intent in ORDINARY]
    common, reserved = LEAST_NEAR[language]
    assert min(len(set(phrases.common)) for phrases in near) >= 2
    assert min(len(set(phrases.reserved)) for phrases in near) >= 2
    assert sum(len(set(phrases.common)) for phrases in near) >= common
    assert sum(len(set(phrases.reserved)) for phrases in near) >= reserved
    assert not [name for name in bank.sections if name.startswith("near ") and name[5:] not in ORDINARY]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("section", SECTIONS)
def test_reserved_wordings_are_not_common_ones_with_a_word_changed(language, section):
    phrases = load_bank(language).sections[section]
    for reserved in phrases.reserved:
        for common in (*phrases.common, *phrases.more):
            mine, theirs = words(reserved), words(common)
            assert len(mine & theirs) / len(mine | theirs) < 0.65, (reserved, common)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("section", SECTIONS)
def test_the_test_split_shares_no_reserved_wording_with_the_others(language, section):
    phrases = load_bank(language).sections[section]
    test, other = (set(phrases.withheld(for_test=which)) for which in (True, False))
    assert test
    assert other
    assert not test & other
    assert test | other == set(phrases.reserved)
    assert not set(phrases.reserved) & set(phrases.common)


def test_extra_rows_come_beside_those_of_traffic(rows):
    assert Counter((row["split"], row["sample"]) for row in rows) == {
        ("train", "traffic"): 4000,
        ("train", "critical"): 1600,
        ("train", "near-miss"): 800,
        ("train", "other-language"): 400,
        ("unlabelled", "traffic"): 4000,
        ("calibration", "traffic"): 1000,
        ("validation", "traffic"): 3000,
        ("validation", "critical"): 1200,
        ("test", "traffic"): 4800,
        ("test", "critical"): 3600,
        ("test", "near-miss"): 600,
    }
    for split, each in (("train", 800), ("validation", 600), ("test", 1800)):
        families = Counter(row["family"] for row in of(rows, split, "critical"))
        assert families == dict.fromkeys(CRITICAL, each)


@pytest.mark.parametrize("intent", CLASSES)
def test_each_critical_class_has_300_validation_rows(rows, intent):
    assert sum(row["intent"] == intent for row in of(rows, "validation", "critical")) == 300
    assert sum(row["intent"] == intent for row in of(rows, "train", "critical")) == 400


def test_rows_in_other_languages_are_ordinary_ones_to_learn_from(rows):
    extra = [row for row in rows if row["sample"] == "other-language"]
    assert len(extra) == 400 and {row["split"] for row in extra} == {"train"}
    assert {row["language"] for row in extra} == set(LANGUAGES) - {"en"}
    assert {row["intent"] for row in extra} == set(ORDINARY)


def test_near_misses_are_of_ordinary_intents_alone(rows):
    near = [row for row in rows if row["near_miss"]]
    assert {row["intent"] for row in near if row["intent"]} == set(ORDINARY)
    for row in rows:
        assert row["near_miss"] or row["sample"] != "near-miss"
    for split in ("train", "test"):
        assert {row["intent"] for row in of(rows, split, "near-miss")} == set(ORDINARY)
        assert {row["language"] for row in of(rows, split, "near-miss")} == set(LANGUAGES)


@pytest.mark.parametrize("split", ["train", "unlabelled", "calibration", "validation", "test"])
def test_about_three_in_a_hundred_other_messages_of_traffic_are_near_misses(rows, split):
    part = [row for row in of(rows, split, "traffic") if row["family"] not in CRITICAL]
    assert sum(row["near_miss"] for row in part) / len(part) == pytest.approx(0.03, abs=0.015)


def test_train_has_no_new_wording_and_a_third_of_the_extra_test_rows_has(rows):
    assert not [row for row in of(rows, "train") if row["new_wording"]]
    for split, sample in (("test", "critical"), ("test", "near-miss"), ("validation", "critical")):
        part = of(rows, split, sample)
        assert 0.30 <= sum(row["new_wording"] for row in part) / len(part) <= 0.40
    for intent in CLASSES:
        part = [row for row in of(rows, "test", "critical") if row["intent"] == intent]
        assert sum(row["new_wording"] for row in part) / len(part) >= 0.30


@pytest.mark.parametrize("for_test", [True, False])
def test_no_other_split_says_what_one_kind_of_split_reserves(rows, for_test):
    """Look for whole reserved lines without slots: they are in their own splits and in no other."""
    own = {"test"} if for_test else {"unlabelled", "calibration", "validation"}
    folded = {name: [fold_text(row["text"]) for row in of(rows, name)] for name in own}
    others = {"train", "unlabelled", "calibration", "validation", "test"} - own
    mine = "\n".join(text for texts in folded.values() for text in texts)
    theirs = "\n".join(fold_text(row["text"]) for name in others for row in of(rows, name))
    lines = [
        fold_text(str(template.pieces[0]))
        for language in LANGUAGES
        for section in SECTIONS
        for template in load_bank(language).sections[section].withheld(for_test=for_test)
        if not template.slots and len(template.pieces) == 1 and len(str(template.pieces[0]).split()) > 3
    ]
    assert len(lines) > 80
    assert not [line for line in lines if line in theirs]
    assert sum(line in mine for line in lines) > len(lines) / 2


def test_no_reserved_wording_comes_too_often_in_the_critical_test_rows(rows):
    """Each new wording of English, the most frequent language, comes at most about eight times."""
    new = [row for row in of(rows, "test", "critical") if row["new_wording"]]
    for intent in CLASSES:
        english = sum(row["intent"] == intent and row["language"] == "en" for row in new)
        # Speakers of other languages word a third of their messages in English.
        borrowed = sum(row["intent"] == intent and row["language"] != "en" for row in new) / 3
        phrases = load_bank("en").sections[f"intent {intent}"].withheld(for_test=True)
        assert (english + borrowed) / len(phrases) <= 8.5, intent


def test_no_two_rows_hold_the_same_words_across_splits_and_samples(rows):
    folded = [fold_text(row["text"]) for row in rows]
    assert len(set(folded)) == len(folded)
