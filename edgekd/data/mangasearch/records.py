"""The shop's books and what each search asks for, as records: what answers can be held against."""

from __future__ import annotations

from dataclasses import asdict

import pyarrow as pa

from edgekd.data.mangasearch.shelf import load_shelf
from edgekd.data.mangasearch.table import write_searches

BOOKS = pa.schema(
    [
        ("text", pa.string()),
        ("title", pa.string()),
        ("author", pa.string()),
        ("genres", pa.list_(pa.string())),
        ("first", pa.int64()),
        ("last", pa.int64()),
        ("format", pa.string()),
        ("cents", pa.int64()),
        ("rating", pa.int64()),
    ]
)
WISHES = pa.schema(
    [
        ("text", pa.string()),
        ("author", pa.string()),
        ("genre", pa.string()),
        ("volume", pa.int64()),
        ("format", pa.string()),
        ("cents", pa.int64()),
        ("age", pa.int64()),
    ]
)


def list_books() -> pa.Table:
    """List every book by the text that stands for it among candidates, with what the shop knows of it.

    `rating` is the least age in years, 0 for all ages.
    """
    shelf = load_shelf()
    rows = []
    for book in shelf.books:
        story = shelf.stories[book.story]
        own = {"title": story.title, "author": story.author, "genres": story.genres, "rating": story.rating}
        rows.append({**asdict(book), **own})
    return pa.Table.from_pylist(rows, schema=BOOKS)


def list_wishes(*, seed: int = 0, **sizes: int) -> pa.Table:
    """List what each search of `generate` with the same arguments asks for, by the search's text.

    Empty is what it does not ask for: `cents` is the highest price, `age` that of the reader in years.
    """
    rows = [{"text": row["text"], **asdict(wish)} for row, wish in write_searches(seed, sizes)]
    return pa.Table.from_pylist(rows, schema=WISHES)
