"""Kinds of answers, one module each: how the outputs of a model become an answer.

A head's module holds:

- `NEEDS`: the modules of the loader that it imports, beside `errors`;
- `UNCALIBRATED`: what `calibration.json` holds before anything is fitted;
- `open_head(path, labels) -> OpenHead`: read the `calibration.json` at `path`;
- `check_policy(policy, bias, labels)`: raise a ServingError unless an artifact may decide so.

An artifact holds the module of its own head and no other.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from ..errors import ServingError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from ..route import Route


class Head(NamedTuple):
    """The kind of answer that a model gives, and the names of its outputs where the kind has names for them.

    `classify` has an output for each of `labels`. `score` has one output and no labels.

    >>> Head("classify", ("order", "return")).width, Head("score").width
    (2, 1)
    """

    name: str
    labels: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        """How many outputs the model has for one text."""
        return len(self.labels) or 1


class OpenHead(Protocol):
    """A head with the calibration of one artifact."""

    @property
    def calibration(self) -> Any:
        """What was fitted for this artifact, as the head keeps it; None where the head fits nothing."""
        ...

    @property
    def routes(self) -> bool:
        """Whether the artifact has a routing policy."""
        ...

    def answer(self, outputs: npt.NDArray[np.float32]) -> Any:
        """Return the answer, a named tuple, to one text with these outputs [output]; None if not finite."""
        ...

    def route(self, text: str, outputs: npt.NDArray[np.float32], slices: Sequence[str]) -> Route | None:
        """Decide by the policy what becomes of one text; None if the outputs are not finite."""
        ...

    def describe(self, said: Any) -> dict[str, Any]:
        """Return an answer or a route as what is printed and sent: JSON values by their names."""
        ...

    def agree(self, one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
        """Say of each row whether two sets of outputs [row, output] give the same answer."""
        ...


def read_head(manifest: Mapping[str, Any]) -> Head:
    """Return the head that a manifest names; those of format 2 name none, for there was one."""
    return Head(manifest.get("head", "classify"), tuple(manifest.get("labels", ())))


def open_head(folder: Path, manifest: Mapping[str, Any]) -> OpenHead:
    """Open the head of the artifact in `folder` with its calibration.

    Raises:
        ServingError: there is no such head here, or its calibration is not what it takes.
    """
    head = read_head(manifest)
    where = folder / "manifest.json"
    try:
        module = import_head(head.name)
    except ServingError as error:
        raise ServingError(f"{where}: {error}") from None
    found: OpenHead = module.open_head(folder / "calibration.json", head.labels)
    return found


def import_head(name: str) -> ModuleType:
    """Import a head's module.

    Raises:
        ServingError: there is no such head here.
    """
    if not re.fullmatch(r"[a-z]+", name):
        raise ServingError(f"head '{name}' is not a head's name")
    try:
        return importlib.import_module(f"{__name__}.{name}")
    except ModuleNotFoundError:
        raise ServingError(f"no head '{name}' here; it is needed to answer") from None
