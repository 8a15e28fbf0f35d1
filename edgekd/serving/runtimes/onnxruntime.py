"""ONNX Runtime on the CPU."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime as ort

if TYPE_CHECKING:
    import numpy.typing as npt

    # What runs a bound length, the binding, its ids [token] and its outputs [output].
    _Bound = tuple[Callable[[Any], None], Any, npt.NDArray[np.int64], npt.NDArray[np.float32]]

MODEL = "model.onnx"
"""Name of the compiled model in the artifact."""
PRECISION: Mapping[str, str] = {}
"""Hints that decide the precision of the answers; recorded in the manifest, and read from there."""
LIBRARIES = ("onnxruntime",)
"""Packages whose versions are recorded."""

_ERRORS_ONLY = 3

# `quiet.py` has stopped everything before the import. This stops the events where a program had imported the
# library before the loader, and on Windows, where no variable does.
ort.disable_telemetry_events()


class _Session:
    def __init__(self, session: ort.InferenceSession, name: str, output: str) -> None:
        self._session = session
        self._input = name
        self._output = output
        shape = session.get_outputs()[0].shape
        self._width = shape[-1] if shape and isinstance(shape[-1], int) else None
        self._bound: dict[int, _Bound] = {}

    def run(self, ids: Sequence[int]) -> npt.NDArray[np.float32]:
        """Return the outputs [output] of one text."""
        if self._width is None:
            first: npt.NDArray[np.float32] = self.run_batch(np.array([ids], np.int64))[0]
            return first
        bound = self._bound.get(len(ids)) or self._bind(len(ids), self._width)
        run, binding, row, outputs = bound
        row[:] = ids
        run(binding)
        return outputs.copy()

    def run_batch(self, ids: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Return the outputs [text, output] of texts of equal length."""
        rows: npt.NDArray[np.float32] = self._session.run([self._output], {self._input: ids})[0]
        return rows

    def _bind(self, tokens: int, width: int) -> _Bound:
        """Keep buffers for one length: a sixth of a static student's time against a plain `run`."""
        ids = np.zeros((1, tokens), np.int64)
        outputs = np.empty((1, width), np.float32)
        binding = self._session.io_binding()
        binding.bind_input(self._input, "cpu", 0, np.int64, ids.shape, ids.ctypes.data)
        binding.bind_output(self._output, "cpu", 0, np.float32, outputs.shape, outputs.ctypes.data)
        self._bound[tokens] = bound = (self._session.run_with_iobinding, binding, ids[0], outputs[0])
        return bound


def open_session(folder: Path, manifest: Mapping[str, Any], threads: int) -> _Session:
    """Open the ONNX model; graph optimisation happens here, on the machine that runs it.

    Optimising ahead of time would fix the layouts of the compiling machine's instruction set.
    Memory patterns and the arena stay on: without them a call takes 3 % longer at batch 1.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Arm's own kernels for processors with SME answer otherwise than all others: 7 to 10 of 200 width.
    options.add_session_config_entry("mlas.disable_kleidiai", "1")
    options.log_severity_level = _ERRORS_ONLY
    session = ort.InferenceSession(
        str(folder / manifest["model"]), options, providers=["CPUExecutionProvider"]
    )
    return _Session(session, manifest["input"]["name"], manifest["output"]["name"])
