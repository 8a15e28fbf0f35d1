"""From a text to token ids, as the student was trained."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from .characters import NAME as CHARACTERS
from .errors import ServingError
from .wordpiece import compile_wordpiece, is_unicode


def open_tokenizer(path: Path, max_tokens: int, *, bare: bool = False) -> Callable[[str], list[int]]:
    """Return a function from one text to at most `max_tokens` ids, special tokens included.

    A longer text loses its end, or its beginning where the file's `truncation` has the direction Left. With
    `bare` there are no special tokens around the text, and it is always the end.

    A tokenizer of BERT's kind is imitated exactly (`wordpiece`): for printable ASCII, and with a table of
    characters beside it for any text. All else goes through the tokenizers library, which then opens its own
    copy of the vocabulary with the first such text: half of what loading a static student takes. One text
    at a time is never spread over its thread pool, so no thread starts here.
    """
    encode: Callable[[str], list[int]] | None = None
    characters = path.with_name(CHARACTERS)
    has_table = characters.is_file()

    def tokenize(text: str) -> list[int]:
        nonlocal encode
        if not isinstance(text, str) or (has_table and not is_unicode(text)):
            raise _no_text(text)
        if encode is None:
            encode = _open_library(path, max_tokens, bare)
        try:
            return encode(text)
        except (TypeError, UnicodeEncodeError):
            raise _no_text(text) from None

    try:
        document = json.loads(path.read_bytes())
        if bare:
            document["post_processor"] = document["truncation"] = None
        fast = compile_wordpiece(document, max_tokens, tokenize, characters if has_table else None)
    except Exception as error:  # noqa: BLE001  (whatever a file holds that is no tokenizer's)
        raise ServingError(f"{path}: not a tokenizers file: {error}") from None
    if fast is None:
        encode = _open_library(path, max_tokens, bare)
    elif not has_table:
        _require_library(path)
    return fast or tokenize


def _no_text(text: object) -> ServingError:
    return ServingError(f"expected a text of Unicode characters, got {text!r:.60}")


def _require_library(path: Path) -> None:
    if find_spec("tokenizers") is None:
        raise ServingError(f"{path}: tokenizers is not installed; it is needed to run this artifact")


def _open_library(path: Path, max_tokens: int, bare: bool) -> Callable[[str], list[int]]:
    _require_library(path)
    try:
        tokenizer = importlib.import_module("tokenizers").Tokenizer.from_file(str(path))
    except Exception as error:  # noqa: BLE001  (tokenizers raises plain Exception)
        raise ServingError(f"{path}: not a tokenizers file: {error}") from None
    tokenizer.no_padding()
    side = "right" if bare else (tokenizer.truncation or {}).get("direction", "right")
    tokenizer.enable_truncation(max_tokens, direction=side)

    def encode(text: str) -> list[int]:
        ids: list[int] = tokenizer.encode(text, add_special_tokens=not bare).ids
        return ids

    return encode
