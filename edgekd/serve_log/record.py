"""What is written of one request, by how much is kept of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .policy import LogPolicy, Mode
from .redact import redact

VERSION = 1
_PLAIN = ("label", "labels", "probability", "score", "action", "reason")
"""Parts of an answer that hold nothing of the request."""
_SHORT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,39}")
_DIGITS = re.compile(r"\d{5,}")
_OTHER = "other"
_MOST_TEXT = 20_000  # characters that are kept, as the Lambda handler takes no more


@dataclass(frozen=True)
class Asked:
    """One request, as the service knows it.

    Attributes:
        id: The service's own id of the request.
        text: What was asked.
        milliseconds: From the request's arrival to its answer.
        model: Digest of the artifact that answered.
        slices: What the caller knows of the request, as its answer was asked with.
        attributes: More of it, by the policy's names.
        user: Whoever asked; it is written as a keyed hash.
        tokens: The model's tokens, for requests of a cohort that is debugged.
    """

    id: str
    text: str
    milliseconds: float
    model: str
    slices: Sequence[str] = ()
    attributes: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None
    tokens: Sequence[str] = ()


def make_record(
    asked: Asked, said: Mapping[str, Any], policy: LogPolicy, time: float, *, compact: bool = False
) -> dict[str, Any]:
    """Return what is kept of a request and its answer (`respond`'s); `time` is in seconds since 1970, UTC.

    With `compact` it is the compact record, whatever the policy keeps of the request; `mode` says what
    that is. A compact record has nothing that the caller has written freely: attributes are the policy's,
    their values and the names of slices are short words without long numbers, and ids are hashed.
    """
    mode = policy.mode_of(asked.id, asked.slices)
    record: dict[str, Any] = {
        "event": "answer",
        "version": VERSION,
        "time": round(time, 3),
        "mode": mode,
        "request": policy.hide(asked.id),
        "model": _short(asked.model),
        "milliseconds": round(asked.milliseconds, 3),
        "slices": [_short(name) for name in asked.slices],
    }
    record |= {name: _short(asked.attributes[name]) for name in policy.attributes if name in asked.attributes}
    if asked.user is not None:
        record["user"] = policy.hide(asked.user)
    record |= {name: said[name] for name in _PLAIN if name in said}
    shares = _shares(said)
    if len(shares) > 1:
        record["margin"] = round(shares[0] - shares[1], 6)
    if "order" in said:
        record["candidates"] = len(said["order"])
    return record if compact or mode == "compact" else record | _details(asked, said, policy, mode)


def _details(asked: Asked, said: Mapping[str, Any], policy: LogPolicy, mode: Mode) -> dict[str, Any]:
    found: dict[str, Any] = {"text": redact(asked.text[:_MOST_TEXT], policy.order_ids)}
    found |= {name: said[name] for name in ("order", "scores", "probabilities") if name in said}
    if mode == "forensic" and asked.attributes.get("cohort") in policy.cohorts:
        found["tokens"] = [redact(token, policy.order_ids) for token in asked.tokens]
    return found


def _shares(said: Mapping[str, Any]) -> list[float]:
    probabilities = said.get("probabilities")
    if isinstance(probabilities, Mapping):
        return sorted(map(float, probabilities.values()), reverse=True)[:2]
    return []


def _short(value: str) -> str:
    return value if _SHORT.fullmatch(value) and (not _DIGITS.search(value) or _is_digest(value)) else _OTHER


def _is_digest(value: str) -> bool:
    return re.fullmatch(r"(?=.*[a-f])[0-9a-f]{12,40}", value) is not None
