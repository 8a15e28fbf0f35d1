"""The runtime call alone, on fixed token ids: what `engines.py` measures beside the engines' own programs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Answer = Callable[[str], Any]


def open_served(folder: str, ids: str) -> Answer:
    """The call as an artifact's loader makes it: ids in, a copied row of logits out."""
    from edgekd.serving.manifest import read_manifest
    from edgekd.serving.runtimes import import_runtime, open_session

    manifest, row = read_manifest(Path(folder)), json.loads(ids)
    run = open_session(import_runtime(Path(folder), manifest), Path(folder), manifest, 1).run
    return lambda text: run(row)


def open_infer(folder: str, ids: str, latencies: str) -> Answer:
    """What `benchmark_app -inference_only` does: `infer()` again and again on an input that is set already.

    The request's own count of each call in ms, which the app reports, goes to the file `latencies`.
    """
    import numpy as np
    import openvino as ov

    config = json.loads((Path(folder) / "manifest.json").read_text(encoding="utf-8"))["precision"]
    model = ov.Core().compile_model(f"{folder}/openvino_model.xml", "CPU", {**config, **SETTINGS})
    request = model.create_infer_request()
    row = np.array([json.loads(ids)], np.int64)
    request.set_tensor("input_ids", ov.Tensor(row))
    if len(model.inputs) > 1:
        request.set_tensor("attention_mask", ov.Tensor(np.ones_like(row)))
    # A mapped file: a measured process is killed once it has reported.
    counts = np.lib.format.open_memmap(latencies, "w+", np.float64, (MOST_CALLS,))
    infer, places = request.infer, iter(range(MOST_CALLS))

    def answer(text: str) -> bool:
        infer()
        counts[next(places)] = request.latency
        return True

    return answer


MOST_CALLS = 1_000_000
# As the artifact's loader compiles it.
SETTINGS = {
    "PERFORMANCE_HINT": "LATENCY",
    "NUM_STREAMS": "1",
    "ENABLE_CPU_PINNING": "NO",
    "INFERENCE_NUM_THREADS": "1",
}


def open_run(folder: str, ids: str) -> Answer:
    """ONNX Runtime's `run`, as `engines_loop.py` calls it."""
    run, given = open_onnx(folder, ids)
    return lambda text: run(None, given)


def open_onnx(folder: str, ids: str) -> tuple[Callable[..., Any], dict[str, Any]]:
    """Open a session with one thread; return its `run` and its input."""
    import numpy as np
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        f"{folder}/model.onnx", options, providers=["CPUExecutionProvider"]
    )
    return session.run, {session.get_inputs()[0].name: np.array([json.loads(ids)], np.int64)}
