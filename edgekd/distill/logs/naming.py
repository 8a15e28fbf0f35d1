"""Put a learner's terms and figures into events: under a field of their own where there is one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgekd.distill.logs.event import Event


def name_fields(
    event: type[Event], values: Mapping[str, float], others: str, start: str = ""
) -> dict[str, Any]:
    """Return an event's fields for named values.

    A value goes to the field of its name, with `start` before it. Those without such a field are kept
    together, by name, in the field `others`, which is absent where there are none.

    >>> from edgekd.distill.logs.events import EpochSummary
    >>> name_fields(EpochSummary, {"hard_ce": 0.5, "kd_kl": 0.2}, "train_terms", "train_")
    {'train_hard_ce': 0.5, 'train_terms': {'kd_kl': 0.2}}
    """
    own = {
        f"{start}{name}": value for name, value in values.items() if f"{start}{name}" in event.model_fields
    }
    rest = {name: value for name, value in values.items() if f"{start}{name}" not in event.model_fields}
    return {**own, others: rest} if rest else own
