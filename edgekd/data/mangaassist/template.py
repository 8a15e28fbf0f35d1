"""A phrasing with slots and choices: "Do you ship to {place}[?| at all?]"."""

from __future__ import annotations

import re
from dataclasses import dataclass

from edgekd.data.mangaassist.dice import Dice

_PIECE = re.compile(r"\{(\w+)\}|\[([^\[\]]*\|[^\[\]]*)\]")


@dataclass(frozen=True)
class Slot:
    """A place that a value goes into."""

    name: str


@dataclass(frozen=True)
class Choice:
    """Wordings of which one is used; plain text without slots in it, or templates."""

    options: tuple[Template, ...]


@dataclass(frozen=True)
class Template:
    """A parsed phrasing; `slots` names every slot in it, in order."""

    pieces: tuple[str | Slot | Choice, ...]
    slots: tuple[str, ...]

    def choose(self, dice: Dice) -> list[str | Slot]:
        """Settle the choices: text and slots remain."""
        out: list[str | Slot] = []
        for piece in self.pieces:
            if isinstance(piece, Choice):
                out.extend(dice.pick(piece.options).choose(dice))
            else:
                out.append(piece)
        return out


def parse_template(line: str) -> Template:
    """Parse one line of a phrase bank. A bracket without "|" in it is plain text.

    >>> parse_template("[Hi|Hey], got {title}?").slots
    ('title',)
    """
    pieces: list[str | Slot | Choice] = []
    slots: list[str] = []
    end = 0
    for found in _PIECE.finditer(line):
        if found.start() > end:
            pieces.append(line[end : found.start()])
        name, options = found.group(1), found.group(2)
        if name:
            pieces.append(Slot(name))
            slots.append(name)
        else:
            choice = Choice(tuple(parse_template(option) for option in options.split("|")))
            pieces.append(choice)
            slots.extend(slot for option in choice.options for slot in option.slots)
        end = found.end()
    if end < len(line):
        pieces.append(line[end:])
    return Template(tuple(pieces), tuple(slots))
