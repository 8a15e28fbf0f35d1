import json
import string

import pytest
import sample_students as samples
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from edgekd.serving.errors import ServingError
from edgekd.serving.tokenize import open_tokenizer
from edgekd.serving.wordpiece import compile_wordpiece

LIMIT = 16
NOT_ASKED = [-1]


@pytest.fixture(scope="module", params=["transformer", "static"])
def pair(request, tmp_path_factory):
    sample = samples.Sample("words", request.param, LIMIT, 3000)
    path = samples.write_tokenizer(sample, tmp_path_factory.mktemp("tokens") / "tokenizer.json")
    true = Tokenizer.from_file(str(path))
    true.enable_truncation(LIMIT)
    return path, (lambda text: true.encode(text).ids)


@given(
    st.text(st.sampled_from(string.ascii_letters + string.digits + string.punctuation + "   "), max_size=120)
)
@settings(max_examples=300, deadline=None)
def test_printable_ascii_is_cut_as_by_the_library(pair, text):
    path, true = pair
    assert open_tokenizer(path, LIMIT)(text) == true(text)


@given(st.text(max_size=60))
@settings(max_examples=100, deadline=None)
def test_any_text_is_cut_as_by_the_library(pair, text):
    path, true = pair
    assert open_tokenizer(path, LIMIT)(text) == true(text)


@pytest.mark.parametrize("text", samples.ODD_TEXTS)
def test_odd_texts(pair, text):
    path, true = pair
    assert open_tokenizer(path, LIMIT)(text) == true(text)


def test_common_text_takes_the_short_cut(pair):
    path, true = pair
    short = compile_wordpiece(json.loads(path.read_text()), LIMIT, lambda text: NOT_ASKED)
    assert short("Where is my ORDER #12, unbelievably?") == true("Where is my ORDER #12, unbelievably?")
    assert short("[SEP]") == short("line\nbreak") == short("naïve") == NOT_ASKED


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("normalizer", None),
        ("normalizer", {"type": "BertNormalizer", "lowercase": False}),
        ("pre_tokenizer", {"type": "Whitespace"}),
        ("post_processor", {"type": "RobertaProcessing"}),
        ("added_tokens", [{"content": "hello"}]),
    ],
)
def test_another_kind_of_tokenizer_is_left_to_the_library(pair, key, value):
    document = json.loads(pair[0].read_text())
    document[key] = value
    assert compile_wordpiece(document, LIMIT, lambda text: NOT_ASKED) is None


@pytest.mark.parametrize("text", ["\ud800 half a pair", None, 3])
def test_what_is_no_text_is_one_line(pair, text):
    with pytest.raises(ServingError, match="expected a text"):
        open_tokenizer(pair[0], LIMIT)(text)


def test_damaged_tokenizer_is_one_line(tmp_path):
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(ServingError, match=r"tokenizer\.json: not a tokenizers file"):
        open_tokenizer(tmp_path / "tokenizer.json", LIMIT)
