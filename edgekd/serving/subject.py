"""Open an artifact by plain strings, as a measuring process is told to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .loader import Model, load

if TYPE_CHECKING:
    from .route import Route


def open_subject(folder: str, threads: str, streams: str = "") -> Model | Routed:
    """Open and verify the artifact in `folder`; one with a policy answers by it, as it is served.

    With a number of `streams` it works on as many texts at once; else as it was compiled for.
    """
    model = load(folder, threads=int(threads), streams=int(streams) if streams else None)
    return Routed(model) if model.routes else model


class Routed:
    """A model that routes each text."""

    def __init__(self, model: Model) -> None:
        self.opened_ns = model.opened_ns
        self._route, self.answer_all = model.route, model.route_all

    def __call__(self, text: str) -> Route:
        """Route one text of no named slice."""
        return self._route(text)
