import json
from pathlib import Path

import pytest
import torch

from edgekd.config import Columns, Data, Emphasis, Training
from edgekd.data.load import load_data
from edgekd.distill.examples import Examples, Lesson, Session
from edgekd.distill.fine_tune import Checkpoint, fine_tune
from edgekd.distill.learners.classify import classify_rows
from edgekd.distill.logs.training_events import EpochSummary
from edgekd.distill.teacher import open_teacher
from edgekd.distill.weighing import weigh_rows
from edgekd.distill.weights import quiet
from edgekd.progress import silent


@pytest.fixture(autouse=True)
def one_thread():
    """Tensors are tiny here: a second thread only waits, and on a busy machine waits long."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def task_data(tmp_path_factory):
    """Short messages of three intents; what they ask for is in their words."""
    folder = tmp_path_factory.mktemp("rows")
    asks = {
        "order": ["where is my parcel", "has my order shipped", "track the delivery"],
        "return": ["i want to send it back", "start a return", "give me a refund"],
        "advice": ["recommend a series", "what should i read next", "a gift idea"],
    }
    tails = ["", " please", " today", " thanks a lot for your help", " asap", " again", " 漫画"]
    rows = []
    counts = {"train": 120, "calibration": 9, "validation": 45, "test": 9}
    for place, (split, count) in enumerate(counts.items()):
        for i in range(count):
            intent = list(asks)[i % 3]
            text = f"{asks[intent][i // 3 % 3]}{tails[i % 7]} {200 * place + i}"  # no text is in two splits
            rows.append({"text": text, "label": intent, "split": split})
    path = folder / "rows.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return load_data(Data(source="rows.jsonl", columns=Columns(split="split")), folder)


@pytest.fixture(scope="session")
def tune_teacher():
    """Fine-tune a checkpoint on rows with classes, as the pipeline does; returns the opened teacher."""

    def tune(data, location, folder, *, emphasis=Emphasis(), seed=0, on_progress=silent, **checkpoint):  # noqa: B008
        train, validation = data.split("train"), data.split("validation")
        learner = classify_rows(data.outputs, emphasis, "teacher")
        weighing = weigh_rows(train, emphasis, "teacher", by_target=learner.weigh(train.classes))
        learn, judged = (Examples(part.texts, part.classes) for part in (train, validation))
        made = Checkpoint(**{"name": "tuned", "location": str(location), "max_tokens": 32, **checkpoint})
        fine_tune(
            made, Lesson(learner, learn, judged, weighing), folder, Session("intent", seed, 1), on_progress
        )
        return open_teacher(folder, "the teacher's digest")

    return tune


@pytest.fixture(scope="session")
def teacher(task_data, teacher_folder, tune_teacher, tmp_path_factory):
    """The small BERT, fine-tuned on the rows."""
    training = Training(epochs=6, learning_rate=2e-3, batch=8)
    return tune_teacher(task_data, teacher_folder, tmp_path_factory.mktemp("tuned"), training=training)


@pytest.fixture(scope="session")
def mpnet_folder(tmp_path_factory) -> Path:
    """A real MPNet, two layers wide 64, with a tokenizer of its kind; its weights are random."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import MPNetConfig, MPNetForSequenceClassification, PreTrainedTokenizerFast

    folder: Path = tmp_path_factory.mktemp("mpnet")
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    words = (
        "where is my parcel order shipped track delivery want send return refund gift read next please again"
    )
    tokens = ["<s>", "<pad>", "</s>", "<unk>", *(f"[unused{i}]" for i in range(40)), "[UNK]"]
    tokens += [*letters, *(f"##{letter}" for letter in letters), *words.split(), "<mask>"]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    named = {"bos": "<s>", "pad": "<pad>", "eos": "</s>", "unk": "[UNK]", "mask": "<mask>"}
    names = {f"{name}_token": token for name, token in named.items()}
    torch.manual_seed(0)
    shape = {"num_hidden_layers": 2, "num_attention_heads": 2, "hidden_size": 64, "intermediate_size": 128}
    with quiet():
        PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names).save_pretrained(folder)
        MPNetForSequenceClassification(MPNetConfig(vocab_size=len(tokens), **shape)).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def epochs_of():
    """Make epoch summaries from columns of equal length; `None` stands for a figure that is absent."""

    def make(**columns: list) -> tuple[EpochSummary, ...]:
        rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        named = {"task": "intent", "student": "small", "teacher": "big", "train_loss": 1.0, "val_loss": 1.0}
        return tuple(
            EpochSummary(
                **{**named, "epoch": i, **{k: v for k, v in row.items() if v is not None}}, time=float(i)
            )
            for i, row in enumerate(rows, 1)
        )

    return make


@pytest.fixture(scope="session")
def response_epochs(golden, epochs_of) -> tuple[EpochSummary, ...]:
    """The worked epochs of a response model, with refusal precision."""
    table = golden["response_epochs"]
    columns = dict(zip(table["columns"], map(list, zip(*table["rows"], strict=True)), strict=True))
    columns["human_win_rate_vs_base"] = columns.pop("human_win_rate")
    return epochs_of(**columns)


@pytest.fixture(scope="session")
def promotion_epochs(golden, epochs_of) -> tuple[EpochSummary, ...]:
    """The worked epochs of the promotion score."""
    names = {
        "train_kd_loss": "train_loss",
        "eval_hard_loss": "val_loss",
        "teacher_match": "teacher_preference_match",
        "hallucination": "hallucination_rate",
        "ece": "calibration_ece",
    }
    table = golden["promotion_score"]
    columns = zip(table["columns"], map(list, zip(*table["rows"], strict=True)), strict=True)
    return epochs_of(**{names.get(name, name): values for name, values in columns})
