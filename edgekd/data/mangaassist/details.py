"""What fills the slots of one message: titles, volumes, order numbers, prices, places."""

from __future__ import annotations

import re
from collections.abc import Callable

from edgekd.data.mangaassist.bank import Bank
from edgekd.data.mangaassist.catalogue import Series
from edgekd.data.mangaassist.dice import Dice
from edgekd.data.mangaassist.template import Slot, Template

_CARRIERS = ("DHL", "UPS", "FedEx", "GLS", "DPD", "the post", "Hermes")
_CARDS = ("Visa", "Mastercard", "Amex", "PayPal", "debit card", "credit card", "Maestro")


class Details:
    """The facts of one message: a slot that comes up twice gets the same value, as in real talk."""

    def __init__(self, dice: Dice, bank: Bank, series: Series, other: Series) -> None:
        self._dice = dice
        self._bank = bank
        self._series = {"title": series, "title2": other}
        self._known: dict[str, str] = {}
        self.mentioned: list[Series] = []

    def fill(self, template: Template) -> str:
        """Write the template out."""
        return "".join(
            self._value(piece.name) if isinstance(piece, Slot) else piece
            for piece in template.choose(self._dice)
        )

    def know(self, name: str, value: str) -> None:
        """Settle a slot's value."""
        self._known[name] = value

    def _value(self, name: str) -> str:
        if name in self._series:
            self.mentioned.append(self._series[name])
        known = self._known.get(name)
        if known is None:
            known = self._known[name] = self._make(name)
        return known

    def _make(self, name: str) -> str:
        if name == "item":
            return self.fill(self._dice.pick(self._bank.phrases("slot item")))
        if name in self._series:
            return _spell_title(self._dice, self._series[name].title)
        if name == "price2":
            return _price(self._dice, above=int(re.findall(r"\d+", self._value("price"))[0]))
        base = name.rstrip("2")
        first = self._value(base) if name != base else ""
        while (value := self._draw(base)) == first:
            pass
        return value

    def _draw(self, name: str) -> str:
        maker = _MAKERS.get(name)
        if maker is not None:
            return maker(self._dice)
        value = self._dice.pick(self._bank.slots[name])
        if name == "vol":
            last = max(3, self._series["title"].volumes)
            return value.replace("{num}", str(self._dice.between(1, last)))
        return value


def _spell_title(dice: Dice, title: str) -> str:
    roll = dice.below(20)
    if roll < 5:
        return title.lower()
    if roll == 5:
        return f'"{title}"'
    words = title.split()
    if roll == 6 and len(words) >= 3:
        return "".join(word[0] for word in words).upper()
    if roll == 7 and words[0] in ("The", "A") and len(words) > 2:
        return " ".join(words[1:])
    return title


def _order(dice: Dice) -> str:
    number = dice.between(10204, 98730)
    return dice.pick((f"MA-{number}", f"#{number}", f"{number}", f"MA{number}", f"#MA-{number}"))


def _price(dice: Dice, above: int = 3) -> str:
    whole, cents = above + dice.between(1, 90), dice.pick(("00", "50", "90", "95", "99"))
    shapes = ("€{}.{}", "${}.{}", "{},{} €", "{} euro", "£{}", "{}.{}")
    return dice.pick(shapes).format(whole, cents)


_MAKERS: dict[str, Callable[[Dice], str]] = {
    "order": _order,
    "price": _price,
    "num": lambda dice: str(dice.between(2, 9)),
    "age": lambda dice: str(dice.between(6, 15)),
    "carrier": lambda dice: dice.pick(_CARRIERS),
    "card": lambda dice: dice.pick(_CARDS),
}
