"""Which pip extra brings a library."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

from edgekd.errors import MissingExtraError

EXTRAS: Mapping[str, Mapping[str, str]] = {
    "train": {
        "torch": "torch",
        "transformers": "transformers",
        "safetensors": "safetensors",
        "sklearn": "scikit-learn",
        "datasets": "datasets",
        "peft": "peft",
    },
    "onnx": {
        "onnx": "onnx",
        "onnxscript": "onnxscript",
        "onnxruntime": "onnxruntime",
        "tokenizers": "tokenizers",
    },
    "intel": {"openvino": "openvino", "nncf": "nncf", "tokenizers": "tokenizers"},
    "mobile": {
        "litert_torch": "litert-torch",
        "ai_edge_litert": "ai-edge-litert",
        "ai_edge_quantizer": "ai-edge-quantizer",
    },
    "report": {"jinja2": "Jinja2", "plotly": "plotly"},
    "size": {"optuna": "optuna"},
    "mlflow": {"mlflow": "mlflow-skinny", "sqlalchemy": "SQLAlchemy"},
    "sign": {"cryptography": "cryptography"},
}
"""For each extra, the libraries that it brings: the package's name by the name that is imported."""


def find_extra(library: str) -> str | None:
    """Return the extra that brings a library, by the name that is imported; None where none does.

    >>> find_extra("nncf"), find_extra("tokenizers"), find_extra("json")
    ('intel', 'onnx', None)
    """
    return next((extra for extra, libraries in EXTRAS.items() if library in libraries), None)


@contextlib.contextmanager
def installed() -> Iterator[None]:
    """Turn a missing library into the pip command that brings it.

    Raises:
        MissingExtraError: what runs inside imports a library that is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        library = (error.name or "").partition(".")[0]
        raise MissingExtraError(library, find_extra(library) or "all") from None
