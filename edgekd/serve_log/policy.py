"""How much is kept of which request."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Mode = Literal["compact", "full", "forensic"]
"""`compact`: figures alone, of all requests. `full`: the redacted text too. `forensic`: all that is known."""

_LEAST_KEY = 16
_UNITS = float(1 << 64)


@dataclass(frozen=True)
class LogPolicy:
    """How much is kept of which request.

    Attributes:
        key: Secret that identifiers are hashed with, at least 16 bytes. Without it a hash tells nothing.
        full_share: Share of the ordinary requests that are kept with their text.
        risky: Slices whose requests are kept in full detail.
        forensic_share: Share of the risky requests that are; the others are kept as ordinary ones.
        attributes: Names of what a caller may say of a request, as `device` or `region`.
        cohorts: Values of the attribute `cohort` for which a forensic row also has the model's tokens.
        order_ids: Regular expressions of the shop's order numbers, for redaction.

    Raises:
        ValueError: a share is not from 0 to 1, or the key is too short.
    """

    key: bytes
    full_share: float = 0.004
    risky: tuple[str, ...] = ()
    forensic_share: float = 1.0
    attributes: tuple[str, ...] = ("device", "region", "language", "cohort")
    cohorts: tuple[str, ...] = ()
    order_ids: tuple[str, ...] = (r"(?:MA|ORD)-?\d{5,12}", r"#\d{5,12}")

    def __post_init__(self) -> None:
        if len(self.key) < _LEAST_KEY:
            raise ValueError(f"key: has {len(self.key)} bytes, expected at least {_LEAST_KEY}")
        for name in ("full_share", "forensic_share"):
            share = getattr(self, name)
            if not 0 <= share <= 1:
                raise ValueError(f"{name}: expected a share from 0 to 1, got {share!r}")

    def mode_of(self, request_id: str, slices: Sequence[str] = ()) -> Mode:
        """Say how much is kept of a request. The same id gives the same answer in every process.

        >>> policy = LogPolicy(bytes(16), full_share=0.5, risky=("safety",))
        >>> [policy.mode_of(f"r{n}") for n in range(4)]
        ['compact', 'full', 'compact', 'compact']
        >>> policy.mode_of("r0", ["safety"])
        'forensic'
        """
        is_risky = not set(self.risky).isdisjoint(slices)
        if is_risky and _place(request_id, b"forensic") < self.forensic_share:
            return "forensic"
        return "full" if _place(request_id, b"full") < self.full_share else "compact"

    def hide(self, identifier: str) -> str:
        """Return a keyed hash of an identifier: equal for equal ones, and told from no other without the key.

        Source: HMAC-SHA256 (RFC 2104), its first 128 bits.
        """
        return hmac.new(self.key, identifier.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[
            :32
        ]


def _place(request_id: str, purpose: bytes) -> float:
    """Return a number from 0 to 1 that the id and the purpose decide."""
    given = request_id.encode("utf-8", "surrogatepass")
    digest = hashlib.blake2b(given, digest_size=8, person=b"edgekd " + purpose).digest()
    return int.from_bytes(digest, "big") / _UNITS
