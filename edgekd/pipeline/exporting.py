"""The step that exports a student, or the teacher, to ONNX; parity is proven on validation texts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from edgekd.engines.step import Folder, Inputs, Settings, Step
from edgekd.export.graph import Graph, open_graph
from edgekd.pipeline.context import Context, library_versions
from edgekd.pipeline.opening import open_model, open_rows, open_task
from edgekd.progress import Progress
from edgekd.serving.heads import describe_head, open_reader, read_head
from edgekd.store import write_atomic

_PARITY_TEXTS = 300


def export_step(context: Context, source: Step | Folder, model: str) -> Step:
    """Export what a step trained: a student by its name, or TEACHER."""
    return Step(
        f"export/{model}",
        2,
        "edgekd.pipeline.exporting:build_graph",
        settings={"model": model, "texts": _PARITY_TEXTS},
        inputs={"source": source, "rows": context.data.part("validation")},
        reads={
            "libraries": library_versions("torch", "transformers", "onnx", "onnxscript", "onnxruntime"),
            **context.task_reads,
        },
    )


def open_exported(path: Path, source: Folder, model: str) -> Graph:
    """Open the graph that `build_graph` wrote; `source` is where the model itself lies."""
    notes = json.loads((path / "graph.json").read_text(encoding="utf-8"))
    return open_graph(
        path / "student.onnx",
        path / "tokenizer.json",
        student=model,
        kind=notes["kind"],
        head=read_head(notes),
        max_tokens=notes["max_tokens"],
        load=lambda: open_model(source, model)[0],
    )


def build_graph(folder: Path, settings: Settings, inputs: Inputs, progress: Progress) -> None:
    """Write the graph, its tokenizer and what is known of both."""
    import onnxruntime
    import torch

    from edgekd.export import export_graph, prove_parity
    from edgekd.export.graph import INPUT

    source, model = inputs["source"], settings["model"]
    texts = open_rows(inputs["rows"].path).split("validation").requests[: settings["texts"]]
    module, known = open_model(source, model)
    kind: Literal["transformer", "static"] = getattr(known, "kind", "transformer")
    limit, head = known.max_tokens, open_task(inputs["rows"].path).head_of(known.outputs)
    if towers := getattr(known, "towers", None):
        assert known.separation is not None
        head = head._replace(towers=towers, separator=known.separation.separator)
    tokenizer_json = (source.path / "tokenizer.json").read_text(encoding="utf-8")
    write_atomic(folder / "tokenizer.json", tokenizer_json)
    path = folder / "student.onnx"
    progress(0.1, "tracing")
    export_graph(
        module,
        folder / "tokenizer.json",
        path,
        student=model,
        kind=kind,
        head=head,
        max_tokens=limit,
    )
    read = open_reader(folder / "tokenizer.json", limit, head)
    runs = [(text, ids or [0]) for text in texts for ids in read(text)]
    # Not every n-th one: that could be the same place of every request.
    chosen = np.linspace(0, len(runs) - 1, min(len(runs), settings["texts"])).round().astype(int)
    texts, rows = map(list, zip(*(runs[place] for place in chosen), strict=True))
    progress(0.6, f"parity on {len(texts)} texts")
    longest = [token for row in rows for token in row] * (1 + limit // max(1, len(rows)))
    rows += [longest[:length] for length in {1, 2, 3, limit // 2, limit}]
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def in_torch(ids: Sequence[int]) -> npt.NDArray[np.float32]:
        with torch.inference_mode():
            return np.asarray(module(torch.tensor([list(ids)])).numpy()[0])

    def in_onnx(ids: Sequence[int]) -> npt.NDArray[np.float32]:
        return np.asarray(session.run(None, {INPUT: np.array([ids], np.int64)})[0][0])

    parity = prove_parity(
        in_torch, in_onnx, rows, [*texts, *["made of many texts"] * (len(rows) - len(texts))]
    )
    notes = {"kind": kind, **describe_head(head), "max_tokens": limit}
    write_atomic(folder / "graph.json", json.dumps(notes, indent=1))
    found = {"texts": parity.texts, "worst_logit_difference": parity.worst}
    write_atomic(folder / "logs" / "parity.json", json.dumps(found, indent=1))
