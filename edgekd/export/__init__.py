"""Trained student -> ONNX graph, proven to answer as the student does."""

from edgekd.export.graph import Graph
from edgekd.export.onnx import export_graph, export_onnx
from edgekd.export.parity import Parity, prove_parity

__all__ = ["Graph", "Parity", "export_graph", "export_onnx", "prove_parity"]
