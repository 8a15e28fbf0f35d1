import json
import string
import sys
from pathlib import Path

import pytest
import sample_students as samples
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from edgekd.compile.characters import describe_characters
from edgekd.serving.characters import Characters
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


@pytest.fixture(scope="module")
def portable(pair, tmp_path_factory):
    """The same tokenizer with a table of characters beside it, and no library to fall back on."""
    path, true = pair
    document = json.loads(path.read_text())
    beside = tmp_path_factory.mktemp("characters") / "characters.txt"
    beside.write_text(describe_characters(document), encoding="ascii")

    def refuse(text):
        raise AssertionError(f"asked the library about {text!r}")

    return compile_wordpiece(document, LIMIT, refuse, beside), true, Characters(beside)


@pytest.mark.parametrize("pair", ["static"], indirect=True)
def test_every_code_point_becomes_what_the_library_makes_of_it(portable, pair):
    table = portable[2]
    library = Tokenizer.from_file(str(pair[0]))
    points = [point for point in range(sys.maxunicode + 1) if not 0xD800 <= point <= 0xDFFF]
    for start in range(0, len(points), 4096):
        text = "".join(f"ab{chr(point)}cd " for point in points[start : start + 4096])
        words = library.pre_tokenizer.pre_tokenize_str(library.normalizer.normalize_str(text))
        assert text.translate(table).split() == [word for word, _ in words], hex(points[start])


@given(st.text(max_size=60))
@settings(max_examples=500, deadline=None)
def test_any_text_is_cut_without_the_library(portable, text):
    short, true, _ = portable
    assert short(text) == true(text)


ALPHABETS = {
    "emoji": "🙂🚚❤️‍🔥👩🏽‍💻🇯🇵#️⃣ a",
    "cjk": "漫画の新刊はいつ出ますか。、「」ｱｲｳ한국어각힣 a1",
    "combining": "e\u0301a\u0308\u0327n\u0303\u302e\u1d165\u0344ﬁ ",
    "right to left": "أين طلبي رقم ١٢٣؟ שלום־עולם \u200f\u202b",
    "case": "İıßẞΣσςǅŐő𝐀 ",
    "special": ["[CLS]", "[SEP]", "[", "]", "CLS", " ", "[MASK]", "[UNK]", "é"],
}


@pytest.mark.parametrize("name", ALPHABETS)
@given(data=st.data())
@settings(max_examples=200, deadline=None)
def test_scripts_are_cut_without_the_library(portable, name, data):
    short, true, _ = portable
    text = data.draw(st.lists(st.sampled_from(ALPHABETS[name]), max_size=40).map("".join))
    assert short(text) == true(text)


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
def test_odd_texts(pair, portable, text):
    path, true = pair
    assert open_tokenizer(path, LIMIT)(text) == true(text) == portable[0](text)


def test_an_artifact_needs_no_tokenizers_library(artifact, monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    cut = open_tokenizer(artifact / "tokenizer.json", LIMIT)
    assert len(cut("漫画 🙂 naïve")) > 2
    with pytest.raises(ServingError, match="expected a text"):
        cut("\ud800 half a pair")


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


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("41 5a\n", "not a table of characters"),
        ("41 zz add 32\n", "not a table of characters"),
        ("41 5a jump 32\n", "expected one of"),
        ("é", "not a table of characters"),
    ],
)
def test_a_damaged_table_of_characters_is_one_line(text: str, said: str, tmp_path: Path):
    (tmp_path / "characters.txt").write_text(text, encoding="utf-8")
    with pytest.raises(ServingError, match=said):
        Characters(tmp_path / "characters.txt")
