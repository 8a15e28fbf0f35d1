import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from edgekd.config import Training
from edgekd.distill.fine_tune import Checkpoint, adopt
from edgekd.distill.learners.classify import Classify
from edgekd.distill.reference import reference_outputs
from edgekd.distill.teacher import load_teacher, open_teacher, teacher_tokens
from edgekd.errors import ConfigError


def logits_of(teacher, task_data):
    tokens = teacher_tokens(teacher, task_data.split("validation").texts)
    return reference_outputs(load_teacher(teacher), tokens, threads=1)


def test_fine_tuned_teacher_knows_its_rows(task_data, teacher):
    assert teacher.outputs == task_data.outputs == ("advice", "order", "return")
    logits = logits_of(teacher, task_data)
    assert logits.shape == (45, 3) and logits.dtype == np.float32
    assert (logits.argmax(1) == task_data.split("validation").classes).mean() > 0.9
    config = json.loads((teacher.path / "config.json").read_text(encoding="utf-8"))
    assert config["id2label"] == {"0": "advice", "1": "order", "2": "return"}
    assert not load_teacher(teacher).training


def test_fine_tuning_twice_gives_the_same_bytes(task_data, teacher_folder, tune_teacher, tmp_path):
    found = []
    for name, seed in (("one", 0), ("two", 0), ("three", 1)):
        folder = tmp_path / name
        training = Training(epochs=1, learning_rate=1e-3, batch=32)
        tune_teacher(task_data, teacher_folder, folder, seed=seed, training=training)
        found.append((folder / "model.safetensors").read_bytes())
    assert found[0] == found[1] != found[2]


def reorder(teacher, folder, order, names):
    """Write the teacher with its head's rows in another order: row i is the old row order[i]."""
    shutil.copytree(teacher.path, folder, ignore=shutil.ignore_patterns("_resume", "logs"))
    state = load_file(folder / "model.safetensors")
    for key in ("classifier.weight", "classifier.bias"):
        state[key] = torch.stack([state[key][i] for i in order])
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config["id2label"] = {str(i): name for i, name in enumerate(names)}
    config["label2id"] = {name: i for i, name in enumerate(names)}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (folder / "teacher.json").unlink()
    return str(folder)


@pytest.mark.parametrize(
    ("order", "names"),
    [
        ((0, 1, 2), ("advice", "order", "return")),
        ((1, 2, 0), ("order", "return", "advice")),
        ((2, 1, 0), ("return", "order", "advice")),
        ((2, 2, 0, 1), ("return", "spam", "advice", "order")),  # knows more than the task asks
    ],
)
def test_adopted_teacher_answers_in_the_task_s_order(task_data, teacher, tmp_path, order, names):
    location = reorder(teacher, tmp_path / "other", order, names)
    adopt(Checkpoint("adopted", location, 32), Classify(task_data.outputs), tmp_path / "made")
    adopted = open_teacher(tmp_path / "made", "digest")
    assert adopted.outputs == task_data.outputs
    found = logits_of(adopted, task_data)
    assert found == pytest.approx(logits_of(teacher, task_data), abs=1e-5)


def test_adopted_teacher_must_know_every_label(task_data, teacher, tmp_path):
    location = reorder(teacher, tmp_path / "other", (0, 1), ("advice", "order"))
    with pytest.raises(ConfigError, match=r"other: does not know the label 'return'; fine-tune it \("):
        adopt(Checkpoint("adopted", location, 32), Classify(task_data.outputs), tmp_path / "made")


def spoil_weights(folder):
    data = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(data[: len(data) // 2])


def write_nonsense(folder):
    (folder / "model.safetensors").write_bytes(b"\xff" * 100)


@pytest.mark.parametrize(
    "spoil",
    [
        spoil_weights,
        write_nonsense,
        lambda folder: (folder / "model.safetensors").unlink(),
        lambda folder: (folder / "config.json").write_text("{"),
        lambda folder: (folder / "config.json").write_text('{"model_type": "abacus"}'),
        lambda folder: (folder / "tokenizer.json").write_text("{"),
    ],
    ids=["cut weights", "no weights", "missing weights", "no JSON", "unknown kind", "no tokenizer"],
)
def test_checkpoint_that_cannot_be_read_is_a_configuration_error(task_data, teacher, tmp_path, spoil):
    location = reorder(teacher, tmp_path / "other", (0, 1, 2), ("advice", "order", "return"))
    for file in ("vocab.txt", "tokenizer_config.json", "special_tokens_map.json"):
        (tmp_path / "other" / file).unlink(missing_ok=True)
    spoil(tmp_path / "other")
    with pytest.raises(ConfigError) as error:
        adopt(Checkpoint("adopted", location, 32), Classify(task_data.outputs), tmp_path / "made")
    assert "other" in str(error.value) and "\n" not in str(error.value)
