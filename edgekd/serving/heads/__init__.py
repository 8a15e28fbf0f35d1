"""Kinds of answers, one module each: how the outputs of a model become an answer.

A head's module holds:

- `NEEDS`: the modules of the loader that it imports, beside `errors`;
- `UNCALIBRATED`: what `calibration.json` holds before anything is fitted;
- `open_head(path, labels) -> OpenHead`: read the `calibration.json` at `path`;
- `check_policy(policy, bias, labels)`: raise a ServingError unless an artifact may decide so.

A head whose requests take several runs of the model holds two names more, and its answers are of as many
numbers as a request has candidates:

- `MODEL`: the module of the loader with the subclass of its `Model` that opens such artifacts;
- `open_reader(path, max_tokens, head)` and `fold(outputs, head)`: as the functions here.

An artifact holds the module of its own head and no other.
"""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
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

    `classify` and `tags` have an output for each of `labels`. `score` has one output and no labels, and so
    has `rank` where a run reads a pair. Where it reads a query or a candidate alone, the outputs of a run are
    a vector of `towers` numbers, and `separator` is the token before a candidate. `cut` is `longest` where
    pairs are cut as the tokenizers library does (`pairs.py`).

    >>> Head("classify", ("order", "return")).width, Head("score").width, Head("rank", (), 128, 102).width
    (2, 1, 128)
    """

    name: str
    labels: tuple[str, ...] = ()
    towers: int = 0
    separator: int | None = None
    cut: str = ""

    @property
    def width(self) -> int:
        """How many outputs the model has for one run."""
        return self.towers or len(self.labels) or 1


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
    name, labels = manifest.get("head", "classify"), tuple(manifest.get("labels", ()))
    return Head(name, labels, manifest.get("towers", 0), manifest.get("separator"), manifest.get("cut", ""))


def describe_head(head: Head) -> dict[str, Any]:
    """Return the fields of a manifest from which `read_head` reads the head; what it lacks is left out."""
    fields = {
        "labels": list(head.labels) or None,
        "towers": head.towers or None,
        "separator": head.separator,
        "cut": head.cut or None,
    }
    return {"head": head.name, **{name: value for name, value in fields.items() if value is not None}}


def takes_candidates(head: Head) -> bool:
    """Say whether a request of this head is a query with candidates (`request.py`), and not one text."""
    return hasattr(import_head(head.name), "open_reader")


def open_reader(path: Path, max_tokens: int, head: Head) -> Callable[[str], list[list[int]]]:
    """Return a function from a request to the token ids of each run of the model that answers it.

    A run without any token is to be made with token 0.

    Raises:
        ServingError: `path` is no tokenizer's file; there is no such head here.
    """
    own = getattr(import_head(head.name), "open_reader", None)
    if own is not None:
        found: Callable[[str], list[list[int]]] = own(path, max_tokens, head)
        return found
    from ..tokenize import open_tokenizer  # not where a server's client makes answers of outputs

    tokenize = open_tokenizer(path, max_tokens)
    return lambda text: [tokenize(text)]


def fold(outputs: npt.NDArray[np.float32], head: Head) -> npt.NDArray[np.float32]:
    """Return a request's outputs [place] of those [run, output] of the runs that answer it."""
    own = getattr(import_head(head.name), "fold", None)
    folded: npt.NDArray[np.float32] = outputs[0] if own is None else own(outputs, head)
    return folded


def open_head(folder: Path, manifest: Mapping[str, Any]) -> OpenHead:
    """Open the head of the artifact in `folder` with its calibration.

    Raises:
        ServingError: there is no such head here, or its calibration is not what it takes.
    """
    module = _import_head_of(folder, manifest)
    found: OpenHead = module.open_head(folder / "calibration.json", read_head(manifest).labels)
    return found


def choose_model(folder: Path, manifest: Mapping[str, Any], plain: type) -> type:
    """Return the class that opens the artifact in `folder`: the head's own, or else `plain`.

    Raises:
        ServingError: there is no such head here.
    """
    name = getattr(_import_head_of(folder, manifest), "MODEL", "")
    own: type = importlib.import_module(f"..{name}", __name__).Model if name else plain
    return own


def require_unfitted(path: Path, labels: tuple[str, ...], known: Iterable[str], cannot: str) -> None:
    """Make sure that the `calibration.json` at `path` asks nothing of a head for which nothing is fitted.

    `known` are the keys that it may have, all empty; `cannot` says why there is nothing in them.

    Raises:
        ServingError: there are labels, or something in it.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        wrong = sorted(name for name, value in document.items() if name not in known or value)
    except (OSError, ValueError, AttributeError) as error:
        raise ServingError(f"{path}: expected an object with routing, got {error!r:.80}") from None
    if wrong or labels:
        raise ServingError(f"{path}: {wrong[0] if wrong else 'labels'}: {cannot}")


def refuse_policy(policy: Mapping[str, Any], bias: Mapping[str, float], cannot: str) -> None:
    """Refuse any routing policy and any bias for a head that takes none; `cannot` says why.

    Raises:
        ServingError: there is one.
    """
    for name, value in (("routing", policy), ("bias", bias)):
        if value:
            raise ServingError(f"{name}: {cannot}")


def _import_head_of(folder: Path, manifest: Mapping[str, Any]) -> ModuleType:
    try:
        return import_head(read_head(manifest).name)
    except ServingError as error:
        raise ServingError(f"{folder / 'manifest.json'}: {error}") from None


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
