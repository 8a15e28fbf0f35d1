"""Where the time of a training goes, and what starves it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from edgekd.distill.logs.training_events import SystemProfile

Phase = Literal["input", "teacher", "student", "judging", "checkpoint", "other"]


class StageClock:
    """Shares the time of an epoch out among phases.

    The loop says what begins; what went before ends there, so that the shares add up to the wall time.
    A switch reads one clock: about 100 ns. On a GPU, whose kernels run on after the call that started
    them, the loop must wait for them before it switches.
    """

    def __init__(
        self,
        clock_ns: Callable[[], int] = time.perf_counter_ns,
        cpu_ns: Callable[[], int] = time.process_time_ns,
        gpu: Callable[[], float | None] | None = None,
    ) -> None:
        self._clock_ns, self._cpu_ns, self._gpu = clock_ns, cpu_ns, gpu
        self._start()

    def _start(self) -> None:
        self._spent: dict[Phase, int] = {
            "input": 0, "teacher": 0, "student": 0, "judging": 0, "checkpoint": 0, "other": 0
        }  # fmt: skip
        self._phase: Phase = "other"
        self._rows = self._tokens = 0
        self._began_cpu = self._cpu_ns()
        self._mark = self._clock_ns()

    def switch(self, phase: Phase) -> None:
        """End the phase that runs, and begin this one."""
        now = self._clock_ns()
        self._spent[self._phase] += now - self._mark
        self._mark, self._phase = now, phase

    def count(self, rows: int, tokens: int) -> None:
        """Add a step's rows and their tokens, without padding."""
        self._rows += rows
        self._tokens += tokens

    def profile(self, job: str, epoch: int, *, threads: int) -> SystemProfile:
        """Report what was spent since the clock was made or last reported, and begin anew.

        The use of the CPU is this process's time on it over the wall time of `threads`; that of the GPU is
        what `gpu` says of the time since it was last asked.
        """
        self.switch("other")
        wall = max(1, sum(self._spent.values()))
        cpu = (self._cpu_ns() - self._began_cpu) / (wall * threads)
        share = {phase: spent / wall for phase, spent in self._spent.items()}
        found = SystemProfile(
            job=job,
            epoch=epoch,
            seconds=wall / 1e9,
            cpu_utilization=min(1.0, cpu),
            gpu_utilization=None if self._gpu is None else self._gpu(),
            input_pipeline_wait_fraction=share["input"],
            teacher_forward_fraction=share["teacher"],
            student_step_fraction=share["student"],
            judging_fraction=share["judging"],
            checkpoint_time_fraction=share["checkpoint"],
            other_fraction=share["other"],
            rows_per_second=self._rows / wall * 1e9,
            tokens_per_second=self._tokens / wall * 1e9,
        )
        self._start()
        return found


@dataclass(frozen=True)
class Bottleneck:
    """What a training spends its time on: the phase, the figure, and what to do about it."""

    phase: Phase
    share: float
    is_starved: bool
    words: str


_SHARED = (
    *("student_step_fraction", "rows_per_second", "tokens_per_second"),
    *("cpu_utilization", "gpu_utilization"),
)
# From which share of the time a phase beside the student's own step is worth an action.
_STARVING: tuple[tuple[Phase, str, float, str, str], ...] = (
    ("teacher", "teacher_forward_fraction", 0.2, "the teacher's forward pass",
     "label once with `edgekd label` and train every student on the stored labels"),
    ("input", "input_pipeline_wait_fraction", 0.1, "waiting for input",
     "tokenize ahead of the loop, or take larger batches"),
    ("checkpoint", "checkpoint_time_fraction", 0.1, "writing checkpoints",
     "put the workspace on a faster disk"),
    ("judging", "judging_fraction", 0.3, "judging validation rows",
     "carve fewer validation rows"),
    ("other", "other_fraction", 0.2, "work that no phase names",
     "look at logging and at what shares the machine"),
)  # fmt: skip


_LEAST_SECONDS = 1.0
"""Of an epoch: what takes less time starves nothing."""


_FEATURES = (
    "the student is matched with its inside in every step, which no stored label spares: match features for "
    "fewer epochs, or leave them out"
)


def join_profiles(profiles: Sequence[SystemProfile]) -> SystemProfile:
    """Put the profiles of a training's epochs together into one of them all, each by its seconds.

    A figure that some of them lack is of the others alone; where a profile does not say how long it took, all
    count alike. The job's name and epoch are those of the last.
    """
    times = [profile.seconds for profile in profiles]
    whole = None if None in times else sum(time for time in times if time is not None)
    found: dict[str, float | None] = {"seconds": whole}
    for name in (*(field for _, field, *_ in _STARVING), *_SHARED):
        known = [
            (1.0 if whole is None or p.seconds is None else p.seconds, value)
            for p in profiles
            if (value := getattr(p, name)) is not None
        ]
        weight = sum(seconds for seconds, _ in known)
        found[name] = sum(seconds * value for seconds, value in known) / weight if weight else None
    return profiles[-1].model_copy(update=found)


def name_bottleneck(profile: SystemProfile, matches_features: bool = False) -> Bottleneck:
    """Say in one sentence what bounds the training, and what to do.

    The phase furthest above its bound starves the job; with none above, the student's step bounds it. A phase
    that takes under a second of an epoch is worth no action, whatever its share.
    `matches_features` says that the teacher runs in the loop for its hidden states.
    """
    shares: list[tuple[float, Phase, float, str, str]] = [
        (getattr(profile, field) / bound, phase, getattr(profile, field), what, advice)
        for phase, field, bound, what, advice in _STARVING
        if getattr(profile, field) is not None
    ]
    seconds = profile.seconds
    worth = [found for found in shares if seconds is None or found[2] * seconds >= _LEAST_SECONDS]
    over, phase, share, what, advice = max(worth or shares)
    own = profile.student_step_fraction
    if own is None:  # what is left of what is known
        own = max(0.0, 1 - sum(found[2] for found in shares))
    if over >= 1 and not worth:
        words = f"an epoch takes {seconds:.1f} s: no part of it is worth an action"
        return Bottleneck("student", own, False, words)
    if over >= 1:
        advice = _FEATURES if phase == "teacher" and matches_features else advice
        return Bottleneck(phase, share, True, f"{100 * share:.0f} % of the time is {what}: {advice}")
    words = f"the student's own step takes {100 * own:.0f} % of the time: nothing starves it"
    used = profile.cpu_utilization
    if profile.gpu_utilization is None and used is not None and used < 0.6:
        words += f"; the CPU is busy {100 * used:.0f} % of it: take larger batches or fewer threads"
    if profile.gpu_utilization is not None and profile.gpu_utilization < 0.6:
        words += f"; the GPU is busy {100 * profile.gpu_utilization:.0f} % of it: take larger batches"
    return Bottleneck("student", own, False, words)
