"""Take out of a text what tells who wrote it or how they pay: by patterns, without a language model.

Kinds: e-mail addresses, card numbers (Luhn), IBANs (ISO 7064, mod 97-10), phone numbers, order numbers. Names
of people stay: they need a language model.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

# Letters are ASCII ones: in Japanese a number stands right beside a word.
_EMAIL = re.compile(r"[A-Za-z0-9._+%'-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}")
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}(?:[ -]?[A-Za-z0-9]){11,30}(?![A-Za-z0-9])")
_CARD = re.compile(r"(?<![A-Za-z0-9_.,-])\d(?:[ -]?\d){12,18}(?![A-Za-z0-9_-]|[.,]\d)")
_PHONE = re.compile(
    r"(?<![A-Za-z0-9_.,:/#+-])(?:\+\d{1,3}[ .-]?)?(?:\(\d{1,4}\)[ .-]?)?\d{1,4}(?:[ ./-]?\d{1,4}){1,6}"
    r"(?![A-Za-z0-9_-]|[.,:/]\d)"
)
_OTHERS = (
    re.compile(r"(?<!\d)(?:19|20)\d\d([-./ ])[01]?\d\1[0-3]?\d(?!\d)"),
    re.compile(r"(?<!\d)[0-3]?\d([-./ ])[0-3]?\d\1(?:19|20)\d\d(?!\d)"),
    re.compile(r"(?<!\d)97[89][ -]?(?:\d[ -]?){9}\d(?!\d)"),
    re.compile(r"(?<!\d)\d{1,3}(?:[.,]\d{3})+(?!\d)"),
    re.compile(r"(?<![\d.,])\d+[.,]\d{1,2}(?![\d.,])"),
)
"""Dates, ISBNs, and numbers with points: no number of a card or a phone begins or ends in one."""
_DIGITS_OF_A_CARD = range(13, 20)
_DIGITS_OF_A_PHONE = range(8, 16)
_DIGITS_OF_AN_IBAN = range(15, 35)
_LEAST_UNGROUPED = 9
_GROUPS = range(3, 6)
_DIGITS_OF_A_GROUP = range(2, 5)


def redact(text: str, order_ids: Sequence[str] = ()) -> str:
    """Put the kind in the place of what is taken out; `order_ids` are regular expressions.

    >>> redact("mail me at ana@example.org or +34 612 345 678, card 4111 1111 1111 1111")
    'mail me at <EMAIL> or <PHONE>, card <CARD>'
    >>> redact("where is MA-1234567? it was 12.50 on 2026-11-30", [r"MA-?[0-9]{5,}"])
    'where is <ORDER>? it was 12.50 on 2026-11-30'
    """
    found: list[tuple[int, int, str]] = []
    for start, end, kind in _spans(text, order_ids):
        if all(end <= other or start >= stop for other, stop, _ in found):
            found.append((start, end, kind))
    for start, end, kind in sorted(found, reverse=True):
        text = f"{text[:start]}<{kind}>{text[end:]}"
    return text


def _spans(text: str, order_ids: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    """Find what is taken out; what comes first keeps its place."""
    for match in _EMAIL.finditer(text):
        yield *match.span(), "EMAIL"
    for match in _IBAN.finditer(text):
        end = _end_of_iban(match.group())
        if end:
            yield match.start(), match.start() + end, "IBAN"
    for pattern in order_ids:
        for match in re.finditer(rf"(?<![A-Za-z0-9_])(?:{pattern})(?![A-Za-z0-9_])", text):
            yield *match.span(), "ORDER"
    for other in _OTHERS:
        text = other.sub(lambda match: "x" * len(match.group()), text)
    for match in _CARD.finditer(text):
        if is_card(match.group()):
            yield *match.span(), "CARD"
    for match in _PHONE.finditer(text):
        if _is_phone(match.group()):
            yield *match.span(), "PHONE"


def is_card(digits: str) -> bool:
    """Tell whether digits have a card's length and check digit (Luhn, ISO/IEC 7812-1).

    >>> is_card("4111 1111 1111 1111"), is_card("4111 1111 1111 1112")
    (True, False)
    """
    plain = [int(sign) for sign in digits if sign.isdecimal()]
    if len(plain) not in _DIGITS_OF_A_CARD or len(set(plain)) == 1:
        return False
    doubled = [digit * 2 - 9 * (digit > 4) for digit in plain[-2::-2]]
    return (sum(plain[-1::-2]) + sum(doubled)) % 10 == 0


def is_iban(text: str) -> bool:
    """Tell whether letters and digits are an IBAN (ISO 13616) with the right check digits.

    >>> is_iban("DE89 3704 0044 0532 0130 00"), is_iban("DE88 3704 0044 0532 0130 00")
    (True, False)
    """
    plain = "".join(sign for sign in text if sign not in " -").upper()
    if len(plain) not in _DIGITS_OF_AN_IBAN or not plain.isascii() or not plain.isalnum():
        return False
    turned = plain[4:] + plain[:4]
    return int("".join(str(int(sign, 36)) for sign in turned)) % 97 == 1


def _end_of_iban(text: str) -> int:
    """Return where an IBAN ends that begins the text, the longest first; 0 where none does."""
    ends = [place + 1 for place, sign in enumerate(text) if sign not in " -"]
    return next((end for end in reversed(ends) if is_iban(text[:end])), 0)


def _is_phone(text: str) -> bool:
    """Tell a phone number by its sign, or by the groups that it is written in."""
    groups = re.findall(r"\d+", text)
    digits = sum(map(len, groups))
    if digits not in _DIGITS_OF_A_PHONE:
        return False
    if text[0] in "+(0":
        return True
    if len(groups) == 1:
        return digits >= _LEAST_UNGROUPED
    has_one_gap = len(set(re.findall(r"\D+", text))) == 1
    are_even = all(len(group) in _DIGITS_OF_A_GROUP for group in groups)
    return has_one_gap and are_even and len(groups) in _GROUPS
