"""From a text to token ids, as the student was trained."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from .errors import ServingError
from .wordpiece import compile_wordpiece


def import_tokenizers(path: Path) -> ModuleType:
    """Import the tokenizers library; `path` is what needs it."""
    try:
        return importlib.import_module("tokenizers")
    except ModuleNotFoundError:
        raise ServingError(
            f"{path}: tokenizers is not installed; it is needed to run this artifact"
        ) from None


def open_tokenizer(path: Path, max_tokens: int) -> Callable[[str], list[int]]:
    """Return a function from one text to at most `max_tokens` ids, special tokens included.

    Printable ASCII takes a short cut (`wordpiece`) where the tokenizer is one that it can
    imitate exactly; all else goes through the tokenizers library. One text at a time is never
    spread over its thread pool, so no thread starts here.
    """
    library = import_tokenizers(path)
    try:
        data = path.read_bytes()
        tokenizer = library.Tokenizer.from_buffer(data)
    except Exception as error:  # noqa: BLE001  (tokenizers raises plain Exception)
        raise ServingError(f"{path}: not a tokenizers file: {error}") from None
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    encode = tokenizer.encode

    def tokenize(text: str) -> list[int]:
        try:
            ids: list[int] = encode(text).ids
        except (TypeError, UnicodeEncodeError):
            raise ServingError(f"expected a text of Unicode characters, got {text!r:.60}") from None
        return ids

    return compile_wordpiece(json.loads(data), max_tokens, tokenize) or tokenize
