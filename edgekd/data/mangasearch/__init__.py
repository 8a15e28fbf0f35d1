"""MangaAssist search: the built-in rows of searches, in the shop whose assistant MangaAssist is.

A query in one of six languages comes with the books that a plain search engine finds for it, each graded
from 0 to 3 by exact rules. They are hard on purpose for models that count words: the same title has other
volumes and formats, titles are dearer than what is asked for or rated above the reader's age, and part of the
later splits asks for titles, or is worded, as no training row is.
"""

from __future__ import annotations

from edgekd.data.mangasearch.table import SCHEMA, generate

__all__ = ["SCHEMA", "generate"]
