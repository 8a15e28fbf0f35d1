"""How many labels does sampling by margin with diversity need, against uniform sampling? On real texts.

    python bench/sampling.py --out docs/results/sampling.md

The learner is a linear support vector machine on words and character n-grams: fast, and near what small
models reach on these sets. Each method starts from the same rows and is asked for more in rounds; "margin"
chooses by `edgekd.curate.sampling.choose`, with the margin of the learner of the round before. "plain
margin" takes the rows of least margin without diversity.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
from pathlib import Path

import numpy as np

from edgekd.curate.sampling.choose import Candidates, choose
from edgekd.curate.sampling.features import text_features

DATA = Path(__file__).parent.parent.parent / "shared" / "data"
SETS = {"bitext_cs_intents": (1000, 6), "banking77": (4000, 8)}
"""Labels at which uniform sampling is read, and rounds up to there."""
BAR = 0.65
METHODS = ("uniform", "plain margin", "margin")


def read(name: str, folder: Path, most: int) -> tuple[list[str], np.ndarray, list[str], np.ndarray]:
    """Return texts and classes of the training rows and of the test rows; `most` of each, 0 for all."""
    with gzip.open(folder / name / f"{name}.jsonl.gz", "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    np.random.default_rng(0).shuffle(rows)
    classes = {label: place for place, label in enumerate(sorted({row["intent"] for row in rows}))}
    parts = [[row for row in rows if (row.get("split") == "test") is held_out] for held_out in (False, True)]
    if not parts[1]:  # the set has no split of its own
        parts = [rows[len(rows) // 5 :], rows[: len(rows) // 5]]
    train, test = (part[:most] if most else part for part in parts)
    return (
        [row["text"] for row in train],
        np.array([classes[row["intent"]] for row in train]),
        [row["text"] for row in test],
        np.array([classes[row["intent"]] for row in test]),
    )


class Learner:
    """Words and character n-grams, one linear machine."""

    def __init__(self, train: list[str], test: list[str]) -> None:
        from scipy.sparse import hstack
        from sklearn.feature_extraction.text import TfidfVectorizer

        kinds = [
            TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True),
            TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), min_df=2, sublinear_tf=True),
        ]
        self._train = hstack([kind.fit_transform(train) for kind in kinds]).tocsr()
        self._test = hstack([kind.transform(test) for kind in kinds]).tocsr()

    def learn(self, rows: np.ndarray, classes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Learn from rows; return the answers to the test rows, and the margin of every training row."""
        from sklearn.svm import LinearSVC

        model = LinearSVC(C=1.0).fit(self._train[rows], classes[rows])
        scores = model.decision_function(self._train)
        top = np.sort(scores if scores.ndim == 2 else np.stack([-scores, scores], 1), axis=1)
        return model.predict(self._test), np.clip(top[:, -1] - top[:, -2], 0, 1)


def curve(
    method: str, learner: Learner, features: np.ndarray, sets: tuple, budgets: list[int], seed: int
) -> dict:
    """Return the share of right answers at each budget."""
    _, classes, _, truth = sets
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(classes))[: budgets[0]]
    found = {}
    for place, budget in enumerate(budgets):
        answers, margin = learner.learn(rows, classes)
        found[budget] = answers == truth
        if place + 1 == len(budgets):
            break
        more = budgets[place + 1] - budget
        free = np.setdiff1d(np.arange(len(classes)), rows)
        if method == "uniform":
            new = rng.choice(free, more, replace=False)
        elif method == "plain margin":
            new = free[np.argsort(margin[free], kind="stable")[:more]]
        else:
            pool = Candidates(features, margin=margin, labelled=rows)
            new = choose(pool, more, seed=seed + place, mix={"margin": 1.0}).rows
            if len(new) < more:  # every other row is like one that is labelled
                rest = np.setdiff1d(free, new)
                new = np.concatenate([new, rng.choice(rest, more - len(new), replace=False)])
        rows = np.concatenate([rows, new])
    return found


def run(name: str, folder: Path, seeds: int, most: int, scale: float) -> list[str]:
    """Return the lines of one set's table."""
    sets = read(name, folder, most)
    target, rounds = SETS[name]
    target = round(target * scale)
    budgets = sorted(
        {round(target * share) for share in np.linspace(0.2, 1.0, rounds)} | {round(BAR * target)}
    )
    learner, features = Learner(sets[0], sets[2]), text_features(sets[0], 128)
    hits: dict[str, dict[int, list[np.ndarray]]] = {method: {b: [] for b in budgets} for method in METHODS}
    for seed in range(seeds):
        for method in METHODS:
            for budget, right in curve(method, learner, features, sets, budgets, seed).items():
                hits[method][budget].append(right)
            print(
                name, seed, method, [round(float(r[-1].mean()), 4) for r in hits[method].values()], flush=True
            )
    lines = [f"## {name}", "", f"| method | {' | '.join(f'{b} labels' for b in budgets)} |"]
    lines.append(f"|{' --- |' * (len(budgets) + 1)}")
    for method in METHODS:
        cells = [_interval(np.stack(hits[method][budget])) for budget in budgets]
        lines.append(f"| {method} | {' | '.join(cells)} |")
    lines += [
        "",
        f"Labels needed for what uniform sampling reaches (by lines between budgets), {seeds} seeds:",
        "",
    ]
    lines += [f"| method | {' | '.join(f'{b} labels' for b in budgets[1:])} |", f"|{' --- |' * len(budgets)}"]
    means = {method: [float(np.stack(hits[method][b]).mean()) for b in budgets] for method in METHODS}
    for method in METHODS[1:]:
        shares = [_labels_for(goal, budgets, means[method]) for goal in means["uniform"][1:]]
        cells = [
            "-" if labels is None else f"{labels:.0f} ({labels / budget:.0%})"
            for labels, budget in zip(shares, budgets[1:], strict=True)
        ]
        lines.append(f"| {method} | {' | '.join(cells)} |")
    return [*lines, ""]


def _labels_for(goal: float, budgets: list[int], means: list[float]) -> float | None:
    """Return with how many labels a curve first reaches the goal; None within these budgets."""
    for place in range(1, len(budgets)):
        if means[place] >= goal:
            if means[place - 1] >= goal:
                return float(budgets[place - 1])
            share = (goal - means[place - 1]) / (means[place] - means[place - 1])
            return budgets[place - 1] + share * (budgets[place] - budgets[place - 1])
    return None


def _interval(right: np.ndarray) -> str:
    """Return the mean and a 95 % interval over seeds and test rows [seed, row]."""
    mean = right.mean()
    seeds = right.mean(1).std(ddof=1) / math.sqrt(len(right)) if len(right) > 1 else 0.0
    rows = math.sqrt(mean * (1 - mean) / right.shape[1])
    return f"{mean:.1%} ± {1.96 * math.hypot(seeds, rows):.1%}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--most", type=int, default=0, help="rows of each split; 0 for all")
    parser.add_argument("--scale", type=float, default=1.0, help="of the labels")
    parser.add_argument("--sets", nargs="+", default=list(SETS))
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    lines = ["# Labels that sampling saves", ""]
    for name in given.sets:
        lines += run(name, given.data, given.seeds, given.most, given.scale)
    print("\n".join(lines))
    if given.out is not None:
        given.out.write_text("\n".join(lines), encoding="utf-8")
