"""The measured callables, from one text to its label; imported in the peers' own environments.

Each is the peer's documented call. What is set beside it is what every row has: one thread, no padding to a
fixed length, texts cut at the tokenizer's own limit.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Answer = Callable[[str], str]


def open_optimum(folder: str, threads: str) -> Answer:
    """Optimum's model class with transformers' tokenizer."""
    from optimum.onnxruntime import ORTModelForSequenceClassification
    from transformers import AutoTokenizer

    model = ORTModelForSequenceClassification.from_pretrained(folder, session_options=options(threads))
    tokenizer = AutoTokenizer.from_pretrained(folder)
    labels = model.config.id2label

    def answer(text: str) -> str:
        logits = model(**tokenizer(text, truncation=True, return_tensors="np")).logits
        return str(labels[int(logits[0].argmax())])

    return answer


def open_sentence_onnx(folder: str, threads: str) -> Answer:
    """The cross-encoder of sentence-transformers, its class for sequence classification, on one text."""
    return _name_label(cross_encoder_onnx(folder, threads))


def open_sentence_openvino(folder: str, threads: str) -> Answer:
    """The same on OpenVINO; not pinned, else its thread sits on the first core, whatever the process's is."""
    return _name_label(cross_encoder_openvino(folder, threads))


def cross_encoder_onnx(folder: str, threads: str) -> Any:
    """Open the `CrossEncoder` of a folder on ONNX Runtime."""
    settings = {"provider": "CPUExecutionProvider", "session_options": options(threads)}
    return _open_cross_encoder(folder, "onnx", settings)


def cross_encoder_openvino(folder: str, threads: str) -> Any:
    """Open it on OpenVINO."""
    config = {"INFERENCE_NUM_THREADS": threads, "ENABLE_CPU_PINNING": "NO", "PERFORMANCE_HINT": "LATENCY"}
    return _open_cross_encoder(folder, "openvino", {"ov_config": config})


def _open_cross_encoder(folder: str, backend: str, settings: dict[str, Any]) -> Any:
    from sentence_transformers import CrossEncoder

    file = next((Path(folder) / backend).glob("*.onnx" if backend == "onnx" else "*.xml")).name
    settings["file_name"] = f"{backend}/{file}"
    return CrossEncoder(folder, backend=backend, device="cpu", model_kwargs=settings)


def _name_label(model: Any) -> Answer:
    labels = model.config.id2label

    def answer(text: str) -> str:
        return str(labels[int(model.predict(text, show_progress_bar=False).argmax())])

    return answer


def open_olive(folder: str, threads: str) -> Answer:
    """What Olive made is a plain ONNX file: ONNX Runtime with transformers' tokenizer."""
    import onnxruntime
    from transformers import AutoTokenizer

    session = onnxruntime.InferenceSession(f"{folder}/model.onnx", options(threads))
    tokenizer = AutoTokenizer.from_pretrained(folder)
    labels = json.loads((Path(folder) / "config.json").read_text(encoding="utf-8"))["id2label"]
    names = {value.name for value in session.get_inputs()}

    def answer(text: str) -> str:
        arrays = tokenizer(text, truncation=True, return_tensors="np")
        given = {name: array for name, array in arrays.items() if name in names}
        return str(labels[str(int(session.run(None, given)[0][0].argmax()))])

    return answer


def open_bare_onnx(folder: str, threads: str) -> Answer:
    """A peer's ONNX file without the peer: our tokenizer, and `run` on three arrays."""
    import numpy as np
    import onnxruntime

    session = onnxruntime.InferenceSession(str(next(Path(folder).rglob("*.onnx"))), options(threads))
    names = [value.name for value in session.get_inputs()]

    def run(ids: Any) -> Any:
        ones, zeros = np.ones_like(ids), np.zeros_like(ids)
        arrays = {"input_ids": ids, "attention_mask": ones, "token_type_ids": zeros}
        return session.run(None, {name: arrays[name] for name in names})[0]

    return _in_our_loop(Path(folder), run)


def open_bare_openvino(folder: str, threads: str) -> Answer:
    """A peer's OpenVINO file without the peer, in the precision that OpenVINO chooses by itself."""
    import numpy as np
    import openvino as ov

    config = {"INFERENCE_NUM_THREADS": threads, "ENABLE_CPU_PINNING": "NO", "PERFORMANCE_HINT": "LATENCY"}
    model = ov.Core().compile_model(str(next(Path(folder).rglob("*.xml"))), "CPU", config)
    request, names = model.create_infer_request(), [value.get_any_name() for value in model.inputs]

    def run(ids: Any) -> Any:
        ones, zeros = np.ones_like(ids), np.zeros_like(ids)
        arrays = {"input_ids": ids, "attention_mask": ones, "token_type_ids": zeros}
        return request.infer({name: arrays[name] for name in names}, share_inputs=True, share_outputs=True)[0]

    return _in_our_loop(Path(folder), run)


def _in_our_loop(folder: Path, run: Callable[[Any], Any]) -> Answer:
    import numpy as np

    from edgekd.serving.tokenize import open_tokenizer

    settings = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    labels = json.loads((folder / "config.json").read_text(encoding="utf-8"))["id2label"]
    tokenize = open_tokenizer(folder / "tokenizer.json", settings["model_max_length"])

    def answer(text: str) -> str:
        return str(labels[str(int(run(np.array([tokenize(text) or [0]], np.int64))[0].argmax()))])

    return answer


def options(threads: str) -> Any:
    """Return options of an ONNX Runtime session with so many threads."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(threads)
    return options
