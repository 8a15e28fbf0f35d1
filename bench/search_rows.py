"""Write the rows of the studies on real searches: film search (MSRD) and product search (Icecat).

    python bench/search_rows.py --data ../shared/data      (10 seconds)

Three files in bench/made/, a query with its candidates on each line, for `data.source` of a study:

- `msrd.jsonl.gz`: film search, split as its source splits it. `film_seen` is true where a film that answers
  the query also answers one of the training rows: so it is for 98 % of the test queries.
- `msrd-films.jsonl.gz`: the same queries, split by film. Each film is drawn for one split by the digest of
  its id, and a query is of the split of its films. Where these are of several splits, those of the held-out
  splits leave its candidates, and it is a training row if an answer remains.
- `icecat.jsonl.gz`: product search with grades from 0 to 3, queries with at least two different grades.

Neither source keeps the order in which its engine found the candidates, so they stand in the order of BM25
over the texts that models read, with the words' rarity in the whole catalogue.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from edgekd.data.mangasearch.engine import Engine, list_words
from edgekd.data.rank_files import join_texts

ROOT = Path(__file__).parent
SHARES = {"test": 0.1, "dev": 0.06}
"""Shares of films that are held out; the others are for training."""
CAST = 3
WORDS = 60
"""Most words of a product's description: later ones are lists of features."""

Rows = Sequence[Mapping[str, Any]]


class Catalogue:
    """Documents by id, with the engine that puts a query's candidates in order."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self.texts = texts
        self._places = {name: place for place, name in enumerate(texts)}
        self._engine = Engine(list(texts.values()))

    def order(self, query: str, names: Iterable[str]) -> list[str]:
        """Return documents best first; equal scores in the order of the catalogue."""
        scores = self._engine.score(dict.fromkeys(list_words(query)))
        return sorted(names, key=lambda name: (-scores[self._places[name]], self._places[name]))


def describe_film(film: Mapping[str, Any]) -> str:
    """Write what a model reads of a film: title and year, genres, some of its cast, the overview."""
    return join_texts(
        [f"{film['title']} ({film['year']})", film["genres"], film["actors"][:CAST], film["overview"]]
    )


def describe_product(product: Mapping[str, Any]) -> str:
    """Write what a model reads of a product: title, supplier, price, the beginning of its description."""
    words = (product["description"] or "").split()[:WORDS]
    price = None if product["price_cents"] is None else f"{product['price_cents'] / 100:.2f}"
    return join_texts([product["title"], product["supplier"], price, " ".join(words)])


def film_rows(queries: Rows, films: Catalogue) -> list[dict[str, Any]]:
    """Return the rows as their source splits them, with `film_seen`."""
    taught = {film for row in queries if row["split"] == "train" for film in row["rel"]}
    return [_film_row(row, row["split"], films, not taught.isdisjoint(row["rel"])) for row in queries]


def split_by_film(queries: Rows, films: Catalogue) -> list[dict[str, Any]]:
    """Return the rows split by film: no film that answers a held-out query answers a training row."""
    rows = []
    for row in queries:
        splits = {draw_split(film) for film in row["rel"]}
        if len(splits) == 1:
            rows.append(_film_row(row, splits.pop(), films, seen=False))
            continue
        kept = [film for film in row["rel"] if draw_split(film) == "train"]
        if kept:
            rows.append(_film_row({**row, "rel": kept}, "train", films, seen=False))
    return rows


def draw_split(film: str) -> str:
    """Return the split that a film is drawn for.

    >>> draw_split("49018")
    'train'
    """
    lot = int(hashlib.sha1(f"film {film}".encode()).hexdigest()[:8], 16) / 2**32
    for split, share in SHARES.items():
        lot -= share
        if lot < 0:
            return split
    return "train"


def _film_row(row: Mapping[str, Any], split: str, films: Catalogue, seen: bool) -> dict[str, Any]:
    answers = set(row["rel"])
    order = films.order(row["query"], [*row["rel"], *row["nonrel"]])
    return {
        "id": f"msrd-{row['query_id']}",
        "query": row["query"],
        "candidates": [films.texts[film] for film in order],
        "grades": [int(film in answers) for film in order],
        "film_seen": split == "train" or seen,
        "split": split,
    }


def product_rows(queries: Rows, judgments: Rows, products: Catalogue) -> list[dict[str, Any]]:
    """Return the rows of queries with different grades; of products with equal texts the best grade stays."""
    rows = []
    for row in queries:
        grades: dict[str, int] = {}
        for entry in judgments:
            if entry["query_id"] == row["query_id"]:
                grades[entry["product_id"]] = entry["grade"]
        order = products.order(row["query"], grades)
        best: dict[str, int] = {}
        for product in order:
            text = products.texts[product]
            best[text] = max(grades[product], best.get(text, 0))
        if len(set(best.values())) > 1:
            found = {"id": f"icecat-{row['query_id']}", "query": row["query"], "candidates": list(best)}
            rows.append({**found, "grades": list(best.values()), "split": row["split"]})
    return rows


def take_share(rows: Rows, most: Mapping[str, int | None]) -> Rows:
    """Keep at most so many rows of each split, by the digest of their ids; None keeps all."""
    kept = set()
    for split, count in most.items():
        names = [row["id"] for row in rows if row["split"] == split]
        kept |= set(sorted(names, key=lambda name: hashlib.sha1(name.encode()).hexdigest())[:count])
    return [row for row in rows if row["id"] in kept]


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Read a file of JSON lines."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def write_rows(rows: Rows, path: Path) -> None:
    """Write a file of JSON lines, the same bytes for the same rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_bytes(gzip.compress(lines.encode(), compresslevel=6, mtime=0))
    counts = {split: sum(row["split"] == split for row in rows) for split in ("train", "dev", "test")}
    print(f"{path}: {', '.join(f'{count:,} {split}' for split, count in counts.items())}")


def main() -> None:
    """Write the files."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n")[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent.parent / "shared" / "data")
    parser.add_argument("--out", type=Path, default=ROOT / "made")
    for split in ("train", "dev", "test"):
        parser.add_argument(f"--{split}", type=int, help="rows of film search to keep; all by default")
    asked = parser.parse_args()
    most = {split: getattr(asked, split) for split in ("train", "dev", "test")}
    films = read_rows(asked.data / "msrd_movies" / "movies.jsonl.gz")
    queries = read_rows(asked.data / "msrd_movies" / "queries.jsonl.gz")
    catalogue = Catalogue({film["id"]: describe_film(film) for film in films})
    write_rows(take_share(film_rows(queries, catalogue), most), asked.out / "msrd.jsonl.gz")
    write_rows(take_share(split_by_film(queries, catalogue), most), asked.out / "msrd-films.jsonl.gz")
    folder = asked.data / "icecat_search"
    products = Catalogue(
        {row["id"]: describe_product(row) for row in read_rows(folder / "products.jsonl.gz")}
    )
    rows = product_rows(
        read_rows(folder / "queries.jsonl.gz"), read_rows(folder / "judgments.jsonl.gz"), products
    )
    write_rows(rows, asked.out / "icecat.jsonl.gz")


if __name__ == "__main__":
    main()
