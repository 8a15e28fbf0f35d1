"""Compose one message from its parts: an opener, who speaks, what is wanted, a detail, a closer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

from edgekd.data.mangaassist import noise
from edgekd.data.mangaassist.bank import Bank, load_bank
from edgekd.data.mangaassist.catalogue import Catalogue, Series
from edgekd.data.mangaassist.details import Details
from edgekd.data.mangaassist.dice import Dice
from edgekd.data.mangaassist.intents import CRITICAL, FAMILIES, FAMILY_OF, INTENTS, RANK, companions
from edgekd.data.mangaassist.template import Template

MIN_WORDS, MAX_WORDS = 3, 45

_BRIEF = 0.4  # a brief message has an opener, persona, background or closer so many times as often as another
_SOLVED = 0.62  # share of backgrounds that quote a whole question

_ANGRY = frozenset({"order_late", "return_refund", "return_exchange"})
_HAS_ORDER = frozenset({"order_tracking", "return", "payment_dispute"})

# A few words that speakers of other languages keep when they write English to the shop.
_MIXED = {
    "es": {"order": "pedido", "book": "libro", "refund": "reembolso", "volume": "tomo", "gift": "regalo"},
    "de": {"order": "Bestellung", "book": "Buch", "refund": "Erstattung", "shipping": "Versand"},
    "fr": {"order": "commande", "book": "livre", "refund": "remboursement", "gift": "cadeau"},
    "pt": {"order": "pedido", "book": "livro", "refund": "reembolso", "gift": "presente"},
    "ja": {"order": "chuumon", "book": "hon", "shipping": "souryou", "refund": "henkin"},
}


@dataclass(frozen=True)
class Wish:
    """What a message is to be: settled by the plan, written by `compose`.

    A near miss sounds like a critical intent and is of another one: by its words, or with `loud_title` by
    the title that it names. `for_test` says which of the reserved phrasings may be used. A brief message
    seldom has more than the matter itself, as rows have that are written to learn from.
    """

    intent: str
    language: str
    day: date
    device: str
    multi: bool
    fresh: bool
    near_miss: bool
    reserved_share: float
    for_test: bool
    loud_title: bool = False
    brief: bool = False

    @property
    def must_name(self) -> bool:
        """Whether the message has to name its title."""
        return self.fresh or self.loud_title


@dataclass(frozen=True)
class Message:
    """A written message.

    `fresh` says whether it names a title of the last 60 days, and `new_wording` whether what it wants
    is phrased in a reserved way.
    """

    text: str
    noisy: bool
    fresh: bool
    new_wording: bool


class Composer:
    """Writes messages; holds the draws and the catalogue."""

    def __init__(self, dice: Dice, catalogue: Catalogue) -> None:
        self._dice = dice
        self._catalogue = catalogue
        self._decks: dict[tuple[str, str, bool, bool, bool], list[Template]] = {}

    def compose(self, wish: Wish) -> Message:
        """Write one message of `MIN_WORDS` to `MAX_WORDS` words that is what the wish says.

        Where no wording of an intent can name a title, the wish for a fresh one is dropped.
        """
        for attempt in range(60):
            if attempt == 20:
                wish = replace(wish, fresh=False)
            message = self._attempt(wish)
            if message.fresh == wish.fresh and MIN_WORDS <= len(message.text.split()) <= MAX_WORDS:
                return message
        raise AssertionError(f"no message fits {wish}")

    def _attempt(self, wish: Wish) -> Message:
        dice = self._dice
        settled = self._catalogue.settled(wish.day)
        fresh = self._catalogue.fresh(wish.day)
        titles = fresh if wish.fresh else settled
        if wish.loud_title:
            titles = tuple(series for series in titles if series.is_loud) or titles
        main = dice.pick(titles)
        bank = load_bank(wish.language)
        mixed = wish.language != "en" and not wish.multi and dice.chance(0.33)
        core_bank = load_bank("en") if mixed else bank
        details = Details(dice, core_bank, main, self._another(settled, main))
        core, new = self._core(wish, core_bank, details)
        if mixed:
            core = " ".join(_MIXED[wish.language].get(word, word) for word in core.split(" "))
        parts, mentioned = self._surround(wish, bank, core, main, details)
        text = " ".join(parts)
        named_fresh = any(series in fresh for series in [*mentioned, *details.mentioned])
        text, noisy = self._wear(wish, text, core)
        return Message(" ".join(text.split()), noisy, named_fresh, new)

    def _another(self, series: tuple[Series, ...], main: Series) -> Series:
        while (other := self._dice.pick(series)) == main:
            pass
        return other

    def _core(self, wish: Wish, bank: Bank, details: Details) -> tuple[str, bool]:
        """Word what is wanted; also tell whether its own intent is phrased in a reserved way."""
        section = f"{'near' if wish.near_miss and not wish.loud_title else 'intent'} {wish.intent}"
        phrasing, new = self._phrasing(section, bank, wish)
        first = details.fill(phrasing)
        if not wish.multi:
            return first, new
        other = self._dice.pick(companions(wish.intent))
        settled = self._catalogue.settled(wish.day)
        main = self._dice.pick(settled)
        own = Details(self._dice, bank, main, self._another(settled, main))
        second = own.fill(self._phrasing(f"intent {other}", bank, wish)[0])
        lower = RANK[FAMILY_OF[other]] > RANK[FAMILY_OF[wish.intent]]
        if lower and self._dice.chance(0.5):
            first, second = second, first
        mark = "" if first[-1] in ".?!" else self._dice.pick((".", ",", ""))
        return f"{first}{mark} {self._line('join any', bank, details)} {second}", new

    def _phrasing(self, section: str, bank: Bank, wish: Wish) -> tuple[Template, bool]:
        """Deal a phrasing, and whether it is a reserved one.

        Each comes once before any comes again, so that rare intents show them all.
        """
        reserved = self._dice.chance(wish.reserved_share)
        kind, intent = section.split()
        naming = wish.must_name and intent == wish.intent
        deck = self._decks.setdefault((bank.language, section, reserved, naming, wish.brief), [])
        if not deck:
            phrases = bank.sections[section]
            choices = (*phrases.common, *phrases.more) if wish.brief else phrases.common
            if reserved:
                withheld = kind == "near" or FAMILY_OF[intent] in CRITICAL
                choices = phrases.withheld(for_test=wish.for_test) if withheld else phrases.reserved
            if naming:
                choices = tuple(item for item in choices if "title" in item.slots) or choices
            deck.extend(self._dice.shuffle(choices))
        return deck.pop(), reserved

    def _line(self, section: str, bank: Bank, details: Details) -> str:
        return details.fill(self._dice.pick(bank.phrases(section)))

    def _surround(
        self, wish: Wish, bank: Bank, core: str, main: Series, core_details: Details
    ) -> tuple[list[str], list[Series]]:
        """Put the other parts around the core; also return the series that they mention."""
        dice = self._dice
        family = FAMILY_OF[wish.intent]
        safety = family == "safety_escalation"
        mood = self._mood(wish.intent)
        details = Details(dice, bank, main, self._another(self._catalogue.settled(wish.day), main))
        parts = [core]
        often = _BRIEF if wish.brief else 1.0
        if not safety and not wish.multi:
            detail = self._detail(family, bank)
            if detail is not None:
                parts.append(details.fill(detail))
        must_name = wish.must_name and main not in core_details.mentioned
        if not safety and (must_name or dice.chance(0.25 * often)):
            line = details.fill(self._persona(mood, bank, must_name))
            parts.insert(0 if dice.chance(0.65) else len(parts), line)
        if not safety and not wish.multi and dice.chance(0.21 * often):
            line, series = self._background(wish, bank, family)
            core_details.mentioned.extend(series)
            parts.insert(0 if dice.chance(0.75) else len(parts), line)
        if dice.chance(0.3 * often):
            parts.insert(0, self._line("opener any" if safety else f"opener {mood}", bank, details))
        if dice.chance(0.3 * often):
            parts.append(self._line("closer any" if safety else f"closer {mood}", bank, details))
        for i, part in enumerate(parts[:-1]):
            if part[-1].isalnum() and part != core and len(part.split()) > 2:
                parts[i] = part + dice.pick((".", ",", " -", "."))
            elif part == core and part[-1].isalnum():
                parts[i] = part + dice.pick((".", ".", "", ",", " -"))
        return parts, details.mentioned

    def _persona(self, mood: str, bank: Bank, must_name: bool) -> Template:
        personas = bank.phrases("persona angry" if mood == "angry" and not must_name else "persona any")
        if must_name:
            personas = tuple(item for item in personas if "title" in item.slots)
        return self._dice.pick(personas)

    def _mood(self, intent: str) -> str:
        family = FAMILY_OF[intent]
        cross = intent in _ANGRY or family == "payment_dispute"
        if cross and self._dice.chance(0.35):
            return "angry"
        if not cross and self._dice.chance(0.25):
            return "cheerful"
        return "any"

    def _detail(self, family: str, bank: Bank) -> Template | None:
        """Draw a detail or nothing; an order number only goes with matters of one's own order."""
        if not self._dice.chance(0.12):
            return None
        details = bank.phrases("detail any")
        if family not in _HAS_ORDER:
            details = tuple(item for item in details if "order" not in item.slots)
        return self._dice.pick(details)

    def _background(self, wish: Wish, bank: Bank, family: str) -> tuple[str, list[Series]]:
        """Draw a settled matter, or a quoted answer of the bot, that sounds like another family.

        Some quote a whole question that was answered: only its frame tells it from the live one.
        """
        dice = self._dice
        settled = self._catalogue.settled(wish.day)
        main = dice.pick(settled)
        details = Details(dice, bank, main, self._another(settled, main))
        if dice.chance(_SOLVED):
            others = [name for name in INTENTS if FAMILY_OF[name] not in (family, *CRITICAL)]
            asked = details.fill(
                self._phrasing(f"intent {dice.pick(others)}", bank, replace(wish, fresh=False))[0]
            )
            details.know("asked", asked)
            return self._line("solved any", bank, details), details.mentioned
        other = dice.pick([name for name in FAMILIES if name != family])
        kind = "quote" if bank.language == "en" and dice.chance(0.3) else "background"
        phrases = bank.phrases(f"{kind} {other}") or bank.phrases(f"background {other}")
        return details.fill(dice.pick(phrases)), details.mentioned

    def _wear(self, wish: Wish, text: str, core: str) -> tuple[str, bool]:
        """Apply style, then noise: low-memory phones and their keyboards make more of it."""
        dice = self._dice
        if dice.chance(0.18):
            text = noise.abbreviate(text, dice)
        text = noise.casual(text, dice)
        if not dice.chance(0.32 if wish.device == "android-lowmem" else 0.16):
            return text, False
        kind = dice.below(10)
        if kind < 2 and wish.language == "en":
            return noise.dictate(text, dice), True
        if kind == 2 and len(core.split()) < 14:
            return noise.mistype(f"{text} {dice.pick(('...', '-', '?', '!!'))} {core}", dice), True
        return noise.mistype(text, dice), True
