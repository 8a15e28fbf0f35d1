import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers

from edgekd.distill.vocabulary import prune_vocabulary

TEXTS = ["where is my parcel", "recommend a shōnen manga series", "volume 12 of the omnibus", "漫画 please"]


@pytest.fixture(scope="module")
def source(teacher_folder) -> str:
    return (teacher_folder / "tokenizer.json").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def old(source) -> Tokenizer:
    return plain(source)


@pytest.fixture(scope="module")
def pruned(source):
    text, kept = prune_vocabulary(source, TEXTS, 4000)
    return Tokenizer.from_str(text), kept


def plain(text: str) -> Tokenizer:
    tokenizer = Tokenizer.from_str(text)
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def test_new_ids_name_the_same_tokens(old, pruned):
    new, kept = pruned
    assert len(kept) == new.get_vocab_size() == 4000
    assert kept.tolist() == sorted(set(kept.tolist()))
    assert [new.id_to_token(i) for i in range(4000)] == [old.id_to_token(int(i)) for i in kept]


@pytest.mark.parametrize("text", TEXTS)
def test_text_that_was_counted_keeps_its_tokens(old, pruned, text):
    new, kept = pruned
    assert new.encode(text).tokens == old.encode(text).tokens
    assert kept[new.encode(text).ids].tolist() == old.encode(text).ids


def test_special_tokens_are_renumbered_everywhere(old, pruned):
    new, _ = pruned
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    assert [old.token_to_id(name) for name in names] == [0, 100, 101, 102, 103]
    ids = {name: new.token_to_id(name) for name in names}
    assert ids["[CLS]"] < 101  # BERT's unused block is gone, so that they really have new ids
    assert new.encode("").ids == [ids["[CLS]"], ids["[SEP]"]]
    pair = new.encode("one", "two")
    assert pair.tokens == ["[CLS]", "one", "[SEP]", "two", "[SEP]"]
    assert [pair.ids[i] for i in (0, 2, 4)] == [ids["[CLS]"], ids["[SEP]"], ids["[SEP]"]]
    assert new.encode("[MASK]").ids[1] == ids["[MASK]"]
    document = json.loads(new.to_str())
    assert {token["content"]: token["id"] for token in document["added_tokens"]} == ids


def test_every_character_stays(old, pruned):
    new, _ = pruned
    known = old.get_vocab()
    single = {token for token in known if len(token.removeprefix("##")) == 1}
    assert len(single) > 1000
    assert single <= new.get_vocab().keys()


@given(text=st.text(st.sampled_from("abcdefghijklmnopqrstuvwxyz0123456789 ?!漫画éñ"), max_size=40))
@settings(max_examples=200, deadline=None)
def test_nothing_known_becomes_unknown(old, pruned, text):
    new, _ = pruned
    if "[UNK]" not in old.encode(text).tokens:
        tokens = new.encode(text).tokens
        assert "[UNK]" not in tokens
        spelled = "".join(token.removeprefix("##") for token in tokens[1:-1])
        assert spelled == "".join(token.removeprefix("##") for token in old.encode(text).tokens[1:-1])


def test_used_tokens_come_before_frequent_ones(old, source):
    rare = [t for t, i in old.get_vocab().items() if i > 29_000 and t.isascii() and t.isalpha()][:50]
    assert all(old.encode(token, add_special_tokens=False).tokens == [token] for token in rare)
    small = prune_vocabulary(source, [" ".join(rare)], 3500)[1]
    assert {old.token_to_id(token) for token in rare} <= set(small.tolist())
    assert not {old.token_to_id(token) for token in rare} <= set(prune_vocabulary(source, [], 3500)[1])


def test_rest_is_filled_with_the_most_frequent_words(old, source):
    kept = set(prune_vocabulary(source, [], 4000)[1].tolist())
    assert {old.token_to_id(word) for word in ("the", "and", "with", "from")} <= kept
    assert old.token_to_id("[unused5]") not in kept


def test_size_too_small_for_the_characters_keeps_them_all(source):
    text, kept = prune_vocabulary(source, TEXTS, 256)
    assert 256 < len(kept) < 4000
    assert "[UNK]" not in Tokenizer.from_str(text).encode("where is my parcel").tokens


@pytest.mark.parametrize("size", [30522, 50000])
def test_vocabulary_that_fits_is_left_whole(old, source, size):
    text, kept = prune_vocabulary(source, TEXTS, size)
    assert np.array_equal(kept, np.arange(30522))
    assert plain(text).encode(TEXTS[0]).ids == old.encode(TEXTS[0]).ids
    assert Tokenizer.from_str(text).padding is None and Tokenizer.from_str(text).truncation is None


def test_other_kinds_are_returned_as_they_are():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=300, special_tokens=["<s>", "</s>"], show_progress=False)
    tokenizer.train_from_iterator(TEXTS, trainer)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 1), ("<s>", 0))
    size = tokenizer.get_vocab_size()
    text, kept = prune_vocabulary(tokenizer.to_str(), TEXTS, 256)
    assert np.array_equal(kept, np.arange(size)) or size <= 256
    assert Tokenizer.from_str(text).encode(TEXTS[0]).ids == tokenizer.encode(TEXTS[0]).ids


def test_same_input_gives_the_same_bytes(source):
    one, other = (prune_vocabulary(source, TEXTS, 3000) for _ in range(2))
    assert one[0] == other[0] and np.array_equal(one[1], other[1])


def test_reserved_rows_of_another_vocabulary_go_first(mpnet_folder):
    source = (mpnet_folder / "tokenizer.json").read_text(encoding="utf-8")
    size = plain(source).get_vocab_size() - 40
    text, kept = prune_vocabulary(source, ["where is my parcel"], size)
    new = plain(text)
    assert not [token for token in new.get_vocab() if token.startswith("[unused")]
    assert kept[:4].tolist() == [0, 1, 2, 3]  # the padding token that MPNet counts places from keeps its id
    assert new.encode("where").tokens == ["<s>", "where", "</s>"]
