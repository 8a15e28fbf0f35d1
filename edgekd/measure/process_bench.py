"""What one process of a subject, and one round of the machine, showed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ColdStart:
    """From spawning to the first answer; after the first round files come from the page cache.

    The clock stands still while the process's memory is read between two stages.

    Attributes:
        total_ns: from just before the process was spawned to its first answer.
        process_ns: until the interpreter ran its first line of ours.
        import_ns: importing the factory's module.
        factory_ns: building the callable.
        first_answer_ns: answering the first input.
        parts: how `factory_ns` is made up, by stage, where the subject says so itself (`opened_ns`).
    """

    total_ns: int
    process_ns: int
    import_ns: int
    factory_ns: int
    first_answer_ns: int
    parts: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Resident:
    """What a process has in memory, in bytes; None where the kernel does not tell.

    Attributes:
        rss_bytes: what is resident.
        pss_bytes: likewise, a page shared among those who map it.
        uss_bytes: what only this process maps.
    """

    rss_bytes: int
    pss_bytes: int | None
    uss_bytes: int | None


@dataclass(frozen=True)
class Memory:
    """The kernel's counts of one process at the end of each stage; the map of samples is left out.

    Attributes:
        baseline: before the subject.
        imported: after importing the factory's module.
        built: after the factory.
        loaded: after the first answer.
        steady: after the timed calls.
        peak_rss_bytes: the most that was resident at any time.
        peak_stage: the stage on the way to which that was.
        group_peak_bytes: the peak of the memory cgroup, if this process had one of its own: with the page
            cache that it filled and the kernel's memory, without pages that others had charged before.
    """

    baseline: Resident
    imported: Resident
    built: Resident
    loaded: Resident
    steady: Resident
    peak_rss_bytes: int
    peak_stage: str
    group_peak_bytes: int | None


STAGES = ("baseline", "imported", "built", "loaded", "steady")


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
        is_full: whether it had no room for more calls and so stopped early.
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
    is_full: bool
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
    """All processes of one subject, one a round.

    Attributes:
        group: the number of those that took turns with it; see `measure.groups`.
    """

    name: str
    factory: str
    args: tuple[str, ...]
    python: str
    processes: tuple[ProcessBench, ...]
    group: int = 0
