"""OpenVINO's files, the same byte for byte whatever the process did before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgekd.export import Graph


def read_graph(graph: Graph) -> Any:
    """Convert the ONNX graph to an `openvino.Model`."""
    import openvino as ov

    return ov.Core().read_model(graph.path)


def save_ir(model: Any, path: Path) -> None:
    """Write `.xml` and `.bin` in fp32 (no silent fp16), operators named in graph order.

    OpenVINO numbers the operators that it makes by a counter of the process.
    """
    import openvino as ov

    for number, operator in enumerate(model.get_ordered_ops()):
        operator.set_friendly_name(f"{operator.get_type_name()}_{number}")
    model.set_friendly_name("student")
    ov.save_model(model, path, compress_to_fp16=False)
