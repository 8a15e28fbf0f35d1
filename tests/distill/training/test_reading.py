"""Pairs as models read them: the library's own form, whatever the lengths, and the same outputs when lean."""

import json

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, processors
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    MPNetConfig,
    MPNetForSequenceClassification,
)

from edgekd.distill.lean import LeanEncoder, make_lean
from edgekd.distill.segments import segments
from edgekd.distill.teacher import HeadedEncoder
from edgekd.distill.training.reading import Separation, find_form, open_reader
from edgekd.errors import ConfigError
from edgekd.serving.request import UNIT

TEXTS = ["", "where is my parcel", "order shipped", "please " * 40, "漫画 read next"]


@pytest.fixture(scope="module")
def bert(teacher_folder):
    return teacher_folder / "tokenizer.json"


@pytest.fixture(scope="module")
def mpnet(mpnet_folder, tmp_path_factory):
    """MPNet's tokenizer with its form of a pair."""
    tokenizer = Tokenizer.from_file(str(mpnet_folder / "tokenizer.json"))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    path = tmp_path_factory.mktemp("pairs") / "tokenizer.json"
    tokenizer.save(str(path))
    return path


@pytest.mark.parametrize("name", ["bert", "mpnet"])
@pytest.mark.parametrize("limit", [16, 256])
def test_pairs_are_the_librarys_cut_by_the_rule(name, limit, request):
    path = request.getfixturevalue(name)
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_padding()
    separation = Separation(find_form(tokenizer, name).separator)
    examples = [a + UNIT + b for a in TEXTS for b in TEXTS]
    tokens = open_reader(path, limit, separation)(examples)
    assert tokens.lengths.max() <= limit
    for row, (query, candidate) in enumerate((a, b) for a in TEXTS for b in TEXTS):
        tokenizer.no_truncation()
        one, other = (tokenizer.encode(text, add_special_tokens=False) for text in (query, candidate))
        tokenizer.enable_truncation(limit, strategy="only_second")
        one.truncate(limit // 2)
        wanted = tokenizer.post_process(one, other)
        assert tokens.ids[tokens.starts[row] : tokens.starts[row + 1]].tolist() == wanted.ids
        if name == "bert":
            kinds = segments(torch.tensor([wanted.ids]), separation.separator)[0].tolist()
            assert kinds == wanted.type_ids


def test_texts_read_apart_do_not_depend_on_one_another(bert):
    read = open_reader(bert, 16, Separation(102, apart=True))
    rows = read([a + UNIT + b for a in TEXTS for b in TEXTS])
    parts = [rows.ids[rows.starts[i] : rows.starts[i + 1]].tolist() for i in range(len(rows))]
    asked = {tuple(part[: part.index(102)]) for part in parts}
    given = {tuple(part[part.index(102) + 1 :]) for part in parts}
    assert len(asked) == len(given) == len(TEXTS)
    assert (0,) in asked and () in given  # as a served query without a token
    assert max(map(len, asked)) == 8 and max(map(len, given)) == 7


def test_a_tokenizer_without_a_form_of_pairs_is_refused(mpnet_folder, bert, tmp_path):
    for path in (mpnet_folder / "tokenizer.json", tmp_path / "bare.json"):
        if path.name == "bare.json":
            document = json.loads(bert.read_text(encoding="utf-8"))
            path.write_text(json.dumps({**document, "post_processor": None}), encoding="utf-8")
        with pytest.raises(ConfigError, match="puts nothing between two texts"):
            find_form(Tokenizer.from_file(str(path)), "it")


SHAPE = {"num_hidden_layers": 2, "num_attention_heads": 2, "hidden_size": 32, "intermediate_size": 64}


@pytest.mark.parametrize("name", ["bert", "mpnet"])
def test_the_lean_form_reads_pairs_as_the_whole_model_does(name, request):
    path = request.getfixturevalue(name)
    size = Tokenizer.from_file(str(path)).get_vocab_size()
    torch.manual_seed(0)
    if name == "bert":
        config = BertConfig(vocab_size=size, num_labels=1, initializer_range=0.3, **SHAPE)
        model = BertForSequenceClassification(config)
    else:
        config = MPNetConfig(vocab_size=size, num_labels=1, initializer_range=0.3, **SHAPE)
        model = MPNetForSequenceClassification(config)
    separator = find_form(Tokenizer.from_file(str(path)), name).separator
    whole = HeadedEncoder(model.eval(), separator=separator)
    examples = [a + UNIT + b for a in TEXTS[1:] for b in TEXTS]
    tokens = open_reader(path, 48, Separation(separator))(examples)
    ids, mask = map(torch.from_numpy, tokens.padded(np.arange(len(tokens))))
    with torch.inference_mode():
        wanted = whole(ids, mask)
        if name == "bert":
            kinds = torch.zeros_like(ids)
            for row, own in enumerate(ids.tolist()):
                kinds[row, own.index(separator) + 1 :] = 1
            direct = model(input_ids=ids, attention_mask=mask, token_type_ids=kinds).logits
            assert torch.equal(wanted, direct)
            plain = model(input_ids=ids, attention_mask=mask).logits
            assert (wanted - plain).abs().max() > 1e-2  # types tell
        for fold in (None, 64):
            lean = make_lean(whole, torch.arange(4, 20).reshape(2, 8), fold)
            assert isinstance(lean, LeanEncoder)
            torch.testing.assert_close(lean(ids, mask), wanted, rtol=0, atol=1e-4)
