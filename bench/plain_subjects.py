"""How a student is usually served, as each tool's own documentation has it: measured by `plain.py`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Answer = Callable[[str], Any]


def open_plain(folder: str) -> Answer:
    """ONNX Runtime on a file of torch's exporter, with Hugging Face's tokenizer."""
    import numpy as np
    import onnxruntime as ort
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(f"{folder}/plain.onnx", options)
    names = [one.name for one in session.get_inputs()]
    labels = _labels(folder)

    def answer(text: str) -> str:
        given = tokenizer(text, truncation=True, return_tensors="np")
        logits = session.run(None, {name: given[name].astype(np.int64) for name in names})[0]
        return labels[int(logits.argmax())]

    return answer


def open_litert(folder: str) -> Answer:
    """LiteRT with signatures of 16, 32 and 64 tokens, by the tokenizers library."""
    import numpy as np
    from ai_edge_litert.interpreter import Interpreter
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(f"{folder}/tokenizer.json")
    interpreter = Interpreter(f"{folder}/plain.tflite", num_threads=1)
    runners = {size: interpreter.get_signature_runner(f"s{size}") for size in SIGNATURES}
    labels = _labels(folder)

    def answer(text: str) -> str:
        ids = tokenizer.encode(text).ids[: SIGNATURES[-1]]
        size = next(size for size in SIGNATURES if size >= len(ids))
        row, mask = np.zeros((1, size), np.int32), np.zeros((1, size), np.int32)
        row[0, : len(ids)], mask[0, : len(ids)] = ids, 1
        logits = next(iter(runners[size](input_ids=row, attention_mask=mask).values()))
        return labels[int(logits.argmax())]

    return answer


def open_openvino(folder: str, file: str) -> Answer:
    """OpenVINO on one thread, all else as it comes: any length, its own precision; the tokenizers library."""
    import numpy as np
    import openvino as ov
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(f"{folder}/tokenizer.json")
    model = ov.Core().compile_model(f"{folder}/{file}", "CPU", {"INFERENCE_NUM_THREADS": "1"})
    names = [one.get_any_name() for one in model.inputs]
    labels = _labels(folder)

    def answer(text: str) -> str:
        found = tokenizer.encode(text)
        parts = {
            "input_ids": found.ids,
            "attention_mask": found.attention_mask,
            "token_type_ids": found.type_ids,
        }
        logits = model({name: np.array([parts[name]], np.int64) for name in names})[0]
        return labels[int(logits.argmax())]

    return answer


SIGNATURES = (16, 32, 64)


def _labels(folder: str) -> list[str]:
    notes = json.loads(Path(folder, "config.json").read_text(encoding="utf-8"))["id2label"]
    return [notes[str(index)] for index in range(len(notes))]
