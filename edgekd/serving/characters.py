"""What becomes of each character before a text is cut into words, read from `characters.txt`.

A line is `FIRST LAST KIND`, code points in hexadecimal, both ends in; what no line names stays as it is:

    0 8 drop            goes away
    9 a space           becomes a space
    21 2f alone         stays, with a space before and after it
    41 5a add 32        becomes the character that many places on
    130 130 = 69        becomes these characters
    ac00 d7a3 hangul    is taken apart into its two or three letters (Unicode Standard, 3.12)

Lines are in order and do not overlap. After that a text's words stand between spaces.
"""

from __future__ import annotations

from bisect import bisect_right
from pathlib import Path

from .errors import ServingError

NAME = "characters.txt"


class Characters(dict[int, str]):
    """A table for `str.translate` that finds a character's line when it first meets it."""

    def __init__(self, path: Path) -> None:
        try:
            self._lines = [line.split(" ", 2) for line in path.read_text("ascii").splitlines()]
            self._firsts = [int(first, 16) for first, _, _ in self._lines]
            self._lasts = [int(last, 16) for _, last, _ in self._lines]
        except (OSError, ValueError) as error:
            raise ServingError(f"{path}: not a table of characters: {error}") from None
        for _, _, kind in self._lines:
            if kind.partition(" ")[0] not in _KINDS:
                raise ServingError(f"{path}: expected one of {', '.join(_KINDS)}, got {kind:.40}")

    def __missing__(self, point: int) -> str:
        """Find what a code point becomes, and keep it."""
        place = bisect_right(self._firsts, point) - 1
        found = chr(point)
        if place >= 0 and point <= self._lasts[place]:
            kind, _, rest = self._lines[place][2].partition(" ")
            found = _KINDS[kind](point, rest)
        self[point] = found
        return found


def _jamo(point: int, _: str) -> str:
    place = point - 0xAC00
    last = place % 28
    parts = 0x1100 + place // 588, 0x1161 + place % 588 // 28, 0x11A7 + last
    return "".join(map(chr, parts[: 3 if last else 2]))


_KINDS = {
    "drop": lambda point, rest: "",
    "space": lambda point, rest: " ",
    "alone": lambda point, rest: f" {chr(point)} ",
    "add": lambda point, rest: chr(point + int(rest)),
    "=": lambda point, rest: "".join(chr(int(code, 16)) for code in rest.split()),
    "hangul": _jamo,
}
