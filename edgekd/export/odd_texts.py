"""Texts made of those that are given, on which tokenizers and lengths part ways."""

from __future__ import annotations

from collections.abc import Sequence

ODD = (
    "",
    " \t\n ",
    "tab\tnew\nline\r\nno\u00a0break\u200bzero\u00adsoft\x00null\ufeff",
    "Où est ma commande nº 4 — s’il vous plaît ? ÀÉÎÕÜ",
    "cafe\u0301 na\u00efve a\u0308 ﬁn Straße İstanbul ŒUVRE",
    "漫画の新刊はいつ出ますか 我的订单在哪里 주문이 어디에 있나요",
    "أين طلبي رقم ١٢٣؟ मेरा ऑर्डर कहाँ है שלום",
    "🙂🚚❤️‍🔥👩‍🚒🏳️‍🌈 when?",
    "ｆｕｌｌ　ｗｉｄｔｈ ①②③ ½ ™",
    "snake_case a-b/c `~^ $5.99 % <b>bold</b> http://example.org/?q=1&r=2 ...!!!",
    "don't can't I'M we'Ve  two  spaces   three ",
    "1234567890 3.14 1,000,000 -7",
)
_MOST_SPECIAL = 40


def make_odd_texts(texts: Sequence[str], special: Sequence[str]) -> list[str]:
    """Return odd texts: of other scripts, in other cases, and with special tokens spelled out.

    `special` are tokens that stand for themselves; the first forty are taken.
    """
    some = [text for text in texts if text.strip()][:3]
    cased = [changed for text in some for changed in (text.upper(), text.title(), f"  {text} ")]
    spelled = [
        f"where {token} is{token}my {token.lower()} order {token.upper()}"
        for token in special[:_MOST_SPECIAL]
    ]
    return [*ODD, *cased, *spelled, *(text * 40 for text in some[:1]), "x" * 300]


def make_long_texts(texts: Sequence[str], characters: int) -> list[str]:
    """Return two texts of so many characters or more that begin and end otherwise: it shows what is cut."""
    words = " ".join(texts).split()
    if not words:
        return []
    whole: list[str] = []
    size = turn = 0
    while size < characters:
        part = words[turn % len(words) :] + words[: turn % len(words)]
        whole += part
        size += sum(map(len, part)) + len(part)
        turn += 1
    return [" ".join(whole), " ".join(reversed(whole))]
