"""What phones, hurry and dictation do to a message: typing errors, abbreviations, casing."""

from __future__ import annotations

import re

from edgekd.data.mangaassist.dice import Dice

_NEIGHBOURS = {
    "a": "qsz", "b": "vgn", "c": "xdv", "d": "sfe", "e": "wrd", "f": "dgr", "g": "fht", "h": "gjy",
    "i": "uok", "j": "hkn", "k": "jli", "l": "ko", "m": "n", "n": "bm", "o": "ipl", "p": "o",
    "q": "wa", "r": "etf", "s": "adw", "t": "ryg", "u": "yij", "v": "cb", "w": "qes", "x": "zc",
    "y": "tuh", "z": "xa",
}  # fmt: skip

# What dictation hears instead, in English.
_HEARD = {
    "manga": "monger", "vol": "wall", "their": "there", "two": "to", "for": "four", "your": "you're",
    "buy": "by", "mail": "male", "read": "red", "week": "weak", "where": "wear", "know": "no",
    "here": "hear", "shipped": "ship", "it's": "its", "would": "wood", "one": "won", "series": "serious",
    "books": "box", "which": "witch", "weather": "whether", "hi": "high", "kindle": "candle",
}  # fmt: skip

_ABBREVIATIONS = {
    "hardcover": "hc", "omnibus": "omni", "volume": "vol", "with": "w/", "without": "w/o", "please": "pls",
    "you": "u", "are": "r", "your": "ur", "because": "bc", "about": "abt", "thanks": "thx",
    "recommend": "rec", "edition": "ed.", "tomorrow": "tmrw", "before": "b4", "don't": "dont",
    "can't": "cant", "i'm": "im", "what's": "whats", "it's": "its", "paperback": "pb", "and": "&",
    "porque": "pq", "por favor": "xfa", "que": "q", "bitte": "bidde", "bonjour": "bjr", "salut": "slt",
}  # fmt: skip

_FILLERS = ("um", "uh", "so", "like", "er", "you know")
_WORD = re.compile(r"[A-Za-zÀ-ÿ']+")


def mistype(text: str, dice: Dice) -> str:
    """Make about one typing error in eight words, at least one; short words and numbers stay."""
    words = text.split(" ")
    long_words = [i for i, word in enumerate(words) if len(word) >= 4 and word.isalpha()]
    for i in dice.shuffle(long_words)[: max(1, (len(words) + dice.below(8)) // 8)]:
        words[i] = _slip(words[i], dice)
    return " ".join(words)


def _slip(word: str, dice: Dice) -> str:
    at = dice.between(1, len(word) - 2)
    kind = dice.below(4)
    if kind == 0:
        return word[:at] + word[at + 1 :]
    if kind == 1:
        return word[:at] + word[at] * 2 + word[at + 1 :]
    if kind == 2:
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return word[:at] + dice.pick(_NEIGHBOURS.get(word[at].lower(), word[at])) + word[at + 1 :]


def dictate(text: str, dice: Dice) -> str:
    """Write the text as speech recognition would: no marks or capitals, fillers, words misheard."""
    words = re.sub(r"[^\w\s'€$£-]|_", " ", text).lower().split()
    out: list[str] = []
    for word in words:
        if dice.chance(0.05):
            out.append(dice.pick(_FILLERS))
        out.append(_HEARD[word] if word in _HEARD and dice.chance(0.5) else word)
    return " ".join(out)


def abbreviate(text: str, dice: Dice) -> str:
    """Shorten some of the words that customers shorten."""

    def shorten(found: re.Match[str]) -> str:
        short = _ABBREVIATIONS.get(found.group().lower())
        return short if short and dice.chance(0.7) else found.group()

    return _WORD.sub(shorten, text)


def casual(text: str, dice: Dice) -> str:
    """Drop capitals, end marks or accents, as many do on a phone."""
    roll = dice.below(10)
    if roll < 4:
        text = text.lower()
    if roll < 2 or roll in (4, 5):
        text = text.rstrip(".!?")
    if roll == 6:
        text = text.replace("¿", "").replace("¡", "").translate(_PLAIN)
    if roll == 7:
        text = text.replace("?", "??") if "?" in text else text + "..."
    if roll == 8 and len(text) < 60 and dice.chance(0.3):
        text = text.upper()
    return text


_PLAIN = str.maketrans("áéíóúàèùâêîôûãõçüöäñ", "aeiouaeuaeiouaocuoan")
