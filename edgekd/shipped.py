"""Open an artifact with the loader that travels in it, as it runs where it is deployed.

What `edgekd bench ARTIFACT` measures: a slower loader is a slower artifact. It runs the artifact's own code,
so measure only artifacts that you would deploy. Imports nothing of edgekd: its cold start is measured.
"""

from __future__ import annotations

import importlib
import os
import sys
import time

TYPE_CHECKING = False  # as type checkers read it; importing typing would cost the artifact's cold start
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def open_shipped(folder: str, threads: str, streams: str = "") -> Callable[[str], object]:
    """Open and verify the artifact in `folder` with a number of threads; it answers one text per call.

    With a number of `streams` it works on as many texts at once; else as it was compiled for.

    One with a routing policy answers by it, as it is served; an older loader may know none. No bytecode is
    written beside it, because an artifact does not change by being measured.
    """
    began = time.perf_counter_ns()
    sys.path.insert(0, folder)
    writes_none, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        serving = importlib.import_module("serving")
        if not str(serving.__file__).startswith(folder + os.sep):
            raise ImportError(
                f"expected the loader of {folder}, found {serving.__file__}; remove that module"
            )
        imported_ns = time.perf_counter_ns() - began
        more = {"streams": int(streams)} if streams else {}
        model: Any = serving.load(folder, threads=int(threads), **more)
    finally:
        sys.dont_write_bytecode = writes_none
    stages = getattr(model, "opened_ns", None)  # an older loader does not say
    if stages is not None:
        stages["imports"] = stages.get("imports", 0) + imported_ns
    return _Routed(model) if getattr(model, "routes", False) else model


class _Routed:
    """A model that routes each text, of no named slice."""

    def __init__(self, model: Any) -> None:
        self.opened_ns = model.opened_ns
        self._route = model.route
        self.answer_all = getattr(model, "route_all", None)  # an older loader answers one by one

    def __call__(self, text: str) -> object:
        return self._route(text)
