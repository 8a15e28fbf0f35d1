"""What a checkpoint or a shape cannot do is said before anything trains."""

import pytest

from edgekd.distill.weights import quiet


@pytest.fixture(scope="module")
def short_teacher(tmp_path_factory, teacher_folder):
    """The small BERT with 64 places."""
    import shutil

    from transformers import BertConfig, BertForSequenceClassification

    folder = tmp_path_factory.mktemp("short") / "teacher"
    shutil.copytree(teacher_folder, folder)
    shape = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 128}
    with quiet():
        BertForSequenceClassification(BertConfig(**shape, max_position_embeddings=64)).save_pretrained(folder)
    return folder


NARROW = "{kind: narrow, name: n, layers: 2, width: 32, heads: 2, feed_forward: 64, max_tokens: 80}\n"
CUT = "{kind: transformer, name: c, layers: [0, 2, -1]}\n"
OWN = "{kind: transformer, name: own, layers: [0, 5], weights: ./teacher}\n"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            [],
            "'./teacher' has 64 places for tokens, and max_tokens is 128: set teacher.max_tokens to 64",
        ),
        (
            ["students=[cut-2l]", "teacher.max_tokens=65"],
            "max_tokens is 65: set teacher.max_tokens to 64 or less",
        ),
        (
            ["students=[n]", "teacher.max_tokens=64"],
            "students: 'n' has 64 places for tokens, and max_tokens is 80",
        ),
        (
            ["students=[{model: cut-2l, max_tokens: 100}]", "teacher.max_tokens=64"],
            "students: 'cut-2l' has 64 places for tokens, and max_tokens is 100: set max_tokens beside",
        ),
        (
            ["students=[c]", "teacher.max_tokens=64"],
            "students: 'c': layers [0, 2, -1] must be different and within",
        ),
        (["students=[own]", "teacher.max_tokens=64"], "students: 'own': layers [0, 5] must be different"),
        (
            ["students=[cut-2l]", "teacher.max_tokens=64", "distillation.features.layers={3: 1}"],
            "students: 'cut-2l': layer map",
        ),
    ],
)
def test_said_before_anything_trains(speak, small_project, short_teacher, settings, words):
    (small_project.parent / "teacher").unlink()
    (small_project.parent / "teacher").symlink_to(short_teacher)
    for name, text in {"n": NARROW, "c": CUT, "own": OWN}.items():
        (small_project.parent / "models" / f"{name}.yaml").write_text(text, encoding="utf-8")
    said = speak("run", small_project, *(word for setting in settings for word in ("--set", setting)))
    assert said.code == 2 and len(said.errors) == 1 and words in said.errors[0]
    assert "teacher: done" not in said.stderr
