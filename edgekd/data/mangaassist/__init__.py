"""MangaAssist: the built-in data, messages that customers send to a manga shop's assistant.

A grammar over a fictional catalogue writes them. They are hard on purpose for models that count
words: titles hold the words of intents ("The Last Refund"), intents share words and differ by who
does what, and part of the later splits is worded as no labelled train row is. Labels are exact: a
message with several intents takes the one that `primary_intent` names.
"""

from __future__ import annotations

from edgekd.data.mangaassist.intents import CRITICAL, FAMILY_OF, INTENTS, primary_intent
from edgekd.data.mangaassist.table import SCHEMA, generate

__all__ = ["CRITICAL", "FAMILY_OF", "INTENTS", "SCHEMA", "generate", "primary_intent"]
