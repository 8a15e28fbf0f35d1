"""How often the gate errs where a query has a value: NDCG@10 and top-1 of real queries.

    python bench/gate_errors_rank.py --out docs/results/gate_errors_rank.md      (twelve minutes)

Populations are the differences, query by query, between two orders of the same candidates: of simple rankers
(`bench/rank_tables.py`), and of one ranker and itself with noise on its scores, as a student differs from its
teacher. Queries are drawn with replacement, so the true drop is known. To put it exactly at a margin, it is
decided anew which of the two orders is the better one, at random queries, until the population's drop is the
margin, to the nearest query; truly equal are two orders of which either stands for the other as often. The
data lies in ../shared/data beside the checkout.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from bounded_intervals import DRAWS, Population
from rank_tables import Ranked, read_icecat, read_msrd

from edgekd.evaluate.drop import paired_drop
from edgekd.evaluate.rank.values import is_best_first, ndcg_at_10
from edgekd.evaluate.result import Above, SliceResult
from edgekd.gate.above import check_above
from edgekd.gate.checks import check_proven
from edgekd.stats.bounded import BoundedMean
from edgekd.stats.bounded_power import suppose_differences, values_to_decide
from edgekd.stats.end_row import nearest_gap
from edgekd.stats.interval import Interval
from edgekd.stats.paired_power import chance_to_pass, rows_to_decide

SIZES = (50, 100, 300, 1000, 2000)
MARGINS = (0.015, 0.03)
BAR, POWER = 0.05, 0.9
ASKED_OF_GATE = 100  # draws of each line, which the gate itself judges: it says what the sums say
Values = npt.NDArray[np.float64]
Z = 1.6448536269514722

HEAD = """# How often the gate errs where a query has a value

`python bench/gate_errors_rank.py --out docs/results/gate_errors_rank.md`: shares of 20,000 draws of queries;
one standard error of a share is 0.15 points at 5 % and 0.21 at 90 %, so at most 5.31 % are 5 % and their
noise. `spread`: the standard deviation of the queries' differences, in points. **Bold** misses its bar.
"""


@dataclass(frozen=True)
class Pair:
    """Two orders of the same candidates: values of the reference and of the other one [query]."""

    name: str
    reference: Values
    other: Values

    @property
    def differences(self) -> Values:
        """What the other loses [query]."""
        return self.reference - self.other

    def at(self, drop: float, rng: np.random.Generator) -> Values:
        """Return differences [query] whose mean is `drop`, to the nearest query, the sizes as they are."""
        size = np.abs(self.differences)
        signs = rng.choice([-1.0, 1.0], len(size))
        lean = (signs * size).mean() - drop
        order = rng.permutation(np.flatnonzero((size > 0) & (signs == np.sign(lean))))
        turned = order[: int(np.searchsorted(np.cumsum(2 * size[order]), abs(lean) * len(size)))]
        signs[turned] *= -1
        return signs * size


def read_pairs(rng: np.random.Generator) -> Iterator[tuple[Pair, Pair]]:
    """Yield pairs by NDCG@10 and by top-1 hits."""
    for ranked in (read_msrd(), read_icecat()):
        best = ranked.scores["titles"]
        noise = rng.normal(0, 1, best.shape) * np.nanstd(best, axis=1, keepdims=True)
        for name, other in {
            "BM25 less TF-IDF": (ranked.scores["BM25"], ranked.scores["TF-IDF"]),
            "titles less BM25": (best, ranked.scores["BM25"]),
            "titles less a tenth of noise": (best, best + 0.1 * noise),
            "titles less a third of noise": (best, best + noise / 3),
        }.items():
            yield _pair(ranked, name, *other)


def _pair(ranked: Ranked, name: str, reference: Values, other: Values) -> tuple[Pair, Pair]:
    whole = f"{ranked.name}, {name}"
    values = [ndcg_at_10(scores, ranked.truth) for scores in (reference, other)]
    hits = [is_best_first(scores, ranked.truth).astype(float) for scores in (reference, other)]
    return Pair(whole, *values), Pair(whole, *hits)


def passes(values: Values, n: int, margin: float, seed: int) -> float:
    """Return the share of draws of `n` queries whose upper bound of the mean is at most the margin."""
    population, rng = Population("", values, -1.0), np.random.default_rng(seed)
    passed = 0
    for rows in population.draw(n, DRAWS, rng):
        taken = rows.any(0)
        rows, grid = rows[:, taken], population.grid[taken]
        open_ = rows[rows @ grid / n < margin]  # a bound is never under the mean of its rows
        if len(open_):
            passed += int((1 - nearest_gap(open_, 1 - grid, Z) <= margin).sum())
    return passed / DRAWS


def ask_gate(values: Values, n: int, margin: float, rng: np.random.Generator) -> None:
    """Let the gate judge some draws; it must say what the sums of `passes` say."""
    for _ in range(ASKED_OF_GATE):
        drawn = values[rng.integers(0, len(values), n)]
        bound = BoundedMean.of(drawn, least=-1.0).at(0.95).high
        drop = paired_drop("teacher", np.maximum(drawn, 0), np.maximum(-drawn, 0))
        whole = Interval(0.5, 0.4, 0.6, 0.95)
        above = Above("teacher", "it", -margin)
        result = SliceResult("s", "prove", "NDCG@10", margin, n, whole, (drop,), above=(above,))
        said = {check_proven(result).status == "pass", check_above(result, above).status == "pass"}
        assert said == {bool(bound <= margin)}, (said, bound, margin)


def main() -> None:
    """Draw, judge, print or write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, help="Markdown file to write; without it, the tables are printed")
    path = parser.parse_args().out
    rng = np.random.default_rng(0)
    pairs = list(read_pairs(rng))
    text = HEAD + "\n".join(
        [*at_margin(pairs, rng), *no_gain(pairs, rng), *equal(pairs, rng), *hits(pairs, rng)]
    )
    if path is None:
        print(text)
    else:
        path.write_text(text + "\n", encoding="utf-8")


