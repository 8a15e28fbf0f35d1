"""A million rows through drift, coverage and sampling: seconds and memory.

    python bench/curate_scale.py --rows 1000000

Texts are MangaAssist's, repeated with numbers of their own; it prints one JSON line. Run it with two
threads on two cores, and nothing beside it.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from datetime import date, timedelta

import numpy as np
import pyarrow as pa

from edgekd.curate.drift.lexicon import Lexicon
from edgekd.curate.drift.streams import Logged, add_up
from edgekd.curate.drift.watch import Watching, name_alarms, watch
from edgekd.curate.sampling.choose import Candidates, choose
from edgekd.curate.sampling.coverage import cover
from edgekd.curate.sampling.features import text_features
from edgekd.curate.words import split_words
from edgekd.data.mangaassist import generate

DAYS = 118


def main(rows: int, budget: int) -> None:
    """Measure, and print."""
    table = generate(train=2000, unlabelled=2000, calibration=0, validation=0, test=0, critical=0)
    rng = np.random.default_rng(0)
    taken = pa.array(rng.integers(0, table.num_rows, rows))
    texts = table["text"].take(taken)
    languages = np.array(table["language"].to_pylist())[taken.to_numpy()]
    devices = np.array(table["device"].to_pylist())[taken.to_numpy()]
    start = date(2025, 8, 1)
    days = start.toordinal() + np.sort(rng.integers(0, DAYS, rows))
    confidence = rng.beta(8, 2, rows).astype(np.float32)
    begin, cpu = time.perf_counter(), time.process_time()
    spent: dict[str, float] = {}

    def mark(name: str) -> None:
        spent[name] = round(time.perf_counter() - begin - sum(spent.values()), 1)

    words = split_words(texts)
    novelty = Lexicon.of(table["text"].to_pylist()[:2000]).look(words)
    mark("words")
    columns = {
        "language": {name: languages == name for name in np.unique(languages)},
        "device": {name: devices == name for name in np.unique(devices)},
    }
    values = {"misspelt": novelty.misspelt, "new words": novelty.new, "confidence": confidence}
    values = {name: column.astype(np.float32) for name, column in values.items()}
    log = Logged(days, {}, columns, values)
    daily = add_up(log)
    last = start + timedelta(DAYS - 1)
    alarms = name_alarms(watch(daily, Watching(), start + timedelta(28), last))
    mark("drift")
    parts = {name: mask for name, (_, mask) in log.parts.items()} | {"overall": np.ones(rows, bool)}
    sample = {name: mask[:: rows // 5000] for name, mask in parts.items()}
    cover(sample, parts, per_day=rows / DAYS)
    mark("coverage")
    features = text_features(words)
    mark("features")
    strata = np.unique(languages, return_inverse=True)[1]
    age = (last.toordinal() - days).astype(np.float32)
    chosen = choose(Candidates(features, strata, languages == "ja", confidence, age), budget)
    mark("sampling")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    found = {"rows": rows, "seconds": round(time.perf_counter() - begin, 1), "peak_mib": round(peak)}
    found["cpu_seconds"] = round(time.process_time() - cpu, 1)
    print(json.dumps({**found, "spent": spent, "alarms": len(alarms), "chosen": len(chosen.rows)}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--budget", type=int, default=1000)
    given = parser.parse_args()
    main(given.rows, given.budget)
