"""Hold a server's answers against `golden.jsonl`, what the artifact itself answers: `client.py --golden`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

Row = dict[str, Any]


def check_golden(client: Any, folder: Path, tolerance: float) -> int:
    """Say which answers are not the artifact's own, and return how many.

    `tolerance` is of an output; of candidates' scores it is a share of the range of all golden scores, where
    two models rank in turn of those that the same model gave.

    Raises:
        FileNotFoundError: there are no golden answers.
    """
    path = folder / "golden.jsonl"
    if not path.is_file():
        raise FileNotFoundError(f"{path}: not found; this bundle was made without texts")
    with path.open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    settings = json.loads((folder / "client.json").read_text(encoding="utf-8"))
    keep = settings.get("first", {}).get("keep")
    best, rest = (tolerance * _find_range(rows, part) for part in (slice(keep), slice(keep or None, None)))
    worst, bad = 0.0, 0
    for row in rows:
        if "scores" in row:
            allowed = np.full(len(row["scores"]), rest)
            allowed[row["order"][:keep]] = best
            apart, found = _compare_order(client, row, allowed)
        else:
            apart, found = _compare_text(client, row, tolerance)
        worst = max(worst, apart)
        if found:
            bad += 1
            print(f"{row.get('text', row.get('query'))!r:.60}: {', '.join(found)}")
    print(f"{len(rows) - bad} of {len(rows)} as the artifact answers; outputs at most {worst:.2g} off")
    return bad


def _compare_text(client: Any, row: Row, allowed: float) -> tuple[float, list[str]]:
    """Return how far the outputs for a text lie off, and what is not as it should be."""
    outputs = client.outputs(row["ids"])
    answer = client.decide(row["text"], outputs, student_only=True)[0]
    expected = next(row[name] for name in ("label", "labels", "score") if name in row)
    if isinstance(expected, list):  # those that rounding may make apply, or not, are passed over
        unsure = {name for name, one in zip(client.labels, row["logits"], strict=True) if abs(one) <= allowed}
        answer, expected = (sorted(set(names) - unsure) for names in (answer, expected))
    apart = float(np.abs(outputs - row["logits"]).max())
    found = []
    if client.tokenize(row["text"]) != row["ids"]:
        found.append("other ids")
    if abs(answer - expected) > allowed if isinstance(answer, float) else answer != expected:
        found.append(f"{answer} instead of {expected}")
    if not apart <= allowed:
        found.append(f"logits {apart:.2g} off")
    return apart, found


def _find_range(rows: list[Row], part: slice) -> float:
    """Return the range of the scores of candidates in these places of the golden orders."""
    found = [row["scores"][place] for row in rows if "scores" in row for place in row["order"][part]]
    return (max(found) - min(found)) or 1.0 if found else 1.0


def _compare_order(
    client: Any, row: Row, allowed: np.ndarray[Any, np.dtype[np.float64]]
) -> tuple[float, list[str]]:
    """Return how far the scores of candidates lie off, and what is not as it should be; `allowed` [place].

    Candidates whose scores lie no further apart than rounding may move them may change places.
    """
    order, scores = client.rank(row["query"], row["candidates"])
    wanted = np.array(row["scores"])
    apart = np.abs(np.array(scores) - wanted)
    found = [f"scores {apart.max():.2g} off"] if not (apart <= allowed).all() else []
    reach = allowed[order]
    if (np.diff(wanted[order]) > reach[1:] + reach[:-1]).any():
        found.append(f"the order {order} instead of {row['order']}")
    return float(apart.max(initial=0.0)), found