def at_margin(pairs: list[tuple[Pair, Pair]], rng: np.random.Generator) -> Iterator[str]:
    """A drop exactly at the margin passes."""
    yield "\n## NDCG@10 exactly at the margin, passed (at most 5 %)\n"
    yield f"| population | queries in it | spread | margin, points | {' | '.join(map(str, SIZES))} |"
    yield "| --- | ---: | ---: | ---: |" + " ---: |" * len(SIZES)
    for pair, _ in pairs:
        for points in MARGINS:
            values = pair.at(points, rng)
            margin = float(values.mean())
            ask_gate(values, 300, margin, rng)
            yield _line(pair, values, margin, [passes(values, n, margin, n) for n in SIZES])


def no_gain(pairs: list[tuple[Pair, Pair]], rng: np.random.Generator) -> Iterator[str]:
    """An order that is exactly as good as what came in is said to be above it."""
    yield "\n## NDCG@10 exactly that of the order that came in, said to be above it (at most 5 %)\n"
    yield f"| population | queries in it | spread | gain, points | {' | '.join(map(str, SIZES))} |"
    yield "| --- | ---: | ---: | ---: |" + " ---: |" * len(SIZES)
    for pair, _ in pairs:
        values = np.concatenate([pair.differences, -pair.differences])
        yield _line(pair, values, 0.0, [passes(values, n, 0.0, n) for n in SIZES])


def equal(pairs: list[tuple[Pair, Pair]], rng: np.random.Generator) -> Iterator[str]:
    """Two orders that are equally good pass at the size that the planner names."""
    yield "\n## NDCG@10 truly equal, passed at the planned size (at least 90 %)\n"
    yield (
        "| population | spread | margin, points | queries, from the differences | passed "
        "| queries, from their spread alone | passed |"
    )
    yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"
    for pair, _ in pairs:
        values = np.concatenate([pair.differences, -pair.differences])
        cells = []
        for margin in MARGINS:
            known = values_to_decide(BoundedMean.of(values, least=-1.0), margin)
            supposed = values_to_decide(suppose_differences(float(values.std())), margin)
            cells = [f"{known:,}", _least(passes(values, known, margin, known))]
            cells += [f"{supposed:,}", _least(passes(values, supposed, margin, supposed))]
            yield f"| {pair.name} | {100 * values.std():.1f} | {100 * margin:g} | {' | '.join(cells)} |"


def hits(pairs: list[tuple[Pair, Pair]], rng: np.random.Generator) -> Iterator[str]:
    """The same of top-1, whose chances are exact."""
    yield "\n## Top-1, whose chances are enumerated\n"
    yield (
        "| population | margin, points | lost | gained | at the margin, passed, most of all sizes (5 %) "
        "| queries, if equal | passed (90 %) |"
    )
    yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"
    for _, pair in pairs:
        for margin in MARGINS:
            values = pair.at(margin, rng)
            lost, gained = float((values > 0).mean()), float((values < 0).mean())
            most = max(chance_to_pass(n, lost, gained, lost - gained) for n in SIZES)
            half = float(np.abs(values).mean()) / 2
            n = rows_to_decide(half, half, margin)
            cells = [f"{100 * margin:g}", f"{lost:.2%}", f"{gained:.2%}", _most(most), f"{n:,}"]
            yield f"| {pair.name} | {' | '.join(cells)} | {_least(chance_to_pass(n, half, half, margin))} |"


def _line(pair: Pair, values: Values, margin: float, shares: list[float]) -> str:
    cells = [pair.name, f"{len(pair.reference):,}", f"{100 * values.std():.1f}", f"{100 * margin:.2f}"]
    return f"| {' | '.join([*cells, *map(_most, shares)])} |"


def _most(share: float) -> str:
    is_missed = share > BAR + 2 * (BAR * (1 - BAR) / DRAWS) ** 0.5
    return f"**{share:.2%}**" if is_missed else f"{share:.2%}"


def _least(share: float) -> str:
    is_missed = share < POWER - 2 * (POWER * (1 - POWER) / DRAWS) ** 0.5
    return f"**{share:.2%}**" if is_missed else f"{share:.2%}"


if __name__ == "__main__":
    main()
