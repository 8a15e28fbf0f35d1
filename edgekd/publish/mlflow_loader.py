"""Loads a published artifact in MLflow: `mlflow.pyfunc.load_model("models:/shop@lambda-x86").predict(frame)`.

Travels with the model; needs pandas and what runs the artifact, but not edgekd. The frame has a column
`text`; where the artifact has a routing policy it may have `slices`, a list a row of what the caller knows.
The answer has `label` and `probability`, and with a policy also `action` (answer, teacher, refuse); or it has
`score`, where the model gives one. To a model that ranks the frame has the columns `query` and `candidates`,
a list of texts per row; the answer has `order`, places from 0, the best first, and `scores` of the
candidates as they came.
"""

from __future__ import annotations

import importlib.util
import sys
import threading
from pathlib import Path
from typing import Any

import pandas as pd

ANSWERS = {"classify": ("label", "probability"), "score": ("score",), "rank": ("order", "scores")}
"""What the answer to a row has, by the artifact's head."""


class Answers:
    """An open artifact as MLflow calls it, one call at a time."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._head: str = model.manifest.get("head", "classify")  # once artifacts named none
        self._alone = threading.Lock()

    def predict(self, frame: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Answer each row of a frame; params are none."""
        del params
        columns = ANSWERS[self._head]
        with self._alone:
            if self._head == "rank":
                asked = zip(frame["query"], frame["candidates"], strict=True)
                answers = [self._rank(query, candidates) for query, candidates in asked]
            elif self._model.routes:
                columns = (*columns, "action")
                known = list(frame["slices"]) if "slices" in frame else [()] * len(frame)
                asked = zip(frame["text"], known, strict=True)
                answers = [self._model.route(str(text), list(names)) for text, names in asked]
            else:
                answers = [self._model(str(text)) for text in frame["text"]]
        return pd.DataFrame({name: [_plain(getattr(one, name)) for one in answers] for name in columns})

    def _rank(self, query: Any, candidates: Any) -> Any:
        """Rank a row; a single text is no list of candidates, and the model says so."""
        return self._model.rank(query, candidates if isinstance(candidates, str) else list(candidates))


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


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
