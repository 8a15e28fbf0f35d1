"""OpenVINO on the CPU."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import openvino as ov

if TYPE_CHECKING:
    import numpy.typing as npt

    # What runs a bound length, its ids [token] and its outputs [output].
    _Bound = tuple[Callable[[], Any], npt.NDArray[np.int64], npt.NDArray[np.float32]]

MODEL = "openvino_model.xml"
"""Name of the compiled model in the artifact, as Optimum looks for it; its weights lie in the `.bin`."""
PRECISION: Mapping[str, str] = {"INFERENCE_PRECISION_HINT": "f32"}
"""Hints that decide the precision of the answers; recorded in the manifest, and read from there."""
LIBRARIES = ("openvino",)
"""Packages whose versions are recorded."""


class _Session:
    def __init__(self, model: ov.CompiledModel) -> None:
        self._model = model
        self._infer = model.create_infer_request().infer
        shape = model.output(0).get_partial_shape()
        self._width = shape[1].get_length() if len(shape) == 2 and shape[1].is_static else None
        self._mask = next((name for port in model.inputs for name in port.names if "mask" in name), None)
        self._bound: dict[int, _Bound] = {}

    def run(self, ids: Sequence[int]) -> npt.NDArray[np.float32]:
        """Return the outputs [output] of one text."""
        if self._width is None:
            first: npt.NDArray[np.float32] = self.run_batch(np.array([ids], np.int64))[0]
            return first
        infer, row, outputs = self._bound.get(len(ids)) or self._bind(len(ids), self._width)
        row[:] = ids
        infer()
        return outputs.copy()

    def run_batch(self, ids: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Return the outputs [text, output] of texts of equal length."""
        given = {"input_ids": ids}
        if self._mask:
            given[self._mask] = np.ones_like(ids)
        rows: npt.NDArray[np.float32] = self._infer(given, share_inputs=True)[0]
        return rows

    def _bind(self, tokens: int, width: int) -> _Bound:
        """Keep a request with its buffers for one length: no tensor is made in a call."""
        request = self._model.create_infer_request()
        ids, outputs = np.zeros((1, tokens), np.int64), np.empty((1, width), np.float32)
        request.set_tensor("input_ids", ov.Tensor(ids, shared_memory=True))
        if self._mask:
            request.set_tensor(self._mask, ov.Tensor(np.ones_like(ids)))
        request.set_output_tensor(ov.Tensor(outputs, shared_memory=True))
        self._bound[tokens] = bound = (request.infer, ids[0], outputs[0])
        return bound


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
