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
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001  the library's own panics are no Exception
            raise ServingError(f"{path}: its tokenizer cannot read {text!r:.60}: {error!s:.200}") from None

    try:
        document = json.loads(path.read_bytes())
        _check_vocabulary(document)
        if bare:
            document["post_processor"] = document["truncation"] = None
        fast = compile_wordpiece(document, max_tokens, tokenize, characters if has_table else None)
    except Exception as error:  # noqa: BLE001  (whatever a file holds that is no tokenizer's)
        raise ServingError(f"{path}: not a tokenizers file: {error!s:.200}") from None
    if fast is None:
        encode = _open_library(path, max_tokens, bare)
    elif not has_table:
        _require_library(path)
    return fast or tokenize


def _check_vocabulary(document: object) -> None:
    """Make sure that each token of a vocabulary that names ids has an id of its own.

    Raises:
        ValueError: two have the same, or one is no whole number from 0 up.
    """
    model = document.get("model") if isinstance(document, dict) else None
    vocabulary = model.get("vocab") if isinstance(model, dict) else None
    if not isinstance(vocabulary, dict) or not vocabulary:
        return
    if set(map(type, vocabulary.values())) != {int}:
        raise ValueError("the id of a token is no whole number")
    numbers = set(vocabulary.values())
    if len(numbers) < len(vocabulary):
        raise ValueError(f"{len(vocabulary)} tokens have {len(numbers)} ids between them")
    if min(numbers) < 0 or max(numbers) >= 1 << 31:
        raise ValueError("the id of a token is below 0, or beyond 32 bits")


def _no_text(text: object) -> ServingError:
    return ServingError(f"expected a text of Unicode characters, got {text!r:.60}")


def _require_library(path: Path) -> None:
    if find_spec("tokenizers") is None:
        raise ServingError(f"{path}: tokenizers is not installed; it is needed to run this artifact")


def _open_library(path: Path, max_tokens: int, bare: bool) -> Callable[[str], list[int]]:
    _require_library(path)
    try:
        tokenizer = importlib.import_module("tokenizers").Tokenizer.from_file(str(path))
        tokenizer.no_padding()
        side = "right" if bare else (tokenizer.truncation or {}).get("direction", "right")
        tokenizer.enable_truncation(max_tokens, direction=side)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # noqa: BLE001  tokenizers raises plain Exception, and its panics are none
        raise ServingError(f"{path}: not a tokenizers file: {error!s:.200}") from None

    def encode(text: str) -> list[int]:
        ids: list[int] = tokenizer.encode(text, add_special_tokens=not bare).ids
        return ids

    return encode
