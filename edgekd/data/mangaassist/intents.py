"""The intents, their families, how often each comes in, and which one names a message of several.

The rule for a message with several intents: safety before a payment dispute, before a matter about
one's own order, parcel or return, before a general question. Between two of one rank, the first
named counts.
"""

from __future__ import annotations

# A family's share of real traffic, then its intents with their share of the family.
FAMILIES: dict[str, tuple[float, dict[str, float]]] = {
    "faq": (
        0.40,
        {
            "faq_availability": 0.23,
            "faq_shipping": 0.18,
            "faq_editions": 0.14,
            "faq_returns": 0.14,
            "faq_preorder": 0.12,
            "faq_payment": 0.10,
            "faq_membership": 0.09,
        },
    ),
    "recommendation": (
        0.25,
        {"rec_similar": 0.32, "rec_genre": 0.28, "rec_gift": 0.22, "rec_order": 0.18},
    ),
    "order_tracking": (0.20, {"order_status": 0.40, "order_late": 0.34, "order_change": 0.26}),
    "return": (0.10, {"return_start": 0.34, "return_refund": 0.30, "return_exchange": 0.36}),
    "payment_dispute": (
        0.03,
        {"dispute_charge": 0.6, "dispute_unauthorised": 0.4},
    ),
    "safety_escalation": (
        0.02,
        {"safety_self_harm": 0.45, "safety_abuse": 0.55},
    ),
}

CRITICAL = ("payment_dispute", "safety_escalation")

# Smaller goes first when a message holds several intents.
RANK = {
    "safety_escalation": 0,
    "payment_dispute": 1,
    "order_tracking": 2,
    "return": 2,
    "recommendation": 3,
    "faq": 3,
}

FAMILY_OF = {intent: family for family, (_, intents) in FAMILIES.items() for intent in intents}

INTENTS = tuple(sorted(FAMILY_OF))


def primary_intent(named: tuple[str, ...]) -> str:
    """Tell which intent labels a message that names several, in the order in which it names them.

    >>> primary_intent(("faq_shipping", "order_late"))
    'order_late'
    >>> primary_intent(("rec_gift", "faq_shipping"))
    'rec_gift'
    """
    return min(named, key=lambda intent: RANK[FAMILY_OF[intent]])


def companions(intent: str) -> tuple[str, ...]:
    """List the intents that may stand beside `intent` without taking its label when named second."""
    rank = RANK[FAMILY_OF[intent]]
    family = FAMILY_OF[intent]
    general = RANK["faq"]
    return tuple(
        other
        for other in INTENTS
        if RANK[FAMILY_OF[other]] >= rank
        and other != intent
        and (FAMILY_OF[other] != family or rank == general)
    )
