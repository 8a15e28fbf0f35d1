"""Answers texts on AWS Lambda: invoked directly, through a function URL, or behind API Gateway.

Asked `{"text": "..."}` or `{"texts": ["...", ...]}`; answered

    200 {"answers": [{"label": "...", "probability": 0.97}, ...], "model": "5f0c..."}
    400 {"error": "..."}   no JSON, not UTF-8, another shape, no Unicode text
    413 {"error": "..."}   a text too long, or too many of them
    500 {"error": "..."}   a defect; the function goes on serving

`model` is the beginning of the artifact's digest, as the ledger of promotions has it: live counts name it as
their `artifact`. A model that gives a score answers each text with `{"score": 0.73}`; one that
says all labels that apply, with `{"labels": ["..."], "probabilities": {"...": 0.97, ...}}`. One that orders
candidates is asked `{"query": "...", "candidates": ["...", ...]}`, at most 1,000 of them, and answers
`{"order": [2, 0, 1], "scores": [0.1, -1.3, 2.7]}`: places from 0, the best first, and the score of each
candidate in the order of the request. Where the model has a
routing policy, each answer also has its `action` (answer, refuse, teacher: ask it instead) and why;
`"slices": ["..."]` beside the text says what the caller knows of it.

A direct call gets that object with its `status`; an HTTP event gets `statusCode`, `headers` and `body`.
Everything slow happens while the function starts, in its init phase.
"""

from __future__ import annotations

import base64
import json
import os
import sys
from pathlib import Path

# Read when numpy loads: one thread, and no room for others.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
_MODEL = Path(__file__).resolve().parent / "model"
sys.path.insert(0, str(_MODEL))

from serving import ServingError, load  # noqa: E402
from serving.respond import respond  # noqa: E402

TYPE_CHECKING = False  # as type checkers read it; importing typing would cost the cold start
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

MOST_CHARACTERS = 20_000
MOST_TEXTS = 64
MOST_CANDIDATES = 1_000

# The platform has checked the bytes of the whole package (CodeSha256) before it unpacked them.
_model = load(_MODEL, verify=False)
# As the ledger of promotions names it: what live counts name as their `artifact`.
_digest = _model.digest[:12]


class _RefusedError(Exception):
    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status


def handler(event: Any, context: Any) -> dict[str, Any]:
    """Answer one event; never raises."""
    del context
    is_http = isinstance(event, dict) and ("requestContext" in event or "httpMethod" in event)
    try:
        answer = _answer(_read_body(event) if is_http else event)
        status = 200
    except _RefusedError as error:
        status, answer = error.status, {"error": str(error)}
    except ServingError as error:
        status, answer = 400, {"error": str(error)}
    except Exception as error:  # noqa: BLE001  one bad event must not end the function
        print(f"a defect: {type(error).__name__}: {error}"[:500], file=sys.stderr)
        status, answer = 500, {"error": "the function met a defect; see its log"}
    if not is_http:
        return {"status": status, **answer}
    body = json.dumps(answer, ensure_ascii=False)
    return {
        "statusCode": status,
        "headers": {"content-type": "application/json; charset=utf-8"},
        "body": body,
    }


def _read_body(event: dict[str, Any]) -> Any:
    body: Any = event.get("body")
    if event.get("isBase64Encoded") and isinstance(body, str):
        try:
            body = base64.b64decode(body, validate=True).decode("utf-8")
        except UnicodeDecodeError:
            raise _RefusedError(400, "the body is not UTF-8") from None
        except ValueError:
            raise _RefusedError(400, "the body is said to be base64 and is not") from None
    try:
        return json.loads(body)
    except (TypeError, ValueError, RecursionError):
        raise _RefusedError(400, 'the body is not JSON; expected {"text": "..."}') from None


def _answer(asked: Any) -> dict[str, Any]:
    # A model whose requests are more than a text says itself how an object becomes one.
    read = getattr(_model, "read_object", None)
    texts = [_read_request(asked, read)] if read else _read_texts(asked)
    slices = asked.get("slices", [])
    if not isinstance(slices, list) or not all(isinstance(name, str) for name in slices):
        raise _RefusedError(400, 'slices: expected a list of names, ["..."]')
    return {"answers": [_say(text, slices) for text in texts], "model": _digest}


def _say(text: str, slices: list[str]) -> dict[str, Any]:
    said = respond(_model, text, slices)
    for name in ("text", "query"):
        said.pop(name, None)
    return {name: _round(value) for name, value in said.items()}


def _round(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _round(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_round(one) for one in value]
    return round(value, 6) if isinstance(value, float) else value


def _read_request(asked: Any, read: Callable[[Any], str]) -> str:
    request = read(asked)
    candidates = asked["candidates"]
    if len(candidates) > MOST_CANDIDATES:
        raise _RefusedError(413, f"{len(candidates)} candidates; at most {MOST_CANDIDATES} a call")
    for text in (asked["query"], *candidates):
        _check_length(text)
    return request


def _check_length(text: str) -> None:
    if len(text) > MOST_CHARACTERS:
        raise _RefusedError(413, f"a text of {len(text)} characters; at most {MOST_CHARACTERS}")


def _read_texts(asked: Any) -> list[str]:
    texts = _list_texts(asked)
    if len(texts) > MOST_TEXTS:
        raise _RefusedError(413, f"{len(texts)} texts; at most {MOST_TEXTS} a call")
    for text in texts:
        if not isinstance(text, str):
            raise _RefusedError(400, f"a text is a string, got {type(text).__name__}")
        _check_length(text)
    return texts


def _list_texts(asked: Any) -> list[Any]:
    if not isinstance(asked, dict):
        raise _RefusedError(400, f'expected {{"text": "..."}}, got {type(asked).__name__}')
    if "text" in asked and "texts" not in asked:
        return [asked["text"]]
    texts = asked.get("texts")
    if "text" in asked or not isinstance(texts, list) or not texts:
        raise _RefusedError(400, 'expected {"text": "..."} or {"texts": ["...", ...]}')
    return texts
