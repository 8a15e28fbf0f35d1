"""A model file as `gains.py` measures it: our tokenizer, one session, the class as the answer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path


def open_model(file: str, tokenizer: str) -> Callable[[str], int]:
    """Open an ONNX file of ids alone, or of ids, mask and token types."""
    import numpy as np
    import onnxruntime as ort

    from edgekd.serving.tokenize import open_tokenizer

    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = ort.InferenceSession(file, options)
    tokenize = open_tokenizer(Path(tokenizer), 64)
    names = [one.name for one in session.get_inputs()]
    kinds = {"token_type_ids": 0, "attention_mask": 1}

    def answer(text: str) -> int:
        ids = np.array([tokenize(text) or [0]], np.int64)
        given = {name: np.full_like(ids, kinds[name]) if name in kinds else ids for name in names}
        return int(session.run(None, given)[0].argmax())

    return answer
