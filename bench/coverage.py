"""Do the stated 95 % intervals of p50 and p95 hold the truth? On recorded, autocorrelated latencies.

    edgekd run bench/studies/clinc150.yaml       # makes the artifacts
    python bench/coverage.py --record            # traces: 40 fresh processes an artifact and neighbour
    python bench/coverage.py                     # 1,000 resampled measurements: docs/results/coverage.md

Every measurement is six processes, each made of blocks of consecutive calls, 50 ms long, until 0.6 s are
full, so that what a slow phase does to the calls in it stays as it was. In one trace: the blocks of all six
are drawn from the trace of one recorded process, and the truth is that trace's percentile. Over processes,
which is harder: each of the six is drawn from one of the forty, and the truth is the percentile of everything
recorded. Rare slow phases of the machine, seconds long, are in that truth and seldom in the six; nothing in a
measurement that met none can tell of them. The traces are not those on which the interval's upper tail was
chosen.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

import numpy as np
from studied import HERE
from verdicts import artifact_of, neighbour, texts_of

from edgekd.measure.plan import MeasurePlan
from edgekd.measure.session import measure_subjects
from edgekd.measure.subject import Subject
from edgekd.stats.percentiles import pooled_percentile

TRACES = HERE / ".edgekd" / "traces"
TABLE = HERE.parent / "docs" / "results" / "coverage.md"
SIZES, NEIGHBOURS, QUANTILES = ("0.1 ms", "0.6 ms", "2.5 ms"), ("quiet", "busy"), (0.5, 0.95)
WAYS = ("in one trace", "over processes")
PROCESSES, SECONDS, BATCH = 40, 0.7, 10
DRAWN_PROCESSES, DRAWN_NS, BLOCK_NS, MEASUREMENTS = 6, 600_000_000, 50_000_000, 1000


def record_traces() -> None:
    """Record what is missing, ten processes at a time; stop it and run it again to go on."""
    os.environ["PYTHONPATH"] = str(HERE)
    TRACES.mkdir(parents=True, exist_ok=True)
    plan = MeasurePlan(rounds=BATCH, seconds=SECONDS)
    for batch in range(PROCESSES // BATCH):
        for size in SIZES:
            for kind in NEIGHBOURS:
                subject = Subject("traced", "slowed:open_slowed", (str(artifact_of(size)), "0"))
                paths = [TRACES / f"{size} {kind} {BATCH * batch + number}.npy" for number in range(BATCH)]
                if all(path.exists() for path in paths):
                    continue
                with tempfile.TemporaryDirectory() as folder, neighbour(kind, batch):
                    result = measure_subjects([subject], texts_of(size), Path(folder), plan)
                    for path, samples in zip(paths, result.samples("traced"), strict=True):
                        np.save(path, samples.ns, allow_pickle=False)
                print(f"{size} {kind}: {batch + 1} of {PROCESSES // BATCH}", flush=True)


def resample(trace: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw blocks of consecutive calls (they may wrap around) until the time is full."""
    ends, parts, passed = np.cumsum(trace), [], 0
    while passed < DRAWN_NS:
        start = int(rng.integers(len(trace)))
        before = ends[start - 1] if start else 0
        stop = int(np.searchsorted(ends, before + BLOCK_NS)) + 1
        part = trace[start:stop]
        parts.append(part)
        passed += int(part.sum())
    return np.concatenate(parts)


def autocorrelation(trace: np.ndarray) -> float:
    """Return the correlation of a call's log latency with that of the call before."""
    logs = np.log(trace.astype(float))
    return float(np.corrcoef(logs[1:], logs[:-1])[0, 1])


def judge_coverage(size: str, kind: str) -> list[str]:
    """Return the table's rows of one artifact beside one kind of neighbour."""
    traces = [np.load(path, allow_pickle=False) for path in sorted(TRACES.glob(f"{size} {kind} *.npy"))]
    everything = np.concatenate(traces)
    truths = [{q: float(np.quantile(calls, q)) for q in QUANTILES} for calls in (*traces, everything)]
    held = {(way, q): 0 for way in WAYS for q in QUANTILES}
    widths: dict[tuple[str, float], list[float]] = {key: [] for key in held}
    rng = np.random.default_rng(0)
    for _ in range(MEASUREMENTS):
        one = int(rng.integers(len(traces)))
        chosen = {"in one trace": [one] * DRAWN_PROCESSES}
        chosen["over processes"] = list(rng.integers(len(traces), size=DRAWN_PROCESSES))
        for way, numbers in chosen.items():
            truth = truths[-1 if way == "over processes" else one]
            drawn = [resample(traces[number], rng) for number in numbers]
            for q in QUANTILES:
                found = pooled_percentile(drawn, q, 0.95)
                assert found is not None
                held[way, q] += found.low <= truth[q] <= found.high
                widths[way, q].append((found.high - found.low) / found.estimate)
    correlation = np.mean([autocorrelation(trace) for trace in traces])
    rows = []
    for q in QUANTILES:
        cells = [f"{held[way, q] / MEASUREMENTS:.1%} | {np.median(widths[way, q]):.1%}" for way in WAYS]
        whole = f"p{100 * q:g} | {truths[-1][q] / 1e3:.1f} us"
        rows.append(f"| {size} | {kind} | {correlation:.2f} | {whole} | {' | '.join(cells)} |")
    return rows


def write_table() -> None:
    """Resample and write the table."""
    words = (__doc__ or "").partition("\n\n    ")[2].partition("\n\n")[2]
    lines = [
        "# Coverage of the stated 95 % intervals", "", words,
        f"{MEASUREMENTS:,} resampled measurements a row and way, from {PROCESSES} recorded processes.", "",
        "| call | neighbour | autocorrelation (lag 1) | percentile | of everything "
        "| in one trace: holds it | median width | over processes: holds it | median width |",
        "| --- | --- | ---: | --- | ---: | ---: | ---: | ---: | ---: |",
    ]  # fmt: skip
    for size in SIZES:
        for kind in NEIGHBOURS:
            lines += judge_coverage(size, kind)
    lines += ["", "```sh", "python bench/coverage.py --record && python bench/coverage.py", "```"]
    TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--record", action="store_true")
    if parser.parse_args().record:
        record_traces()
    else:
        write_table()
