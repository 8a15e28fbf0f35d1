"""What a checkpoint's outputs are called: `id2label` of config.json, held against all else that it says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgekd.errors import ConfigError
from edgekd.serving.wordpiece import is_unicode

_WANTED = "expected one name for each output, from 0 on, no two alike"


def read_names(place: str, config: Mapping[str, Any], count: int) -> tuple[str, ...]:
    """Return the names of a model's `count` outputs, in their order; LABEL_0 and so on where none are given.

    Those are the names that `transformers` gives. A name that is a number becomes its text. Names of
    `label2id` that no output has are passed over: `transformers` leaves its own there.

    Args:
        place: The checkpoint, as errors call it.
        config: What its config.json holds.
        count: How many outputs its weights have.

    Raises:
        ConfigError: the numbers do not fit the outputs, two outputs share a name, or the maps contradict
            each other.
    """
    named = config.get("id2label")
    if named is None:
        return tuple(f"LABEL_{number}" for number in range(count))
    if not isinstance(named, Mapping):
        raise ConfigError(f"{place}: id2label is a {type(named).__name__}; expected an object; {_WANTED}")
    found: dict[int, str] = {}
    for key, name in named.items():
        number = _read_number(key)
        if number is None or number in found:
            what = "no number of an output" if number is None else "there twice"
            raise ConfigError(f"{place}: id2label: {key!r:.40} is {what}; {_WANTED}")
        found[number] = _read_name(place, key, name)
    if set(found) != set(range(count)):
        shown = ", ".join(f"{number}: {name}" for number, name in sorted(found.items())[:4])
        more = f" and {len(found) - 4} more" if len(found) > 4 else ""
        raise ConfigError(
            f"{place}: id2label names {len(found)} outputs ({shown}{more}), and the model has {count}; "
            f"{_WANTED}"
        )
    names = tuple(found[number] for number in range(count))
    for number, name in enumerate(names):
        if names.index(name) != number:
            raise ConfigError(
                f"{place}: id2label calls outputs {names.index(name)} and {number} both '{name}'; {_WANTED}"
            )
    _check_reverse(place, config.get("label2id"), names)
    return names


def _read_number(key: object) -> int | None:
    if isinstance(key, bool) or not isinstance(key, int | str):
        return None
    try:
        return int(key)
    except ValueError:
        return None


def _read_name(place: str, key: object, name: object) -> str:
    is_name = isinstance(name, str | int | float) and is_unicode(str(name)) and str(name).strip()
    if not is_name:
        raise ConfigError(f"{place}: id2label: {key} has the name {name!r:.40}; expected a text; {_WANTED}")
    return str(name)


def _check_reverse(place: str, numbers: object, names: tuple[str, ...]) -> None:
    if numbers is None:
        return
    if not isinstance(numbers, Mapping):
        raise ConfigError(f"{place}: label2id is a {type(numbers).__name__}; expected an object")
    for name, key in numbers.items():
        number = _read_number(key)
        if str(name) in names and number != names.index(str(name)):
            own = names.index(str(name))
            raise ConfigError(
                f"{place}: id2label calls output {own} '{name}', and label2id says that '{name}' is "
                f"{key!r:.40}; which of them is right only its author can say: make both say the same"
            )
