"""`benchmark.json`: a line over commits, as github-action-benchmark reads `customSmallerIsBetter`."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from edgekd.ci.cases import Alone
from edgekd.ci.line import comparison_line, one_line
from edgekd.measure.compare import Comparison
from edgekd.units import MIB

# A digest at a name's end changes with every build; a line over commits needs one name.
_DIGEST = re.compile(r"@[0-9a-f]{8,64}$")


def render_benchmark_json(comparisons: Sequence[Comparison], alone: Sequence[Alone] = ()) -> str:
    """Render the candidates' p50 and p95 in ms, where there were calls enough, and peak memory in MiB.

    So for what was measured without a baseline.
    """
    entries: list[dict[str, str | float]] = []
    candidates = [
        *((found.candidate, found.result, comparison_line(found)) for found in comparisons),
        *((found.name, found.result, found.line) for found in alone),
    ]
    series_names = _series([name for name, *_ in candidates])
    for (name, result, line), series in zip(candidates, series_names, strict=True):
        for figure, q in (("p50", 0.5), ("p95", 0.95)):
            found = result.percentile(name, q)
            if found is None:
                continue
            value, low, high = (round(ns / 1e6, 6) for ns in (found.estimate, found.low, found.high))
            entries.append(
                {
                    "name": f"{series}: {figure}",
                    "unit": "ms",
                    "value": value,
                    "range": f"{low:g} to {high:g}",
                    "extra": line,
                }
            )
        peak = round(result.peak_rss_bytes(name) / MIB, 3)
        entries.append({"name": f"{series}: peak memory", "unit": "MiB", "value": peak, "extra": line})
    return json.dumps(entries, indent=1, ensure_ascii=False) + "\n"


def _series(candidates: Sequence[str]) -> list[str]:
    """Name the candidates without their digests; those that would share a name are numbered."""
    names = [_DIGEST.sub("", one_line(name)) for name in candidates]
    return [
        name if names.count(name) == 1 else f"{name} ({names[:position].count(name) + 1})"
        for position, name in enumerate(names)
    ]
