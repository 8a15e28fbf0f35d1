"""Who is measured: each peer's exported model, its environment, and the call that its users make."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
STUDY = ROOT / "bench" / "studies" / "clinc150.yaml"
ENVIRONMENTS = HERE / ".venvs"
WORK = HERE / ".edgekd"
STUDENT = WORK / "student"
"""The student as a Hugging Face folder: what every peer is given."""
TEXTS = WORK / "texts.json"
"""`timed`, `test` and `calibration` texts, and the `truth` of the test ones."""
ANSWERS = WORK / "answers"
BENCH = WORK / "bench"
THREADS = "1"


@dataclass(frozen=True)
class Entry:
    """One row of the table.

    Attributes:
        engine: what runs the model; a peer is compared with ours on the same engine.
        environment: folder in `ENVIRONMENTS` whose interpreter runs it; empty is this one.
        factory: what the measured process calls with the entry's folder and the number of threads.
        model: its folder in `WORK`.
        call: how a text is answered, in words.
        is_wrapped: whether a text goes through the peer's own wrapper and tokenizer.
    """

    name: str
    engine: Literal["onnxruntime", "openvino"]
    environment: str
    factory: str
    model: str
    call: str
    is_wrapped: bool = True

    @property
    def folder(self) -> Path:
        """Where its model lies."""
        return WORK / self.model

    @property
    def python(self) -> str:
        """Interpreter of its processes."""
        return str(ENVIRONMENTS / self.environment / "bin" / "python") if self.environment else sys.executable


_OURS = "edgekd.serving.subject:open_subject"
_BARE = "our tokenizer and loop around the peer's file"
ENTRIES = (
    Entry("edgekd onnxruntime", "onnxruntime", "", _OURS, "ours-onnxruntime", "`load(folder)(text)`"),
    Entry("edgekd openvino", "openvino", "", _OURS, "ours-openvino", "`load(folder)(text)`"),
    Entry("Optimum", "onnxruntime", "optimum", "subjects:open_optimum", "optimum",
          "`ORTModelForSequenceClassification` on `AutoTokenizer`'s arrays"),
    Entry("sentence-transformers ONNX", "onnxruntime", "optimum", "subjects:open_sentence_onnx",
          "sentence-onnx", '`CrossEncoder(folder, backend="onnx").predict(text)`'),
    Entry("sentence-transformers OpenVINO", "openvino", "openvino", "subjects:open_sentence_openvino",
          "sentence-openvino", '`CrossEncoder(folder, backend="openvino").predict(text)`'),
    Entry("Olive", "onnxruntime", "olive", "subjects:open_olive", "olive",
          "`onnxruntime.InferenceSession.run` on `AutoTokenizer`'s arrays"),
    Entry("Optimum's file", "onnxruntime", "", "subjects:open_bare_onnx", "optimum", _BARE, False),
    Entry("Olive's file", "onnxruntime", "", "subjects:open_bare_onnx", "olive", _BARE, False),
    Entry("sentence-transformers' OpenVINO file", "openvino", "", "subjects:open_bare_openvino",
          "sentence-openvino", _BARE, False),
)  # fmt: skip


def ours(engine: str) -> Entry:
    """Return our own entry on an engine."""
    return next(entry for entry in ENTRIES if entry.engine == engine)
