"""The tokenizer and the labels as lines of text that any language can read."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from edgekd.compile import Artifact
from edgekd.errors import BadInputError
from edgekd.serving.characters import NAME as CHARACTERS
from edgekd.serving.characters import Characters


def read_tokenizer(artifact: Artifact) -> dict[str, Any]:
    """Read `tokenizer.json`, after making sure that the bundle's own tokenizers can stand in for it.

    Raises:
        BadInputError: the tokenizer is not BERT's WordPiece, or a table of it cannot be written in lines.
    """
    path = artifact.path / CHARACTERS
    if not path.is_file():
        raise BadInputError(
            f"{path}: not found: the tokenizer is not BERT's WordPiece in lower case, the one that the "
            "mobile bundle has in C, Kotlin and Swift; compile a student of such a teacher, as minilm-l6"
        )
    table = Characters(path)
    spaces = [chr(point) for point in range(sys.maxunicode + 1) if chr(point).isspace()]
    left = [f"U+{ord(space):04X}" for space in spaces if table[ord(space)].strip(" ")]
    if left:  # the tokenizers of the bundle know one kind of space, so that they need no Unicode tables
        raise BadInputError(
            f"{path}: leaves {', '.join(left)} inside words; expected a space; compile it again"
        )
    tokenizer: dict[str, Any] = json.loads((artifact.path / "tokenizer.json").read_bytes())
    return tokenizer


def list_tokens(tokenizer: Mapping[str, Any]) -> list[str]:
    """List the vocabulary in the order of ids.

    Raises:
        BadInputError: an id is missing, so that a line's number would not be its token's id.
    """
    vocabulary: dict[str, int] = tokenizer["model"]["vocab"]
    tokens = sorted(vocabulary, key=vocabulary.__getitem__)
    for number, token in enumerate(tokens):
        if vocabulary[token] != number:
            raise BadInputError(
                f"tokenizer.json: found no token of id {number}, expected ids from 0 without gaps; "
                "number the vocabulary anew before compiling"
            )
    return tokens


def write_lines(path: Path, lines: Iterable[str], without: str = "\n") -> None:
    """Write one text a line; `without` are the characters that none may hold.

    Raises:
        BadInputError: one of them holds what would end a line or a column.
    """
    found = list(lines)
    for line in found:
        if set(without) & set(line):
            raise BadInputError(
                f"{path.name}: {line!r:.60} holds a line break, a tab or NUL, expected one line of text; "
                "rename it"
            )
    path.write_bytes("".join(f"{line}\n" for line in found).encode())
