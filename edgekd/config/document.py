"""From YAML text to plain values, within bounds: a text that no reader should follow is refused in one line.

YAML's parser of events works without recursion, so depth, size and repeated keys are counted on its events
before any value is made. An alias counts as all that it stands for: a few lines of aliases can otherwise
become millions of values.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import yaml

LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the same documents, ten times as fast
MOST_CHARACTERS = 1 << 20
"""A project file has some thousand."""
MOST_DEPTH = 50
MOST_VALUES = 200_000
_SHOWN = 60


class DocumentError(ValueError):
    """What is wrong with a text, in one line that names neither file nor option."""


def parse_document(text: str) -> Any:
    """Return the values that a YAML text holds.

    Raises:
        DocumentError: it is not YAML, holds a key twice, half a character or NUL, or goes beyond the bounds.
    """
    if len(text) > MOST_CHARACTERS:
        raise DocumentError(f"has {len(text):,} characters; expected at most {MOST_CHARACTERS:,}")
    try:
        _count(text)
        document = yaml.load(text, LOADER)
    except yaml.YAMLError as error:
        raise DocumentError(f"is not YAML: {shorten(error)}") from None
    except DocumentError:
        raise
    except (ValueError, TypeError, KeyError, ArithmeticError, AttributeError) as error:  # of a tagged value
        raise DocumentError(f"holds a value that is not of its kind: {shorten(error)}") from None
    check_texts(document)
    return document


def check_texts(value: Any) -> None:
    """Refuse texts, anywhere in the values, that no file and no path can hold; and bytes and sets.

    A set has no order, so that the same text would be read otherwise each time.

    Raises:
        DocumentError: naming one of them.
    """
    open_values = [value]
    while open_values:
        one = open_values.pop()
        if isinstance(one, str):
            if "\0" in one:
                raise DocumentError(f"holds a text with a NUL: {one!r:.{_SHOWN}}")
            try:
                one.encode()
            except UnicodeEncodeError:
                raise DocumentError(f"holds a text with half a character: {one!r:.{_SHOWN}}") from None
        elif isinstance(one, dict):
            open_values += [*one.keys(), *one.values()]
        elif isinstance(one, list | tuple):
            open_values += one
        elif isinstance(one, set | bytes):
            kind = "a set" if isinstance(one, set) else "bytes"
            raise DocumentError(
                f"holds {kind}: {one!r:.{_SHOWN}}; expected texts, numbers, lists and mappings"
            )


def shorten(error: Exception) -> str:
    """Return the words of an error in one line, at most 200 characters."""
    return " ".join(str(error).split())[:200]


@dataclass
class _Open:
    """A list or mapping that is not closed yet: its anchor, its values so far, and its keys."""

    anchor: str | None
    is_mapping: bool
    values: int = 1
    is_key: bool = True
    keys: set[str] = field(default_factory=set)


def _count(text: str) -> None:
    """Hold the events of a text against the bounds, aliases followed."""
    stack: list[_Open] = []
    sizes: dict[str, int] = {}
    for event in yaml.parse(text, LOADER):
        if isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            stack.append(_Open(event.anchor, isinstance(event, yaml.MappingStartEvent)))
            if len(stack) > MOST_DEPTH:
                raise DocumentError(f"is nested deeper than {MOST_DEPTH} levels")
            continue
        if isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            closed = stack.pop()
            anchor, size = closed.anchor, closed.values
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor not in sizes and any(one.anchor == event.anchor for one in stack):
                raise DocumentError(f"alias '{event.anchor}' stands inside of what it names")
            anchor, size = None, sizes.get(str(event.anchor), 1)
        elif isinstance(event, yaml.ScalarEvent):
            anchor, size = event.anchor, 1
            if stack and stack[-1].is_mapping and stack[-1].is_key and event.value != "<<":
                if event.value in stack[-1].keys:
                    line = event.start_mark.line + 1 if event.start_mark else 0
                    raise DocumentError(f"line {line}: key '{event.value:.{_SHOWN}}' stands there twice")
                stack[-1].keys.add(event.value)
        else:
            continue
        if anchor:
            sizes[anchor] = size
        if stack:
            stack[-1].values += size
            stack[-1].is_key = not stack[-1].is_key
            if stack[-1].values > MOST_VALUES:
                raise DocumentError(f"holds more than {MOST_VALUES:,} values, aliases followed")
