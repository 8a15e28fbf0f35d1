"""Scenarios of one artifact: all texts at once, requests at random, and the least memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from edgekd.ci.artifacts import artifact_subject
from edgekd.compile import Artifact
from edgekd.measure.memory.floor import MemoryFloor, find_memory_floor
from edgekd.measure.scenarios.buckets import Bucket
from edgekd.measure.scenarios.max_qps import MaxQps, find_max_qps
from edgekd.measure.scenarios.offline import OFFLINE_PLAN, Batching, OfflineResult, measure_throughput
from edgekd.measure.scenarios.server import measure_server
from edgekd.measure.scenarios.server_result import ServerLatency
from edgekd.single.bench import Texts, streams_of, token_buckets

# Of what the service time allows: a queue is there, and is short.
USUAL_LOAD = 0.5


ALL_AT_ONCE = Batching("answer_all", 64)
"""How texts are handed to an artifact that works on several at once."""


@dataclass(frozen=True)
class Offline:
    """Throughput over all texts (no bucket), then over those of each length.

    Of an artifact that works on several texts at once, `streams` says on how many, and `latency_mode` names
    the same artifact opened for one text at a time, with as many threads, beside it in the first result.
    """

    subject: str
    by_length: tuple[tuple[Bucket | None, OfflineResult], ...]
    streams: int = 1
    latency_mode: str = ""


@dataclass(frozen=True)
class Server:
    """The highest rate that holds a limit, and what requests meet at half of what the service time allows."""

    most: MaxQps
    qps: float
    by_length: tuple[ServerLatency, ...]


def run_offline(artifact: Artifact, texts: Texts, folder: Path) -> Offline:
    """Measure throughput over all texts, and over each length of them, in tokens.

    One text after the other, with one thread; or, of an artifact with several streams, batch after batch with
    a thread per stream, beside the same artifact in the latency mode.
    """
    streams, buckets = streams_of(artifact), token_buckets(artifact, texts)
    subject = artifact_subject(artifact, streams)
    plan, batching, beside = OFFLINE_PLAN, None, []
    if streams > 1:
        plan, batching = replace(OFFLINE_PLAN, threads=streams), ALL_AT_ONCE
        one = artifact_subject(artifact, streams, 1)
        beside = [replace(one, name=f"{subject.name} (latency mode)")]
    all_texts = measure_throughput([subject, *beside], texts.texts, folder / "all", plan, batching)
    found: list[tuple[Bucket | None, OfflineResult]] = [(None, all_texts)]
    for bucket in buckets.buckets:
        members = [text for text, is_in in zip(texts.texts, buckets.members(bucket), strict=True) if is_in]
        place = folder / f"{bucket.shortest}-{bucket.longest}-tokens"
        found.append((bucket, measure_throughput([subject], members, place, plan, batching)))
    return Offline(subject.name, tuple(found), streams, beside[0].name if beside else "")


def run_server(artifact: Artifact, texts: Texts, folder: Path, p95_limit_ms: float) -> Server:
    """Search the highest rate that holds the limit; then measure a usual load, by length in tokens."""
    subject = artifact_subject(artifact, 1)
    most = find_max_qps(subject, texts.texts, folder, p95_limit_ms)
    qps = USUAL_LOAD * most.capacity_qps
    usual = measure_server(subject, texts.texts, folder / "usual-load", qps)
    return Server(most, qps, usual.by_bucket(token_buckets(artifact, texts)))


def run_floor(
    artifact: Artifact, texts: Texts, folder: Path, on_progress: Callable[[str], None]
) -> MemoryFloor:
    """Find the least memory under which the artifact still answers."""
    return find_memory_floor(artifact_subject(artifact, 1), texts.texts, folder, on_progress=on_progress)
