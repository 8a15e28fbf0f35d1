"""ONNX Runtime on the CPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

MODEL = "model.onnx"
"""Name of the compiled model in the artifact."""
PRECISION: Mapping[str, str] = {}
"""Hints that decide the precision of the answers; recorded in the manifest, and read from there."""
LIBRARIES = ("onnxruntime",)
"""Packages whose versions are recorded."""

_ERRORS_ONLY = 3


class _Session:
    def __init__(self, session: ort.InferenceSession, name: str, output: str) -> None:
        self._run = session.run
        self._input = name
        self._outputs = [output]

    def run(self, ids: Sequence[int]) -> npt.NDArray[np.float32]:
        """Return the logits [label] of one text."""
        row: npt.NDArray[np.float32] = self._run(self._outputs, {self._input: np.array([ids], np.int64)})[0][
            0
        ]
        return row

    def run_batch(self, ids: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Return the logits [text, label] of texts of equal length."""
        rows: npt.NDArray[np.float32] = self._run(self._outputs, {self._input: ids})[0]
        return rows


def open_session(folder: Path, manifest: Mapping[str, Any], threads: int) -> _Session:
    """Open the ONNX model; graph optimisation happens here, on the machine that runs it.

    Optimising ahead of time would fix the layouts of the compiling machine's instruction set.
    At batch 1, memory patterns on and the plain `run` were the fastest forms that keep no state
    between calls (IOBinding saves 5 microseconds only with buffers kept per length).
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = _ERRORS_ONLY
    session = ort.InferenceSession(
        str(folder / manifest["model"]), options, providers=["CPUExecutionProvider"]
    )
    return _Session(session, manifest["input"]["name"], manifest["output"]["name"])
