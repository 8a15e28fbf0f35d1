"""Loads a published artifact in MLflow: `mlflow.pyfunc.load_model("models:/shop@lambda-x86").predict(frame)`.

Travels with the model; needs pandas and what runs the artifact, but not edgekd. The frame has a column
`text`; where the artifact has a routing policy it may have `slices`, a list a row of what the caller knows.
The answer has `label` and `probability`; with a policy also `action` (answer, teacher, refuse).
"""

from __future__ import annotations

import importlib.util
import sys
import threading
from pathlib import Path
from typing import Any

import pandas as pd


class Answers:
    """An open artifact as MLflow calls it, one call at a time."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._alone = threading.Lock()

    def predict(self, frame: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Answer each row of a frame; params are none."""
        del params
        texts = [str(text) for text in frame["text"]]
        with self._alone:
            if not self._model.routes:
                answers = [self._model(text) for text in texts]
                return pd.DataFrame(
                    {"label": [a.label for a in answers], "probability": [a.probability for a in answers]}
                )
            known = list(frame["slices"]) if "slices" in frame else [()] * len(texts)
            routes = [self._model.route(text, list(names)) for text, names in zip(texts, known, strict=True)]
        columns = ("label", "probability", "action")
        return pd.DataFrame({name: [getattr(route, name) for route in routes] for name in columns})


def _load_pyfunc(path: str) -> Answers:  # MLflow calls it by this name
    """Open the artifact in a folder, held against its manifest."""
    source = Path(path) / "serving" / "__init__.py"
    name = f"edgekd_serving_{Path(path).name}"  # two models in one process have a loader each
    spec = importlib.util.spec_from_file_location(
        name, source, submodule_search_locations=[str(source.parent)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"{source}: is no Python module; publish the artifact again")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return Answers(module.load(path))
