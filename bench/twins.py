"""Do noisy twins predict what real noise costs? On MangaAssist, whose generator makes noise of its own.

    python bench/twins.py --out docs/results/twins.md

The drop on twins of the clean test rows is compared with the drop from clean to noisy rows of the
generator, which are other rows: they are weighted to the languages, devices and intents of the noisy ones.
The models are linear ones, on words and on words with character n-grams: one that noise hurts much, and one
that it hurts less.
"""

from __future__ import annotations

import argparse
import math
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa

from edgekd.curate.twins.make import make_twins
from edgekd.data.mangaassist import generate
from edgekd.data.taskdata import TaskData

MIX = {"typos": 0.9, "repeated": 0.1}
"""About how often the generator does either; dictation, an eighth of its noise, has no kind of twin."""


def learn(texts: list[str], labels: list[str], *, letters: bool):  # noqa: ANN201
    """Return a function from texts to answers."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline, make_union
    from sklearn.svm import LinearSVC

    kinds = [TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)]
    if letters:
        kinds.append(TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), min_df=2, sublinear_tf=True))
    return make_pipeline(make_union(*kinds), LinearSVC()).fit(texts, labels).predict


def weigh(groups: list[tuple], noisy: np.ndarray) -> np.ndarray:
    """Weigh clean rows [row] so that they are of the noisy rows' groups as often; noisy rows weigh 0."""
    wanted = Counter(group for group, is_noisy in zip(groups, noisy, strict=True) if is_noisy)
    had = Counter(group for group, is_noisy in zip(groups, noisy, strict=True) if not is_noisy)
    return np.array(
        [
            0.0 if is_noisy else wanted[group] / had[group]
            for group, is_noisy in zip(groups, noisy, strict=True)
        ]
    )


def run(train: int, test: int, seed: int) -> list[str]:
    """Return the table's rows."""
    table = generate(seed=seed, train=train, unlabelled=0, calibration=0, validation=0, test=test, critical=0)
    table = table.append_column("label", table["intent"])
    whole = TaskData(table, tuple(sorted(set(table["intent"].to_pylist()))))
    taught, held_out = whole.split("train"), whole.split("test")
    noisy = np.array(held_out.table["noisy"].to_pylist())
    clean = TaskData(held_out.table.filter(pa.array(~noisy)), whole.outputs)
    names = ("language", "device", "family")
    groups = list(zip(*(held_out.table[name].to_pylist() for name in names), strict=True))
    weights = weigh(groups, noisy)[~noisy]
    twins = make_twins(clean, taught, tuple(MIX), seed)
    truth = np.array(held_out.table["label"].to_pylist())
    rows = []
    for name, letters in (("words", False), ("words and letters", True)):
        answer = learn(taught.texts, taught.table["label"].to_pylist(), letters=letters)
        right = answer(held_out.texts) == truth
        own = right[~noisy]
        on_twins = answer(twins.rows.texts) == truth[~noisy][twins.places]
        predicted = 0.0
        for kind, share in MIX.items():
            mask = twins.of(kind)
            places = twins.places[mask]
            drops = own[places].astype(float) - on_twins[mask]
            predicted += share * float(np.average(drops, weights=weights[places]))
        real = float(np.average(own, weights=weights) - right[noisy].mean())
        error = 1.96 * math.sqrt(right[noisy].var() / noisy.sum() + own.var() / (~noisy).sum())
        rows.append(
            f"| {seed} | {name} | {own.mean():.1%} | {100 * real:.1f} ± {100 * error:.1f} "
            f"| {100 * predicted:.1f} | {100 * (predicted - real):+.1f} |"
        )
        print(rows[-1], flush=True)
    return rows


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--train", type=int, default=6000)
    parser.add_argument("--test", type=int, default=20000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    lines = [
        "# Noisy twins beside real noise",
        "",
        f"`python bench/twins.py --train {given.train} --test {given.test} --seeds {given.seeds}`: points of "
        "accuracy that noise costs on MangaAssist.",
        "",
        "| seed | model | clean rows | drop on the generator's noisy rows | drop on twins | difference |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for seed in range(given.seeds):
        lines += run(given.train, given.test, seed)
    print("\n".join(lines))
    if given.out is not None:
        given.out.write_text("\n".join(lines) + "\n", encoding="utf-8")
