"""Counts of live traffic: lines of a file, each of one artifact, judged by the conditions of the ledger."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from edgekd.errors import DataError, unknown_name
from edgekd.gate.canary import Watched, watch_canary
from edgekd.gate.conditions import FIGURES, RollbackConditions
from edgekd.stats.sequential import Arm, rate_sequence
from edgekd.store import digest_bytes, parse_json

ARMS = INCUMBENT, CANDIDATE = "incumbent", "candidate"
_OF_SLICE, _OF_FIGURE = {"artifact", "arm", "hits", "n", "slice"}, {"artifact", "figure", "hits", "n"}
_DIGEST = re.compile(r"[0-9a-f]{8,64}")
_LINE_DIGITS = 32
MOST_COUNT = 10**12
"""More rows than any line counts; beyond 2^53 a share of them would be rounded."""
_LEVEL = 0.05


@dataclass(frozen=True)
class Line:
    """One line: `n` new rows of a slice or figure, of which `hits` are hits.

    `artifact` is the beginning of the digest of what answered. An incumbent that is no artifact of this
    registry has a name of its own. `key` tells a line from others: equal lines have equal keys.
    """

    key: str
    name: str
    arm: str
    artifact: str
    n: int
    hits: int


def read_lines(path: Path, conditions: RollbackConditions) -> Iterator[Line]:
    """Read a file of JSON lines.

    A line counts new rows: {"slice": "overall", "arm": "candidate", "artifact": "1a2b3c4d5e6f", "n": 500,
    "hits": 471}, or {"figure": "p95_ms", "artifact": "1a2b3c4d5e6f", "n": 500, "hits": 12}. Other keys (a
    time, a host) tell lines apart that are otherwise equal. A last line without its end is still being
    written and waits.

    Raises:
        DataError: naming the line that is not as it should be.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read ({error})") from None
    seen: Counter[str] = Counter()
    for number, line in enumerate(text.split("\n")[:-1], 1):
        if not line.strip():
            continue
        found = _read_line(f"{path}: line {number}", line, conditions)
        seen[found.key] += 1
        # The second of two equal lines is another line, and the same one when the file is read again.
        yield Line(f"{found.key}-{seen[found.key]}", *_but_key(found))


def judge_counts(
    counts: Mapping[str, Mapping[str, Arm]], conditions: RollbackConditions
) -> dict[str, Watched]:
    """Decide slice by slice and figure by figure; see `watch_canary` for what is promised.

    All claims that the conditions allow share the 5 % of a false alarm, whether or not all are counted.
    """
    level = 1 - _LEVEL / max(1, conditions.claims)
    found: dict[str, Watched] = {}
    for name, arms in counts.items():
        control, candidate = arms.get(INCUMBENT, Arm(0, 0)), arms.get(CANDIDATE, Arm(0, 0))
        if not candidate.n:
            continue
        if name in conditions.most:
            found[name] = _judge_most(candidate, conditions.most[name], level)
        elif name in conditions.slices:
            asked = conditions.slices[name]
            parts = []
            if asked.at_least is not None:
                parts.append(_judge_least(candidate, asked.at_least, level))
            if asked.margin is not None and control.n:
                parts.append(watch_canary({name: (control, candidate)}, asked.margin, level)[name])
            if parts:
                found[name] = _worst(parts)
    return found


def _judge_least(seen: Arm, least: float, level: float) -> Watched:
    rate = rate_sequence(seen, level)
    text = f"{100 * rate.estimate:.2f} % of {seen.n:,}"
    if rate.high < least:
        why = (
            f"{text}, at most {100 * rate.high:.2f} % at whatever look, must be at least {100 * least:.2f} %"
        )
        return Watched("stop: harm", rate, why)
    if rate.low >= least:
        return Watched(
            "stop: success", rate, f"{text} are hits, which holds the least of {100 * least:.2f} %"
        )
    return Watched("go on", rate, f"{text} are hits; the least is {100 * least:.2f} %")


def _judge_most(seen: Arm, most: float, level: float) -> Watched:
    rate = rate_sequence(seen, level)
    text = f"{100 * rate.estimate:.2f} % of {seen.n:,}"
    if rate.low > most:
        why = f"{text}, at least {100 * rate.low:.2f} % at whatever look, must be at most {100 * most:.2f} %"
        return Watched("stop: harm", rate, why)
    if rate.high <= most:
        return Watched("stop: success", rate, f"{text}, which holds the limit of {100 * most:.2f} %")
    return Watched("go on", rate, f"{text}; the limit is {100 * most:.2f} %")


def _worst(parts: list[Watched]) -> Watched:
    order = ("stop: harm", "go on", "stop: success")
    return min(parts, key=lambda watched: order.index(watched.decision))


def _show(value: object) -> str:
    try:
        return f"{value!r:.20}"
    except ValueError:  # an integer of more digits than Python prints
        return "a number of thousands of digits"


def _but_key(line: Line) -> tuple[str, str, str, int, int]:
    return line.name, line.arm, line.artifact, line.n, line.hits


def _read_line(where: str, line: str, conditions: RollbackConditions) -> Line:
    try:
        entry = parse_json(line)
    except ValueError:
        raise DataError(f"{where}: is not JSON") from None
    keys = _OF_FIGURE if isinstance(entry, dict) and "figure" in entry else _OF_SLICE
    if not isinstance(entry, dict) or not entry.keys() >= keys:
        missing = sorted(keys - set(entry)) if isinstance(entry, dict) else sorted(keys)
        raise DataError(f"{where}: expected {', '.join(sorted(keys))}; {', '.join(missing)} is missing")
    n, hits, artifact = entry["n"], entry["hits"], entry["artifact"]
    arm = CANDIDATE if keys is _OF_FIGURE else entry["arm"]
    name = entry["figure"] if keys is _OF_FIGURE else entry["slice"]
    kind, known = ("figure", FIGURES) if keys is _OF_FIGURE else ("slice", tuple(conditions.slices))
    if not isinstance(name, str) or name not in known:
        raise DataError(f"{where}: {unknown_name(kind, f'{name!s:.60}', known)}")
    if arm not in ARMS:
        raise DataError(f"{where}: arm must be {' or '.join(ARMS)}, got {arm!r:.40}")
    if type(n) is not int or type(hits) is not int or not 0 <= hits <= n <= MOST_COUNT:
        got = f"{_show(hits)} of {_show(n)}"
        raise DataError(f"{where}: hits and n must be counts, hits at most n, n at most 10^12; got {got}")
    is_named = isinstance(artifact, str) and artifact.strip()
    if not is_named or (arm == CANDIDATE and not _DIGEST.fullmatch(artifact)):
        raise DataError(
            f"{where}: artifact must be the digest of what answered, or its first 8 digits or more; "
            f"got {artifact!r:.40}"
        )
    try:
        text = json.dumps(entry, sort_keys=True)
    except (ValueError, RecursionError):
        raise DataError(f"{where}: is nested too deep, or holds a number of thousands of digits") from None
    return Line(digest_bytes(text.encode())[:_LINE_DIGITS], str(name), arm, artifact, n, hits)
