"""Requests with as many candidates as are wanted, and how long an artifact takes for each number of them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edgekd.ci.artifacts import artifact_subject
from edgekd.compile import Artifact
from edgekd.measure.device import Device
from edgekd.measure.plan import MeasurePlan
from edgekd.measure.result import BenchResult
from edgekd.measure.session import measure_subjects
from edgekd.progress import Progress
from edgekd.serving.heads import takes_candidates
from edgekd.serving.request import join_request, split_request
from edgekd.single.bench import Texts

COUNTS = (1, 10, 50, 100)
USUAL = 50
"""Candidates of a request where nobody says how many."""

# Of a process: six of them give more than the 130 that a p95 needs.
_SAMPLES = 30
_MOST_SECONDS = 10.0
_REQUESTS = 30


@dataclass(frozen=True)
class ByCandidates:
    """Measurements of one artifact, by how many candidates each request has, the fewest first."""

    subject: str
    results: tuple[tuple[int, BenchResult], ...]


def make_requests(requests: Sequence[str], candidates: int) -> tuple[str, ...]:
    """Return the requests with exactly so many candidates each: their own first, then those of later ones.

    Requests without candidates are texts; each is then asked about the others.

    >>> [split_request(one)[1] for one in make_requests(["a", "b", "c"], 2)]
    [['b', 'c'], ['c', 'a'], ['a', 'b']]
    """
    split = [split_request(request) for request in requests]
    pools = [own or [query] for query, own in split]
    made = []
    for place, (query, own) in enumerate(split):
        others = itertools.cycle(itertools.chain.from_iterable(pools[place + 1 :] + pools[: place + 1]))
        more = itertools.islice(others, max(0, candidates - len(own)))
        made.append(join_request(query, [*own[:candidates], *more]))
    return tuple(made)


def fit_texts(artifact: Artifact, texts: Texts, candidates: int = USUAL) -> Texts:
    """Return texts as the artifact is asked: where it takes candidates and they have none, so many each."""
    if not takes_candidates(artifact.head) or all(split_request(text)[1] for text in texts.texts):
        return texts
    return Texts(make_requests(texts.texts, candidates), f"{texts.source}, {candidates} candidates each")


def bench_by_candidates(
    artifact: Artifact,
    texts: Texts,
    folder: Path,
    plan: MeasurePlan,
    progress: Progress,
    device: Device | None = None,
    *,
    counts: Sequence[int] = COUNTS,
) -> ByCandidates:
    """Measure an artifact with requests of so many candidates, up to 30 requests of each.

    A process is timed for 30 requests or for as long as `plan` says, whichever is longer, up to 10 seconds.
    """
    subject = artifact_subject(artifact, plan.threads)
    found: list[tuple[int, BenchResult]] = []
    each_ns = 0.0
    for place, count in enumerate(counts):
        requests = make_requests(texts.texts, count)[:_REQUESTS]
        seconds = min(_MOST_SECONDS, max(plan.seconds, _SAMPLES * count * each_ns / 1e9))
        whole = replace(plan, seconds=seconds)

        def show(share: float, words: str, place: int = place, count: int = count) -> None:
            progress((place + share) / len(counts), f"{count} candidates, {words}")

        result = measure_subjects(
            [subject], requests, folder / f"{count}-candidates", whole, show, device=device
        )
        found.append((count, result))
        each_ns = max(float(part.ns.mean()) for part in result.samples(subject.name)) / count
    return ByCandidates(subject.name, tuple(found))
