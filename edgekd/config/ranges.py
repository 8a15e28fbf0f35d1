"""Model files with ranges: one file that stands for many students, among which a size is chosen."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from edgekd.config.base import MOST_ROWS, MOST_THREADS, Frozen
from edgekd.config.model import StudentModel
from edgekd.config.reading import validate
from edgekd.errors import ConfigError

MOST_MODELS = 100_000
"""Students of one file: beyond it a range is a slip, and no answer would come in time."""

_RANGE = re.compile(r"\s*(\d{1,9})\s*\.\.\s*(\d{1,9})\s*")
_SHORT = {
    **{"layers": "l", "width": "w", "heads": "h", "feed_forward": "f", "vocabulary": "v"},
    **{"pairs": "p", "dimension": "d", "hidden": "u", "max_tokens": "t"},
}
"""Keys that may have a range, and the letter that stands for each in a student's name."""
_STUDENTS: TypeAdapter[StudentModel] = TypeAdapter(Annotated[StudentModel, Field(discriminator="kind")])


class Compiled(Frozen):
    """How students of a range are compiled; what is absent is as the target says."""

    runtime: tuple[str, ...] = ()
    """Engines."""
    recipe: tuple[str, ...] = ()
    """Ways to compile."""
    rows: tuple[Annotated[int, Field(ge=256, le=MOST_ROWS)], ...] = ()
    """Rows that each embedding table keeps."""
    threads: tuple[Annotated[int, Field(ge=1, le=MOST_THREADS)], ...] = ()
    """Threads that the runtime may use."""


@dataclass(frozen=True)
class ModelRange:
    """A model file's content, in which some keys have several values.

    Attributes:
        name: As the file is called.
        source: The file, as messages name it.
        fixed: Keys with one value.
        axes: Keys with several, in the file's order. A number of a transformer's layers is how many.
        compiled: How its students are compiled.
    """

    name: str
    source: str
    fixed: Mapping[str, Any]
    axes: Mapping[str, tuple[Any, ...]]
    compiled: Compiled

    def models(self, depth: int) -> Iterator[StudentModel]:
        """Yield every student; `depth` is how many layers its teacher has.

        Values that do not go together, such as a width that is no multiple of the heads, are left out.

        Raises:
            ConfigError: a value is wrong, there are too many students, or no values go together.
        """
        count, reason = 1, ""
        for values in self.axes.values():
            count *= len(values)
        if count > MOST_MODELS:
            raise ConfigError(
                f"{self.source}: its ranges make {count:,} students; expected at most {MOST_MODELS:,}: "
                "give fewer values"
            )
        found = 0
        for values in itertools.product(*self.axes.values()):
            chosen = dict(zip(self.axes, values, strict=True))
            name = "-".join([self.name, *(f"{_word(value)}{_SHORT[key]}" for key, value in chosen.items())])
            document = {**self.fixed, **chosen, "name": name}
            if self.fixed["kind"] == "transformer" and isinstance(document["layers"], int):
                document["layers"] = spread_layers(document["layers"], depth, self.source)
            try:
                model = _STUDENTS.validate_python(document)
            except ValidationError as error:
                problem = error.errors()[0]
                if len(problem["loc"]) > 1:  # of one key alone
                    validate(_STUDENTS, document, self.source)
                reason = problem["msg"].removeprefix("Value error, ")
                continue
            found += 1
            yield model
        if not found:
            raise ConfigError(f"{self.source}: no values of its ranges go together: {reason}")


def read_range(document: Mapping[str, Any], name: str, source: str) -> ModelRange | None:
    """Read a model file's content as a range; None where each key has one value.

    Raises:
        ConfigError: a range is empty or written wrongly, or its kind has no ranges.
    """
    builds = {key: value for key, value in document.items() if key in Compiled.model_fields}
    axes: dict[str, tuple[Any, ...]] = {}
    for key, value in document.items():
        is_list = key == "layers" and document.get("kind") == "transformer"
        if key in _SHORT and _is_ranged(value, is_list=is_list):
            axes[key] = _read_values(key, value, source)
    if not axes and not builds:
        return None
    if document.get("kind") == "encoder":
        raise ConfigError(
            f"{source}: an encoder is a teacher and has no ranges; give {[*axes, *builds][0]} one value"
        )
    listed = {
        key: _read_values(key, value, source) if isinstance(value, list | str) else (value,)
        for key, value in builds.items()
    }
    compiled = validate(TypeAdapter(Compiled), {key: list(value) for key, value in listed.items()}, source)
    fixed = {key: value for key, value in document.items() if key not in (*axes, *builds, "name")}
    whole = {**fixed, **{key: values[0] for key, values in axes.items()}, "name": name}
    if whole.get("kind") == "transformer" and isinstance(whole.get("layers"), int):
        whole["layers"] = [0]
    try:
        _STUDENTS.validate_python(whole)
    except ValidationError as error:
        if len(error.errors()[0]["loc"]) != 1:  # else values that do not go together
            validate(_STUDENTS, whole, source)
    return ModelRange(name, source, fixed, axes, compiled)


def spread_layers(count: int, depth: int, source: str) -> tuple[int, ...]:
    """Choose so many of a teacher's layers, evenly, the first and the last among them.

    >>> spread_layers(3, 6, "models/cut.yaml")
    (0, 2, -1)

    Raises:
        ConfigError: the teacher has fewer.
    """
    if not 1 <= count <= depth:
        raise ConfigError(f"{source}: layers: {count} of the teacher's {depth}; expected 1 to {depth}")
    if count == 1:
        return (0,)
    return (*(place * (depth - 1) // (count - 1) for place in range(count - 1)), -1)


def _is_ranged(value: Any, *, is_list: bool) -> bool:
    """Say whether a value stands for several; `is_list`: one value of the key is itself a list."""
    if isinstance(value, str):
        return ".." in value
    if not isinstance(value, list):
        return False
    return not is_list or not value or any(isinstance(one, list | str) for one in value)


def _read_values(key: str, value: Any, source: str) -> tuple[Any, ...]:
    """Return the values that a range or a list stands for, each once."""
    if isinstance(value, str):
        if ".." not in value:
            return (value,)
        found = _RANGE.fullmatch(value)
        if found is None:
            raise ConfigError(f"{source}: {key}: expected a range such as 1..4, got {value!r:.80}")
        first, last = map(int, found.groups())
        if last < first:
            raise ConfigError(f"{source}: {key}: the range {value:.80} is empty; its end is below its start")
        if last - first >= MOST_MODELS:
            raise ConfigError(f"{source}: {key}: the range {value:.80} has more than {MOST_MODELS:,} values")
        return tuple(range(first, last + 1))
    values: list[Any] = []
    for one in value:
        if isinstance(one, str) and ".." in one:
            values += _read_values(key, one, source)
        else:
            values.append(tuple(one) if isinstance(one, list) else one)
    if not values:
        raise ConfigError(f"{source}: {key}: the list is empty; give at least one value")
    if wrong := [one for one in values if isinstance(one, bool)]:  # else true would be taken for 1
        raise ConfigError(f"{source}: {key}: expected a number, got {str(wrong[0]).lower()}")
    if twice := next((one for one, count in Counter(map(str, values)).items() if count > 1), None):
        raise ConfigError(f"{source}: {key}: {twice} is listed twice")
    return tuple(values)


def _word(value: Any) -> str:
    return ".".join(map(str, value)) if isinstance(value, tuple) else str(value)
