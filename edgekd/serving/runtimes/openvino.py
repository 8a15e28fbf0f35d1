"""OpenVINO on the CPU."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import openvino as ov

if TYPE_CHECKING:
    import numpy.typing as npt

    # What runs a bound length, its ids [token] and its outputs [output].
    _Bound = tuple[Callable[[], Any], npt.NDArray[np.int64], npt.NDArray[np.float32]]
    # What runs a block, its ids and its mask [row, token] and its outputs [row, output].
    _Block = tuple[Callable[[], Any], npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float32]]

MODEL = "openvino_model.xml"
"""Name of the compiled model in the artifact, as Optimum looks for it; its weights lie in the `.bin`."""
PRECISION: Mapping[str, str] = {"INFERENCE_PRECISION_HINT": "f32"}
"""Hints that decide the precision of the answers; recorded in the manifest, and read from there."""
LIBRARIES = ("openvino",)
"""Packages whose versions are recorded."""
HAS_STREAMS = True
"""Whether it can work on several texts at once, each on a stream of its own."""
_DEEP = 2  # requests per stream, so that each has its next one while answers are fetched
# Another shape costs a call half a millisecond where it has been met before, a row of 64 tokens in a block as
# much (2 layers, 384 wide): of 50 candidates few widths are worth more than little padding.
_SHORT, _STEP = 16, 32
_ROWS = 4  # in a block: 16 are no faster a row, and need four times the memory


class _Session:
    def __init__(self, model: ov.CompiledModel, streams: int, max_tokens: int) -> None:
        self._model, self._streams, self._max_tokens = model, streams, max_tokens
        self._infer = model.create_infer_request().infer
        shape = model.output(0).get_partial_shape()
        self._width = shape[1].get_length() if len(shape) == 2 and shape[1].is_static else None
        self._mask = next((name for port in model.inputs for name in port.names if "mask" in name), None)
        self._bound: dict[int, _Bound] = {}
        self._blocks: dict[tuple[int, int], _Block] = {}
        self._proven: dict[int, bool] = {}
        # Without a mask what is padded would be read.
        self.run_rows = self._run_rows if self._mask and self._width and max_tokens else None

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

    def _run_rows(self, rows: Sequence[Sequence[int]]) -> npt.NDArray[np.float32]:
        """Return the outputs [row, output] of rows of ids that are all there at once.

        A row is padded to 16 tokens or to the next multiple of 32, whatever stands beside it. Rows of one
        width are run in blocks of four, the last one filled up; one or two are run alone. So the engine meets
        two shapes a width in place of one a length, and reads its weights once for four rows. That a block
        gives each row the bits that it gets alone is proven on the first rows of each width; where it does
        not, all are run alone.
        """
        assert self._width
        outputs = np.empty((len(rows), self._width), np.float32)
        places: dict[int, list[int]] = {}
        for place, ids in enumerate(rows):
            places.setdefault(min(_pad(len(ids)), self._max_tokens), []).append(place)
        for width, some in sorted(places.items()):
            run = self._run_block if len(some) >= _ROWS - 1 else self._run_each
            for start in range(0, len(some), _ROWS):
                block = some[start : start + _ROWS]
                outputs[block] = run([rows[place] for place in block], width)
        return outputs

    def _run_block(self, rows: Sequence[Sequence[int]], width: int) -> npt.NDArray[np.float32]:
        """Return the outputs [row, output] of up to four rows, padded to `width`."""
        if not self._proven.get(width, True):
            return self._run_each(rows, width)
        together = self._run_padded(rows, width, _ROWS)
        if width not in self._proven:
            alone = self._run_each(rows, width)
            self._proven[width] = np.array_equal(together, alone)
            return alone
        return together

    def _run_each(self, rows: Sequence[Sequence[int]], width: int) -> npt.NDArray[np.float32]:
        return np.concatenate([self._run_padded([row], width, 1) for row in rows])

    def _run_padded(self, rows: Sequence[Sequence[int]], width: int, count: int) -> npt.NDArray[np.float32]:
        """Run rows in a block of `count`; what is left of an earlier one in further rows is of no account."""
        infer, ids, mask, outputs = self._blocks.get((count, width)) or self._bind_block(count, width)
        for place, row in enumerate(rows):
            ids[place, : len(row)], ids[place, len(row) :] = row, 0
            mask[place, : len(row)], mask[place, len(row) :] = 1, 0
        infer()
        return outputs[: len(rows)].copy()

    def run_many(self, rows: Iterable[Sequence[int]]) -> Iterator[npt.NDArray[np.float32]]:
        """Yield the outputs [output] of each text, in order; while streams work, further rows are taken."""
        free = [self._model.create_infer_request() for _ in range(_DEEP * self._streams)]
        under_way: deque[ov.InferRequest] = deque()
        for ids in rows:
            if free:
                request = free.pop()
            else:
                request = under_way.popleft()
                yield _fetch(request)
            row = np.array([ids], np.int64)
            request.set_tensor("input_ids", ov.Tensor(row))
            if self._mask:
                request.set_tensor(self._mask, ov.Tensor(np.ones_like(row)))
            request.start_async()
            under_way.append(request)
        for request in under_way:
            yield _fetch(request)

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

    def _bind_block(self, count: int, width: int) -> _Block:
        """Keep a request with its buffers for so many rows of one width."""
        assert self._width and self._mask
        request = self._model.create_infer_request()
        ids, mask = np.zeros((2, count, width), np.int64)
        outputs = np.empty((count, self._width), np.float32)
        request.set_tensor("input_ids", ov.Tensor(ids, shared_memory=True))
        request.set_tensor(self._mask, ov.Tensor(mask, shared_memory=True))
        request.set_output_tensor(ov.Tensor(outputs, shared_memory=True))
        self._blocks[count, width] = block = (request.infer, ids, mask, outputs)
        return block


def _pad(tokens: int) -> int:
    """Return how many tokens a row of so many is padded to."""
    return _SHORT if tokens <= _SHORT else -(-tokens // _STEP) * _STEP


def _fetch(request: ov.InferRequest) -> npt.NDArray[np.float32]:
    request.wait()
    outputs: npt.NDArray[np.float32] = request.get_output_tensor(0).data[0]
    return outputs.copy()


def open_session(folder: Path, manifest: Mapping[str, Any], threads: int) -> _Session:
    """Compile the model for this CPU: for one text at a time, or where the manifest has `streams`, for many.

    Streams share the threads; there are at least as many of these.

    The precision hint is the manifest's: where the CPU can, OpenVINO's own default is bf16,
    which answers differently from machine to machine. Its thread is not pinned: it would sit
    on the first core whatever the process was bound to, up to 3 times slower beside a neighbour.
    """
    core = ov.Core()
    streams = manifest.get("streams", 1)
    config = {
        "PERFORMANCE_HINT": "LATENCY" if streams == 1 else "THROUGHPUT",
        "NUM_STREAMS": str(streams),
        "ENABLE_CPU_PINNING": "NO",
        "INFERENCE_NUM_THREADS": str(max(threads, streams)),
        "INFERENCE_PRECISION_HINT": manifest["precision"]["INFERENCE_PRECISION_HINT"],
    }
    model = core.compile_model(str(folder / manifest["model"]), "CPU", config)
    return _Session(model, streams, manifest.get("max_tokens", 0))
