"""Trained student -> ONNX graph, proven to answer as the student does."""

from edgekd.export.graph import Graph
from edgekd.export.onnx import export_graph, export_onnx
from edgekd.export.parity import Difference, Parity, prove_parity

__all__ = ["Difference", "Graph", "Parity", "export_graph", "export_onnx", "prove_parity"]
