"""What one process of a subject, and one round of the machine, showed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ColdStart:
    """From spawning to the first answer; after the first round files come from the page cache.

    Attributes:
        total_ns: from just before the process was spawned to its first answer.
        process_ns: until the interpreter ran its first line of ours.
        import_ns: importing the factory's module.
        factory_ns: building the callable.
        first_answer_ns: answering the first input.
    """

    total_ns: int
    process_ns: int
    import_ns: int
    factory_ns: int
    first_answer_ns: int


@dataclass(frozen=True)
class Memory:
    """The kernel's counts of one process, in bytes; None where it keeps none.

    `baseline` is before the subject, `loaded` after the first answer, `steady` after the timed calls,
    `peak` the most at any time. The map that samples are written to is left out.
    """

    baseline_rss_bytes: int
    loaded_rss_bytes: int
    loaded_pss_bytes: int | None
    loaded_uss_bytes: int | None
    steady_rss_bytes: int
    steady_pss_bytes: int | None
    steady_uss_bytes: int | None
    peak_rss_bytes: int


@dataclass(frozen=True)
class Scheduling:
    """How the kernel ran one process between its first and its last block, waits between blocks included."""

    cpu_ns: int
    run_delay_ns: int | None
    voluntary_switches: int
    involuntary_switches: int


@dataclass(frozen=True)
class ProcessBench:
    """One fresh process.

    Attributes:
        samples: its timed calls, a file relative to the result's folder.
        warmup: its warm-up calls, likewise.
        answers: what it answered, likewise.
        timed_ns: time in blocks, lead-ins left out.
        overhead_ns: what a sample of a callable that does nothing shows; it is in every sample.
        loop_ns: whole cost of taking one sample.
        cache_ratio: median time of texts never seen over that of texts seen before; None with too few.
    """

    round: int
    samples: str
    warmup: str
    answers: str
    timed_ns: int
    blocks: int
    cold_start: ColdStart
    memory: Memory
    scheduling: Scheduling
    overhead_ns: int
    loop_ns: int
    cache_ratio: float | None


@dataclass(frozen=True)
class Conditions:
    """What the pinned cores did during the blocks of one round, as shares of their time.

    Attributes:
        load_average: of the machine over the last minute, at the round's end.
        steal_share: what the hypervisor took.
        others_share: what other processes used; ticks are 10 ms, so a short round is coarse.
    """

    round: int
    seconds: float
    load_average: float
    steal_share: float
    others_share: float


@dataclass(frozen=True)
class SubjectBench:
    """All processes of one subject, one a round."""

    name: str
    factory: str
    args: tuple[str, ...]
    processes: tuple[ProcessBench, ...]
