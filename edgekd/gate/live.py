"""Counts of live traffic: when a promoted variant does harm, go back."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from edgekd.config import Slice
from edgekd.errors import DataError, unknown_name
from edgekd.gate.canary import Watched, watch_canary
from edgekd.stats.sequential import Arm

_ARMS = ("incumbent", "candidate")
_KEYS = {"slice", "arm", "n", "hits"}


def read_counts(path: Path, slices: Mapping[str, Slice], promoted: str = "") -> dict[str, tuple[Arm, Arm]]:
    """Sum a file of JSON lines by slice: (incumbent, candidate).

    Each line counts new rows: {"slice": "overall", "arm": "candidate", "n": 500, "hits": 471}. One that
    names another `artifact` than the digest `promoted` (or its beginning) is of an earlier candidate and
    does not count; other keys (a time, a host) are passed over. A last line without its end is still being
    written and waits.

    Raises:
        DataError: naming the line that is not as it should be, or a slice without both arms.
    """
    sums: Counter[tuple[str, str, str]] = Counter()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read ({error})") from None
    for number, line in enumerate(text.splitlines(keepends=True), 1):
        if not line.strip() or not line.endswith("\n"):
            continue
        name, arm, n, hits, of = _read_line(f"{path}: line {number}", line, slices)
        if arm == _ARMS[1] and not promoted.startswith(of):
            continue
        sums[name, arm, "n"] += n
        sums[name, arm, "hits"] += hits
    names = sorted({name for name, _, _ in sums})
    if not names:
        raise DataError(f"{path}: holds no counts; expected lines of {', '.join(sorted(_KEYS))}")
    found = {}
    for name in names:
        control, candidate = (Arm(sums[name, arm, "hits"], sums[name, arm, "n"]) for arm in _ARMS)
        if not control.n or not candidate.n:
            missing = _ARMS[0] if not control.n else _ARMS[1]
            raise DataError(f"{path}: slice '{name}' has no rows of the {missing}; both arms are compared")
        found[name] = control, candidate
    return found


def judge_counts(counts: Mapping[str, tuple[Arm, Arm]], slices: Mapping[str, Slice]) -> dict[str, Watched]:
    """Decide slice by slice, each by its own margin; see `watch_canary` for what is promised.

    Slices share the 5 % of a false alarm, whatever their margins.
    """
    level = 1 - 0.05 / len(counts)
    found = {}
    for name, arms in counts.items():
        margin = slices[name].margin
        if margin is None:
            raise DataError(
                f"slice '{name}' has no margin, so live counts of it cannot be compared; leave it out"
            )
        margin /= 100
        found[name] = watch_canary({name: arms}, margin, level)[name]
    return found


def _read_line(where: str, line: str, slices: Mapping[str, Slice]) -> tuple[str, str, int, int, str]:
    try:
        entry = json.loads(line)
    except ValueError:
        raise DataError(f"{where}: is not JSON") from None
    if not isinstance(entry, dict) or not entry.keys() >= _KEYS:
        raise DataError(f"{where}: expected {', '.join(sorted(_KEYS))}")
    name, arm, n, hits = entry["slice"], entry["arm"], entry["n"], entry["hits"]
    if name not in slices:
        raise DataError(f"{where}: {unknown_name('slice', str(name), slices)}")
    if arm not in _ARMS:
        raise DataError(f"{where}: arm must be {' or '.join(_ARMS)}, got {arm!r:.40}")
    if type(n) is not int or type(hits) is not int or not 0 <= hits <= n:
        raise DataError(f"{where}: hits and n must be counts, hits at most n; got {hits!r:.20} of {n!r:.20}")
    return name, arm, n, hits, str(entry.get("artifact", ""))
