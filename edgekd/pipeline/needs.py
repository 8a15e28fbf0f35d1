"""Say which library is missing before a run spends time on what it cannot finish."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec

from edgekd.errors import MissingExtraError
from edgekd.extras import find_extra

LEARNING = ("torch", "transformers", "tokenizers", "safetensors")
ADAPTING = ("peft",)
EXPORTING = ("onnx", "onnxscript", "onnxruntime")
JUDGING = ("sklearn",)
REPORTING = ("jinja2", "plotly")
RUNNING = {"litert": ("ai_edge_litert", "ai_edge_quantizer", "litert_torch")}
"""What a runtime's builds take, where it is not called as the runtime is."""


def require_libraries(names: Iterable[str]) -> None:
    """Look for libraries without importing them; a name that no extra brings is a plug-in's own matter.

    Raises:
        MissingExtraError: naming the first that is not installed, and the extra that brings it.
    """
    for name in names:
        extra = find_extra(name)
        if extra is not None and find_spec(name) is None:
            raise MissingExtraError({"sklearn": "scikit-learn"}.get(name, name), extra)
