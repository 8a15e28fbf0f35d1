"""A hardware target: what it is, what to build for it, what it allows."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from edgekd.config.base import MOST_ROWS, MOST_THREADS, Frozen

Objective = Literal["p95_ms", "cold_start_ms", "artifact_bytes", "quality"]


class Hardware(Frozen):
    """What the target's machine is."""

    arch: Literal["x86_64", "aarch64"]
    """Processor architecture."""
    isa: tuple[str, ...] = ()
    """Instruction sets that may be counted on; others may be missing there."""
    vendor: Literal["intel", "amd", "arm", "nvidia"] | None = None
    """Maker of the chip, where the target means one maker."""
    gpu: bool = False
    """Whether the work runs on a GPU."""
    gpu_name: str | None = Field(None, min_length=1)
    """Which GPU: a part of its name as the driver gives it, as `L4` or `A10G`; any other is a stand-in."""
    vcpus: float = Field(1, gt=0, le=MOST_THREADS)
    """Processors that the model may use."""
    memory_mib: int = Field(gt=0, le=2**40)
    """Memory of the whole machine or function."""

    @model_validator(mode="after")
    def _name_is_of_a_gpu(self) -> Hardware:
        if self.gpu_name is not None and not self.gpu:
            raise ValueError("gpu_name names a GPU, and the work does not run on one: set gpu: true")
        return self


class Build(Frozen):
    """One way to compile a student for the target."""

    runtime: str
    """Engine that runs it: onnxruntime, openvino, litert, aotinductor, numpy."""
    recipe: str
    """Way to compile it: fp32, fp16, int8-dynamic, int8-nncf, int8-tables."""
    rows: int | None = Field(None, ge=256, le=MOST_ROWS)
    """Rows that each embedding table keeps; those that texts hardly use share the nearest one."""

    restore: bool = False
    """Leave operators in fp32 until no proven slice falls by more than its margin."""
    streams: int = Field(1, ge=1)
    """Texts that the engine works on at once: 1 is the latency mode, more are the throughput mode, where the
    engine has one (openvino). Each stream has a thread."""

    @property
    def label(self) -> str:
        """Recipe and what changes it, as variants are named after them."""
        rows = "" if self.rows is None else f"-{self.rows}"
        streams = "" if self.streams == 1 else f"-{self.streams}-streams"
        return f"{self.recipe}{rows}{'-restored' if self.restore else ''}{streams}"


class Limits(Frozen):
    """What a promoted variant may not exceed; an absent limit is not checked."""

    p95_ms: float | None = Field(None, gt=0)
    """End-to-end latency, text in, label out, 95th percentile."""
    candidates: int | None = Field(None, ge=1, le=MOST_ROWS)
    """Where a request has candidates: how many of them each request has of which that percentile is."""
    cold_start_ms: float | None = Field(None, gt=0)
    """From process start to the first answer."""
    peak_rss_mib: float | None = Field(None, gt=0)
    """Peak resident memory of the whole process."""
    artifact_mib: float | None = Field(None, gt=0)
    """Size of the artifact folder."""
    bundle_unzipped_mib: float | None = Field(None, gt=0)
    """Size of what the platform deploys."""


class Price(Frozen):
    """What the platform asks: by the reserved gigabyte and second with a fee a request, or by the hour."""

    gb_second_usd: float | None = Field(None, gt=0)
    """For a gigabyte (GiB, as billed) of reserved memory and a second."""
    request_usd: float = Field(0, ge=0)
    """For each request."""
    hour_usd: float | None = Field(None, gt=0)
    """For the machine and an hour."""

    @model_validator(mode="after")
    def _check_one(self) -> Price:
        if (self.gb_second_usd is None) == (self.hour_usd is None):
            raise ValueError("give gb_second_usd or hour_usd, one of the two")
        return self


def _differ(builds: tuple[Build, ...]) -> tuple[Build, ...]:
    """Refuse builds of one name: their variants would be one."""
    names = [f"{build.runtime} {build.label}" for build in builds]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ValueError(f"'{twice}' is listed twice; each build has another runtime or recipe")
    return builds


Builds = Annotated[tuple[Build, ...], AfterValidator(_differ)]


class OfTask(Frozen):
    """What a target allows and builds for one task; what is absent is as for every task."""

    limits: Limits = Limits()
    """Limits that are others for this task."""
    builds: Builds = ()
    """What to compile instead."""


class Target(Frozen):
    """One hardware target."""

    name: str
    """Name, as in the file's name."""
    description: str = ""
    """One line for people."""
    hardware: Hardware
    """What the machine is."""
    builds: Builds = Field(min_length=1)
    """What to compile; measurement and gates choose among them."""
    threads: int = Field(1, ge=1, le=MOST_THREADS)
    """Threads that the runtime may use."""
    bundle: str | None = None
    """What the platform deploys: lambda-zip, mobile, openvino-server, triton."""
    limits: Limits = Limits()
    """What may not be exceeded."""
    price: Price | None = None
    """What the platform asks for it."""
    objective: Objective = "p95_ms"
    """What chooses among the variants that pass every gate."""
    tasks: dict[str, OfTask] = Field(default_factory=dict)
    """What is different for some tasks, by their names."""

    @model_validator(mode="after")
    def _streams_have_threads(self) -> Target:
        every = (*self.builds, *(build for own in self.tasks.values() for build in own.builds))
        if (most := max(build.streams for build in every)) > self.threads:
            raise ValueError(
                f"a build has {most} streams and the target {self.threads} threads; each stream needs one"
            )
        return self

    def of_task(self, task: str) -> Target:
        """Return the target as it is for one task."""
        own = self.tasks.get(task)
        if own is None:
            return self
        limits = self.limits.model_copy(update=own.limits.model_dump(exclude_unset=True))
        return self.model_copy(update={"limits": limits, "builds": own.builds or self.builds})
