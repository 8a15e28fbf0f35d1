"""How often the interval for bounded means errs, and how wide it is, on real and made values of rows.

    python bench/bounded_intervals.py --out docs/results/bounded_intervals.md      (seven minutes)

Rows are drawn anew from a population whose mean is known: 20,000 draws for each number of rows. A bound errs
where the mean is beyond it. Its width is its distance from the draw's mean, averaged over draws, and is
divided by that of Student's t. The real populations are MSRD's queries: NDCG@10 of one ranker less that of
another, and NDCG@10 of one ranker. The data lies in ../shared/data/msrd_movies beside the checkout.

What the t interval would need is beside it: by how much its width must be multiplied so that it errs in 5 %
of the draws from just this population. Where that is above 1.15, no multiple of t's width up to 1.15 would
do, and the two bars contradict each other.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist

import numpy as np
from bounded_exact import worst_of_triples
from bounded_rivals import RIVALS, SLOW_RIVALS, Array
from bounded_values import Values, make_differences, make_fresh, make_values, read_rankings
from scipy.stats import t as student

from edgekd.stats.bounded import GRID, BoundedMean
from edgekd.stats.end_row import nearest_gap

DRAWS = 20_000
WIDE = 2000  # of them, whose widths are averaged
FEW = 2000  # draws of the quick rivals
FEWEST = 300  # of the slow ones
SIZES = (30, 50, 100, 300, 1000, 2000)
SLOW_SIZES = (30, 100, 300)
TIMED = 10_000  # rows
BAR = 0.05
WIDTH = 1.15
FROM = 300  # rows from which on the bar of the width holds
SHARP = 0.99
_AT_ONCE = 5000
SIDES = ("upper", "lower")

HEAD = """# Intervals for bounded means

