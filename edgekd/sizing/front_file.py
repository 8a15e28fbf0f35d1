"""A sizing's answer as one JSON document, and its recommendation as a model file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import Field, TypeAdapter

from edgekd.config import StudentModel, load_model
from edgekd.errors import BadInputError, ConfigError
from edgekd.resources import list_resources
from edgekd.sizing.budget import Budget, Cost, Guess
from edgekd.sizing.curve import Rated
from edgekd.sizing.front import Binding, Front, Opening, Point
from edgekd.sizing.quality import Quality
from edgekd.sizing.shapes import Shape
from edgekd.store import parse_json, write_atomic

FORMAT = 1
_STUDENTS: TypeAdapter[StudentModel] = TypeAdapter(Annotated[StudentModel, Field(discriminator="kind")])


def front_to_json(front: Front) -> dict[str, Any]:
    """Describe an answer; times in ms, sizes in MiB, drops in points."""
    return {
        "format": FORMAT,
        "target": front.target,
        "budget": asdict(front.budget),
        "recommended": front.recommended.shape.name if front.recommended else None,
        "runner_up": front.runner_up.shape.name if front.runner_up else None,
        "reasons": list(front.reasons),
        "openings": [{**asdict(opening), "words": opening.words} for opening in front.openings],
        "binding": {**asdict(front.binding), "words": front.binding.words} if front.binding else None,
        "points": [_point_to_json(point) for point in front.points],
    }


def front_from_json(document: Mapping[str, Any]) -> Front:
    """Read what `front_to_json` wrote.

    Raises:
        BadInputError: it is of another version of edgekd.
    """
    try:
        points = tuple(_read_point(entry) for entry in document["points"])
        named = {point.shape.name: point for point in points}
        openings = [{k: v for k, v in one.items() if k != "words"} for one in document["openings"]]
        binding = document["binding"]
        return Front(
            target=document["target"],
            budget=Budget(**document["budget"]),
            points=points,
            recommended=named.get(document["recommended"]),
            runner_up=named.get(document["runner_up"]),
            reasons=tuple(document["reasons"]),
            openings=tuple(Opening(**opening) for opening in openings),
            binding=Binding(**{k: v for k, v in binding.items() if k != "words"}) if binding else None,
        )
    except (KeyError, TypeError, ValueError) as error:
        words = " ".join(str(error).split())[:120]
        raise BadInputError(
            f"sizing: was written by another version of edgekd ({words}); size again"
        ) from None


def save_front(front: Front, path: Path) -> None:
    """Write an answer to a file."""
    write_atomic(path, json.dumps(front_to_json(front), indent=1, allow_nan=False))


def load_front(path: Path) -> Front:
    """Read what `save_front` wrote.

    Raises:
        BadInputError: it cannot be read.
    """
    try:
        document = parse_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInputError(f"{path}: cannot be read: {error}; size again") from None
    return front_from_json(document)


def write_model_file(model: StudentModel, folder: Path) -> None:
    """Write a student as `models/NAME.yaml` of a project's folder; `edgekd run` takes it as it is.

    A model file of that name that says the same is left as it is.

    Raises:
        ConfigError: another student has that name.
    """
    if model.name in list_resources("models", folder):
        if load_model(model.name, folder) == model:
            return
        raise ConfigError(
            f"models: '{model.name}' is another student than the one that is recommended; give the range "
            "file another name"
        )
    text = yaml.safe_dump(model.model_dump(mode="json", exclude_none=True), sort_keys=False)
    write_atomic(folder / "models" / f"{model.name}.yaml", text)


def _point_to_json(point: Point) -> dict[str, Any]:
    shape = {**asdict(point.shape), "model": point.shape.model.model_dump(mode="json", exclude_none=True)}
    return {
        "name": point.shape.name,
        "shape": shape,
        "cost": asdict(point.cost),
        "quality": asdict(point.quality),
        "measured": point.measured,
    }


def _read_point(entry: Mapping[str, Any]) -> Point:
    shape, quality = entry["shape"], entry["quality"]
    return Point(
        Shape(**{**shape, "model": _STUDENTS.validate_python(shape["model"])}),
        Cost(**{name: Guess(**guess) for name, guess in entry["cost"].items()}),
        Quality(
            **{
                **quality,
                "drop": Guess(**quality["drop"]),
                "curve": tuple(Rated(**rated) for rated in quality["curve"]),
            }
        ),
        entry["measured"],
    )
