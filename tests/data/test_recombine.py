import random
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from edgekd.data.noise import augment
from edgekd.data.recombine import Recombination

TEXTS = ["where is my order", "where is the next volume of it", "i want my money back"]


def test_a_splice_goes_over_where_both_hold_the_same_words():
    found = {
        " ".join(Recombination(TEXTS).splice(TEXTS[0].split(), random.Random(seed))) for seed in range(30)
    }
    assert found == {"where is the next volume of it", "where is my order"}  # two shared words come first
    one = ["want my order", "i sold my car"]
    found = {" ".join(Recombination(one).splice(one[0].split(), random.Random(seed))) for seed in range(30)}
    assert "want my car" in found and found <= {"want my car", "want my order"}


def test_a_replacement_was_seen_between_the_same_neighbours():
    texts = ["cancel my order please", "cancel the order please", "cancel this order please"]
    found = {" ".join(Recombination(texts).replace(texts[0].split(), random.Random(s))) for s in range(30)}
    assert found == {"cancel the order please", "cancel this order please"}
    alone = Recombination(["nothing shared"])
    assert alone.replace(["nothing", "shared"], random.Random(0)) == ["nothing", "shared"]
    assert alone.splice([], random.Random(0)) == alone.recombine([], random.Random(0)) == []


words = st.lists(st.sampled_from(["a", "b", "c", "d", "e", "f"]), max_size=8).map(" ".join)


@given(texts=st.lists(words, min_size=1, max_size=12), seed=st.integers(0, 99))
@settings(max_examples=200, deadline=None)
def test_only_neighbours_that_were_seen_stand_side_by_side_after_a_splice(texts, seed):
    pairs = {pair for text in texts for pair in pairwise(text.split())}
    for text in texts:
        made = Recombination(texts).splice(text.split(), random.Random(seed))
        assert set(pairwise(made)) <= pairs


def test_the_second_copy_of_three_is_recombined():
    texts = [
        f"{verb} {thing} for me" for verb in ("find", "cancel", "order") for thing in ("it", "this", "one")
    ]
    made = augment(texts, 40, seed=0)
    assert made == augment(texts, 40, seed=0)
    offered = {word for text in texts for word in text.split()}
    known = [set(text.split()) <= offered for text in made]
    sentences, changed = Recombination(texts), 0
    for i, text in enumerate(texts):
        for k in range(1, 40, 3):
            words = sentences.recombine(text.split(), random.Random(f"0:{i}:{k}:words"))
            if words != text.split():  # else noise takes its place
                changed += 1
                assert made[40 * i + k] == " ".join(words) and known[40 * i + k]
    assert changed > 9 * 13 / 2
    assert not all(known[0::40]) or not all(known[3::40])  # noise mistypes, recombination does not
