from edgekd.curate.drift.lexicon import Lexicon
from edgekd.curate.words import split_words


def test_words_are_told_apart_in_any_script():
    words = split_words(["Where's MY order 74?", "", "注文は", "où  est-il"])
    assert words.known.to_pylist() == ["where", "s", "my", "order", "74", "注", "文", "は", "où", "est", "il"]
    assert words.starts.tolist() == [0, 5, 5, 8, 11] and len(words) == 4
    assert len(split_words([])) == 0


def test_typing_errors_are_no_new_words():
    lexicon = Lexicon.of(["where is my order", "recommend a series"])
    texts = ["wher is my order", "my ordder", "my oredr", "my otder", "where is my order 12"]
    texts += ["my frieren recommend", "frieren series", "", "m order"]
    found = lexicon.look(split_words(texts))
    assert found.misspelt.tolist() == [True, True, True, True, False, False, False, False, False]
    assert found.new.tolist() == [False] * 5 + [True, True, False, True] and found.words[0] == ("frieren", 2)
