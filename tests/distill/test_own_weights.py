"""A student that starts from a checkpoint of its own, with that one's tokenizer; adapters in its layers."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file

from edgekd.config import Distillation, FeatureStage, Lora, Training, TransformerModel
from edgekd.distill.distil import distil
from edgekd.distill.examples import Examples, Lesson, Session
from edgekd.distill.learners.classify import classify_as_taught
from edgekd.distill.reference import reference_outputs
from edgekd.distill.student import load_module, open_student, student_tokens
from edgekd.distill.teacher import load_teacher, teacher_tokens
from edgekd.distill.weights import load_headed
from edgekd.errors import ConfigError

TRAINING = Training(epochs=3, learning_rate=5e-3, batch=16)


@pytest.fixture(scope="module")
def lesson(teacher, task_data):
    parts = []
    for split in ("train", "validation"):
        rows = task_data.split(split)
        says = reference_outputs(load_teacher(teacher), teacher_tokens(teacher, rows.texts), threads=1)
        parts.append(Examples(rows.texts, rows.classes, says))
    return Lesson(classify_as_taught(teacher.outputs, Distillation()), *parts)


def shape(weights, **more):
    named = {"vocabulary": 256, "max_tokens": 32, "training": TRAINING, "layers": (0, 1), "name": "t", **more}
    return TransformerModel(kind="transformer", weights=weights and str(weights), **named)


def teach(model, teacher, lesson, folder, features=None):
    folder.mkdir()
    distil(model, teacher, lesson, folder, Session("intent", 0, 1), features=features)
    return open_student(folder, "digest")


def agreement(student, task_data):
    rows = task_data.split("validation")
    outputs = reference_outputs(load_module(student), student_tokens(student, rows.texts), threads=1)
    return (outputs.argmax(1) == rows.classes).mean()


def test_it_learns_with_its_own_tokens_and_layers(teacher, mpnet_folder, task_data, lesson, tmp_path):
    student = teach(shape(mpnet_folder), teacher, lesson, tmp_path / "one")
    assert agreement(student, task_data) > 0.5  # of three classes
    config = json.loads((student.path / "config.json").read_text("utf-8"))
    assert config["model_type"] == "mpnet" and list(config["id2label"].values()) == list(teacher.outputs)
    own, other = (
        json.loads((folder / "tokenizer.json").read_text("utf-8"))["model"]["vocab"]
        for folder in (student.path, mpnet_folder)
    )
    assert own == other


def test_features_need_the_teacher_s_tokens(
    teacher, mpnet_folder, teacher_folder, lesson, task_data, tmp_path
):
    features = FeatureStage(epochs=1)
    with pytest.raises(ConfigError, match="another tokenizer than the teacher's"):
        teach(shape(mpnet_folder), teacher, lesson, tmp_path / "other", features)
    model = shape(teacher_folder, layers=(0,), vocabulary=3500, training=Training(epochs=1, batch=32))
    student = teach(model, teacher, lesson, tmp_path / "same", features)
    assert load_module(student).model.config.num_hidden_layers == 1


def test_a_token_without_a_row_is_refused(teacher, mpnet_folder, lesson, tmp_path):
    odd = shutil.copytree(mpnet_folder, tmp_path / "odd")
    document = json.loads((odd / "tokenizer.json").read_text("utf-8"))
    document["added_tokens"].append({**document["added_tokens"][0], "id": 4000, "content": "<new>"})
    (odd / "tokenizer.json").write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"has the token '<new>' with the id \d+, and its table"):
        teach(shape(odd), teacher, lesson, tmp_path / "one")


@pytest.mark.parametrize("own", [True, False])
def test_adapters_train_a_student_and_are_merged(own, teacher, mpnet_folder, task_data, lesson, tmp_path):
    training = Training(epochs=1, learning_rate=5e-3, batch=32)
    weights, lora = mpnet_folder if own else None, Lora(rank=4, alpha=32)
    student = teach(shape(weights, lora=lora, training=training), teacher, lesson, tmp_path / "one")
    state = load_file(student.path / "model.safetensors")
    assert not [name for name in state if "lora" in name]
    torch.manual_seed(0)
    before = load_headed(str(mpnet_folder) if own else str(teacher.path), 3).state_dict()
    linear = [name for name in state if ".layer." in name and name.endswith("weight") and "Norm" not in name]
    assert linear and not any(torch.equal(state[name], before[name]) for name in linear)
    biases = [name for name in state if ".layer." in name and name.endswith("bias")]
    assert biases and all(torch.equal(state[name], before[name]) for name in biases)
    resumed = load_file(student.path / "_resume" / "epoch-1.weights")
    assert all("lora_" in name or "classifier" in name or "pooler" in name for name in resumed)
