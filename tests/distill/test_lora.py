import sys
from copy import deepcopy
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AlbertConfig, AutoModelForSequenceClassification

from edgekd.config import Lora, Training
from edgekd.distill.lora import add_adapters, merge_adapters
from edgekd.distill.reference import reference_outputs
from edgekd.distill.teacher import load_teacher, teacher_tokens
from edgekd.distill.weights import load_headed
from edgekd.errors import ConfigError, MissingExtraError

TRAINING = Training(epochs=6, learning_rate=2e-3, batch=8)
KINDS = pytest.mark.parametrize("kind", ["bert", "mpnet"])
IDS = torch.tensor([[5, 9, 20, 30], [7, 7, 8, 9]])


class StopError(Exception):
    pass


@pytest.fixture
def location(kind, teacher_folder, mpnet_folder) -> str:
    return str({"bert": teacher_folder, "mpnet": mpnet_folder}[kind])


@pytest.fixture
def tune(tune_teacher):
    def tune(data, location, folder: Path, **changes):
        folder.mkdir(exist_ok=True)
        return tune_teacher(data, location, folder, **{"training": TRAINING, "lora": Lora(), **changes})

    return tune


@KINDS
@pytest.mark.long
def test_teacher_on_disk_is_an_ordinary_one_with_other_linear_weights(task_data, location, tmp_path, tune):
    teacher = tune(task_data, location, tmp_path / "made")
    rows = task_data.split("validation")
    logits = reference_outputs(load_teacher(teacher), teacher_tokens(teacher, rows.texts), threads=1)
    assert (
        logits.argmax(1) == rows.classes
    ).mean() > 0.6  # of three classes; its embeddings are random, and stay

    torch.manual_seed(0)
    before = load_headed(location, 3).state_dict()
    after = load_teacher(teacher).model.state_dict()
    assert after.keys() == before.keys()
    changed = {name for name in after if not torch.equal(after[name], before[name])}
    heads = {name for name in after if "classifier" in name or "pooler" in name}
    linear = {name for name in after if ".layer." in name and "LayerNorm" not in name and "bias" not in name}
    assert changed == heads | linear
    assert not [name for name in load_file(teacher.path / "model.safetensors") if "lora" in name]
    names = {path.name for path in teacher.path.iterdir()}
    assert names == {
        "config.json", "model.safetensors", "tokenizer.json", "teacher.json", "logs", "_resume"
    }  # fmt: skip


@KINDS
def test_merging_changes_no_answer(location):
    model = load_headed(location, 3).eval()
    with torch.inference_mode():
        plain = model(IDS).logits
    torch.manual_seed(1)
    handle = add_adapters(model, Lora(rank=4, alpha=16))
    with torch.no_grad():
        assert torch.equal(model(IDS).logits, plain)  # an adapter adds nothing before it learns
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(0, 0.05)
        adapted = model(IDS).logits
        merged = merge_adapters(handle).eval()(IDS).logits
    assert not torch.allclose(adapted, plain, atol=1e-3)
    torch.testing.assert_close(merged, adapted, atol=1e-5, rtol=0)


@KINDS
@pytest.mark.long
def test_killed_training_goes_on_to_the_same_bytes(task_data, location, tmp_path, tune):
    def stop(done: float, words: str) -> None:
        if done > 0.5:
            raise StopError

    settings = {"training": Training(epochs=2, batch=4), "lora": Lora(rank=4, dropout=0.1)}
    whole = tune(task_data, location, tmp_path / "whole", **settings)
    with pytest.raises(StopError):
        tune(task_data, location, tmp_path / "cut", **settings, on_progress=stop)
    seen = []
    cut = tune(task_data, location, tmp_path / "cut", **settings, on_progress=lambda d, w: seen.append(d))
    assert min(seen) > 0.5  # finished epochs are not run again
    for name in ("model.safetensors", "config.json", "tokenizer.json", "teacher.json"):
        assert (cut.path / name).read_bytes() == (whole.path / name).read_bytes()


@KINDS
def test_checkpoints_hold_what_is_trained_alone(task_data, location, tmp_path, tune):
    tune(task_data, location, tmp_path / "made", training=Training(epochs=1, batch=32))
    for end in ("weights", "best"):
        names = load_file(tmp_path / "made" / "_resume" / f"epoch-1.{end}").keys()
        assert any("lora_A" in name for name in names)
        assert all("lora_" in name or "classifier" in name or "pooler" in name for name in names)


@pytest.mark.long
def test_settings_of_adapters_decide_the_bytes(task_data, teacher_folder, tmp_path, tune):
    settings = {"rank": Lora(rank=2), "alpha": Lora(alpha=8), "dropout": Lora(dropout=0.5), "none": None}
    made = {
        tune(
            task_data, str(teacher_folder), tmp_path / name, lora=lora, training=Training(epochs=1, batch=32)
        ).path
        for name, lora in settings.items()
    }
    assert len({(path / "model.safetensors").read_bytes() for path in made}) == len(settings)


def test_missing_library_names_the_extra(teacher_folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(
        MissingExtraError, match=r'^peft is not installed; run: pip install "edgekd\[train\]"$'
    ):
        add_adapters(load_headed(str(teacher_folder), 3), Lora())


def test_encoder_without_a_list_of_layers_is_refused():
    config = AlbertConfig(
        num_hidden_layers=4, num_attention_heads=2, hidden_size=32, intermediate_size=32, embedding_size=16
    )
    model = AutoModelForSequenceClassification.from_config(deepcopy(config))
    with pytest.raises(ConfigError, match=r"has no list of 4 layers to cut or to adapt$"):
        add_adapters(model, Lora())
