"""OpenVINO on the CPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import openvino as ov

MODEL = "model.xml"
"""Name of the compiled model in the artifact; its weights lie in `model.bin`."""
PRECISION: Mapping[str, str] = {"INFERENCE_PRECISION_HINT": "f32"}
"""Hints that decide the precision of the answers; recorded in the manifest, and read from there."""
LIBRARIES = ("openvino",)
"""Packages whose versions are recorded."""


class _Session:
    def __init__(self, model: ov.CompiledModel) -> None:
        self._infer = model.create_infer_request().infer

    def run(self, ids: Sequence[int]) -> npt.NDArray[np.float32]:
        """Return the logits [label] of one text."""
        # Shared buffers save two copies; the next call overwrites them, so the row is copied.
        rows = self._infer([np.array([ids], np.int64)], share_inputs=True, share_outputs=True)[0]
        row: npt.NDArray[np.float32] = rows[0].copy()
        return row

    def run_batch(self, ids: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Return the logits [text, label] of texts of equal length."""
        rows: npt.NDArray[np.float32] = self._infer([ids], share_inputs=True)[0]
        return rows


def open_session(folder: Path, manifest: Mapping[str, Any], threads: int) -> _Session:
    """Compile the model for this CPU.

    The precision hint is the manifest's: where the CPU can, OpenVINO's own default is bf16,
    which answers differently from machine to machine. Its thread is not pinned: it would sit
    on the first core whatever the process was bound to, up to 3 times slower beside a neighbour.
    """
    core = ov.Core()
    config = {
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": "1",
        "ENABLE_CPU_PINNING": "NO",
        "INFERENCE_NUM_THREADS": str(threads),
        "INFERENCE_PRECISION_HINT": manifest["precision"]["INFERENCE_PRECISION_HINT"],
    }
    return _Session(core.compile_model(str(folder / manifest["model"]), "CPU", config))