`python bench/bounded_intervals.py --out docs/results/bounded_intervals.md`: 20,000 draws per line. One
standard error of a share of 5 % is 0.15 points, so at most 5.31 % are 5 % and their noise. `upper` errs
where the true mean is above the upper bound, `lower` where it is below the lower one. A width is the mean
distance of a bound from the estimate, divided by that of Student's t; the bar is 1.15 from 300 rows on. `t
errs` and `t needs`: how often t's own bound errs, and by what its width must be multiplied so that it errs
in 5 % of these draws. **Bold** misses its bar.
"""


@dataclass(frozen=True)
class Population:
    """Values [row] between `least` and 1, from which rows are drawn."""

    name: str
    values: Values
    least: float

    def draw(self, n: int, draws: int, rng: np.random.Generator) -> Iterator[Array]:
        """Draw `n` rows at a time; yields how many rows [draw, place] are at each place, as `BoundedMean`."""
        scaled = (self.values - self.least) * GRID
        place = np.floor(scaled + 1e-9).astype(np.int64)
        above = np.maximum(0.0, scaled - place)
        for start in range(0, draws, _AT_ONCE):
            some = min(_AT_ONCE, draws - start)
            drawn = rng.integers(0, len(place), (some, n))
            at = (place[drawn] + np.arange(some)[:, None] * (self.size + 1)).ravel()
            cells = some * (self.size + 1)
            share = above[drawn].ravel()
            rows = np.bincount(at, 1 - share, cells) + np.bincount(at + 1, share, cells)
            yield rows.reshape(some, -1)[:, : self.size]

    @property
    def size(self) -> int:
        """Number of places."""
        return round((1 - self.least) * GRID) + 1

    @property
    def grid(self) -> Array:
        """What each place is worth [place]."""
        return np.arange(self.size) / GRID + self.least

    def turned(self) -> Population:
        """Return it with its ends exchanged, so that its lower bound is the upper one."""
        return Population(self.name, 1 + self.least - self.values, self.least)


@dataclass(frozen=True)
class Line:
    """What came of one population at one number of rows, for one side; shares."""

    population: str
    n: int
    side: str
    errs: float
    sharp_errs: float
    width: float
    t_errs: float
    t_needs: float

    @property
    def is_wrong(self) -> bool:
        """Whether it errs more often than 5 % and two standard errors."""
        return self.errs > BAR + 2 * (BAR * (1 - BAR) / DRAWS) ** 0.5

    @property
    def is_wide(self) -> bool:
        """Whether it misses the bar of the width."""
        return self.n >= FROM and self.width > WIDTH


def main() -> None:
    """Try all populations, and print or write the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, help="Markdown file to write; without it, the tables are printed")
    path = parser.parse_args().out
    rng = np.random.default_rng(0)
    ranked = read_rankings()
    real = {
        "MSRD, BM25 less TF-IDF": ranked["bm25"] - ranked["tfidf"],
        "MSRD, BM25 less titles": ranked["bm25"] - ranked["title"],
    }
    differences = [Population(*item, -1.0) for item in (real | make_differences(rng)).items()]
    fresh = [Population(*item, -1.0) for item in make_fresh(rng).items()]
    own = {"MSRD, NDCG@10 of BM25": ranked["bm25"], **make_values(rng)}
    values = [Population(*item, 0.0) for item in own.items()]
    text = HEAD
    for title, populations in (
        ("Paired differences, from -1 to 1", differences),
        ("Further differences, tried after the interval was chosen", fresh),
        ("One sample, from 0 to 1", values),
    ):
        text += f"\n## {title}\n\n" + _table([line for one in populations for line in _try(one)])
    text += "\n## Sharper levels\n\n" + worst_of_triples()
    text += "\n## What else was tried\n\n" + _rivals(differences) + "\n" + _time(differences[0])
    if path is None:
        print(text)
    else:
        path.write_text(text, encoding="utf-8")


def _try(population: Population) -> Iterator[Line]:
    for n in SIZES:
        for side, one in zip(SIDES, (population, population.turned()), strict=True):
            yield _judge(one, n, side)


def _judge(population: Population, n: int, side: str) -> Line:
    """Draw from a population, and judge the upper bound."""
    rng = np.random.default_rng(n)
    truth = float(population.values.mean())
    errs, sharp_errs = 0, 0
    widths, means, errors = [], [], []
    for rows in population.draw(n, DRAWS, rng):
        taken = rows.any(0)
        rows, grid = rows[:, taken], population.grid[taken]
        mean = rows @ grid / n
        if sum(map(len, widths)) < WIDE:
            widths.append(_bound(rows[:WIDE], grid, 1 - BAR) - mean[:WIDE])
        below = rows[mean < truth]  # a bound is never under the mean of its rows
        wrong = below[_bound(below, grid, 1 - BAR) < truth - 1e-12]
        errs += len(wrong)
        sharp_errs += int((_bound(wrong, grid, SHARP) < truth - 1e-12).sum())  # which is further out
        means.append(mean)
        errors.append(np.sqrt(np.maximum(rows @ grid**2 / n - mean**2, 0) / (n - 1)))
    width, mean, error = (np.concatenate(parts) for parts in (widths, means, errors))
    quantile = student.ppf(1 - BAR, n - 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        off = np.where(error > 0, (truth - mean) / error, np.where(truth > mean, np.inf, 0.0))
    return Line(
        population.name,
        n,
        side,
        errs / DRAWS,
        sharp_errs / DRAWS,
        width=float(width.mean() / (quantile * error[: len(width)].mean())),
        t_errs=float((off > quantile).mean()),
        t_needs=float(np.quantile(off, 1 - BAR, method="higher") / quantile),
    )


def _bound(rows: Array, values: Array, confidence: float) -> Array:
    return np.asarray(1 - nearest_gap(rows, 1 - values, NormalDist().inv_cdf(confidence)))


def _table(lines: list[Line]) -> str:
    text = (
        "| population | rows | side | errs (5 %) | errs at 99 % (1 %) | width | t errs | t needs |\n"
        "| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: |\n"
    )
    for line in lines:
        errs, width = f"{line.errs:.2%}", f"{line.width:.3f}"
        text += (
            f"| {line.population} | {line.n:,} | {line.side} | {_bold(errs, line.is_wrong)} "
            f"| {line.sharp_errs:.2%} | {_bold(width, line.is_wide)} | {line.t_errs:.2%} "
            f"| {f'{line.t_needs:.2f}' if np.isfinite(line.t_needs) else 'more than any'} |\n"
        )
    return text


def _bold(text: str, is_missed: bool) -> str:
    return f"**{text}**" if is_missed else text


def _rivals(populations: list[Population]) -> str:
    """Say of each rival its worst error over populations, sides and sizes, and its width on real rows."""
    text = (
        f"The populations of the first table, to hundredths, with {FEW:,} draws ({FEWEST} for "
        f"{' and '.join(SLOW_RIVALS)}, and there up to 300 rows only). Widths are of the upper bound at 300 "
        "rows.\n\n"
        "| bound | errs most | where | width, MSRD, BM25 less TF-IDF | width, mixed |\n"
        "| --- | ---: | --- | ---: | ---: |\n"
    )
    found: dict[str, list[tuple[float, float, str, int, str]]] = {name: [] for name in RIVALS | SLOW_RIVALS}
    for population in populations:
        for n in SIZES:
            for side, one in zip(SIDES, (population, population.turned()), strict=True):
                for name, rate in _rate(one, n):
                    found[name].append((*rate, population.name, n, side))
    for name, rates in found.items():
        errs, _, where, n, side = max(rates)
        wide = {place: width for _, width, place, rows, end in rates if rows == FROM and end == "upper"}
        text += (
            f"| {name} | {errs:.1%} | {where}, {n:,} rows, {side} "
            f"| {wide[populations[0].name]:.3f} | {wide['mixed']:.3f} |\n"
        )
    return text


def _rate(population: Population, n: int) -> Iterator[tuple[str, tuple[float, float]]]:
    """Yield how often each rival's upper bound errs, and its width in those of t."""
    rng = np.random.default_rng(n)
    values, at = np.unique(population.values.round(2), return_inverse=True)
    truth = values[at].mean()
    drawn = at[rng.integers(0, len(at), (FEW, n))] + np.arange(FEW)[:, None] * len(values)
    rows = np.bincount(drawn.ravel(), minlength=FEW * len(values)).reshape(FEW, -1).astype(np.float64)
    for name, bound in (RIVALS | SLOW_RIVALS).items():
        if name in SLOW_RIVALS and n not in SLOW_SIZES:
            continue
        some = rows[:FEWEST] if name in SLOW_RIVALS else rows
        high, mean = bound(some, values), some @ values / n
        error = np.sqrt(np.maximum(some @ values**2 / n - mean**2, 0) / (n - 1)).mean()
        width = (high - mean).mean() / (student.ppf(1 - BAR, n - 1) * error)
        yield name, (float((high < truth - 1e-12).mean()), float(width))


def _time(population: Population) -> str:
    """Say how long both bounds of many rows take, counting the rows included."""
    values = population.values[np.random.default_rng(0).integers(0, len(population.values), TIMED)]
    taken = []
    for _ in range(50):
        start = time.thread_time()
        BoundedMean.of(values, population.least).at(1 - BAR)
        taken.append(time.thread_time() - start)
    return (
        f"Both bounds of {TIMED:,} of MSRD's rows take {1000 * float(np.median(taken)):.1f} ms of one "
        "thread, counting the rows included (median of 50).\n"
    )


if __name__ == "__main__":
    main()
