import json

import pytest
import sample_students as samples
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from edgekd.compile.characters import describe_characters
from edgekd.serving.errors import ServingError
from edgekd.serving.pairs import open_pairs, open_towers, read_template

LIMIT = 16
TEXTS = st.text(max_size=60)


@pytest.fixture(scope="module", params=["wordpiece", "wordpiece alone", "roberta"])
def known(request, tmp_path_factory):
    """A tokenizer's file and the library's own tokenizer, which is the oracle."""
    path = tmp_path_factory.mktemp("tokens") / "tokenizer.json"
    if request.param == "roberta":
        tokenizer = Tokenizer(models.BPE({chr(n): n for n in range(256)} | {"<s>": 300, "</s>": 301}, []))
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Whitespace()])
        tokenizer.post_processor = processors.RobertaProcessing(("</s>", 301), ("<s>", 300))
        path.write_text(tokenizer.to_str(), encoding="utf-8")
    else:
        samples.write_tokenizer(samples.Sample("words", "transformer", LIMIT, 3000), path)
        if request.param == "wordpiece alone":
            table = describe_characters(json.loads(path.read_text()))
            path.with_name("characters.txt").write_text(table, encoding="ascii")
    return path, Tokenizer.from_file(str(path))


def make_pair(oracle, query, candidate):
    """Cut the query to half of the limit, then let the library cut the candidate and put both together."""
    whole = oracle.encode(query, add_special_tokens=False)
    whole.truncate(LIMIT // 2)
    other = oracle.encode(candidate, add_special_tokens=False)
    oracle.enable_truncation(LIMIT, strategy="only_second")
    try:
        return oracle.post_process(whole, other).ids
    finally:
        oracle.no_truncation()


@given(TEXTS, st.lists(TEXTS, max_size=4))
@settings(max_examples=300, deadline=None)
def test_pairs_are_the_librarys_own(known, query, candidates):
    path, oracle = known
    read = open_pairs(path, LIMIT)
    assert read(query, candidates) == [make_pair(oracle, query, one) for one in candidates]


@given(TEXTS, st.lists(TEXTS, max_size=4))
@example("x " * 40, ["y " * 30, "y " * 40, "y " * 50, "y", ""])
@example("x " * 5, ["y " * 30])
@settings(max_examples=100, deadline=None)
def test_pairs_may_be_cut_as_the_library_cuts_them(known, query, candidates):
    path, oracle = known
    oracle.enable_truncation(LIMIT)
    try:
        wanted = [oracle.encode(query, one).ids for one in candidates]
    finally:
        oracle.no_truncation()
    assert open_pairs(path, LIMIT, "longest")(query, candidates) == wanted


@given(TEXTS, st.lists(TEXTS, max_size=4))
@settings(max_examples=200, deadline=None)
def test_a_towers_sides_do_not_depend_on_each_other(known, query, candidates):
    path, oracle = known

    def cut(text, count):
        return oracle.encode(text, add_special_tokens=False).ids[:count]

    first, *rest = open_towers(path, LIMIT, 102)(query, candidates)
    assert first == (cut(query, LIMIT // 2) or [0])
    assert rest == [[102, *cut(one, LIMIT // 2 - 1)] for one in candidates]


def test_what_stands_around_a_pair(known):
    path, _ = known
    is_bert = path.read_text().find("TemplateProcessing") > 0
    assert read_template(path) == (([101], [102], [102]) if is_bert else ([300], [301, 301], [301]))


@pytest.mark.parametrize(
    ("words", "query", "candidate"), [("where is my order", "x " * 40, "y " * 40), ("", "", "")]
)
def test_the_candidate_alone_is_cut_until_the_query_is_half(known, words, query, candidate):
    read = open_pairs(known[0], LIMIT)
    assert {len(ids) for ids in read(query, [candidate, candidate])} == {
        LIMIT if query else len(read("", [""])[0])
    }
    (long,), (short,) = read(query, [words]), read(words, [candidate])
    assert len(long) <= LIMIT and len(short) <= LIMIT


def test_too_few_tokens_are_refused_in_one_line(known, tmp_path):
    for limit in (1, 2, 6):
        with pytest.raises(
            ServingError, match=r"tokenizer\.json: max_tokens is .*; a pair needs at least"
        ) as caught:
            open_pairs(known[0], limit)
        assert "\n" not in str(caught.value)
    with pytest.raises(ServingError, match=r"manifest\.json: cut: expected 'longest', got 'left'"):
        open_pairs(known[0], LIMIT, "left")
    with pytest.raises(ServingError, match="max_tokens is 1; a query and a candidate need at least 2"):
        open_towers(known[0], 1, 102)
    (tmp_path / "tokenizer.json").write_text("[]")
    with pytest.raises(ServingError, match="not a tokenizers file"):
        open_pairs(tmp_path / "tokenizer.json", 16)
    with pytest.raises(ServingError, match="expected a text of Unicode characters"):
        open_pairs(known[0], LIMIT)("a", ["\ud800"])
