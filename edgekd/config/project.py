"""The project file: one YAML file from teacher to promoted variants."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from edgekd.config.base import MOST_ROWS, MOST_SEED, MOST_THREADS, Frozen
from edgekd.config.claims import Claims
from edgekd.config.curate import Curate
from edgekd.config.data import Data
from edgekd.config.distillation import Distillation
from edgekd.config.emphasis import Emphasis
from edgekd.config.gates import Gates
from edgekd.config.model import Lora, Training
from edgekd.config.routing import Routing
from edgekd.config.slices import Slice
from edgekd.config.target import Objective
from edgekd.config.twins import TwinSlice


class Teacher(Emphasis):
    """The model that labels."""

    model: str = "minilm-l6"
    """A file in models/, or a folder, `hub:OWNER/NAME` or `hub:OWNER/NAME@REVISION` of a checkpoint."""
    max_tokens: int | None = Field(None, ge=8)
    """Overrides the model file's limit, over which texts are cut."""
    fine_tune: bool = True
    """Whether it is fine-tuned here; a classifier with these labels can be used as it is."""
    training: Training | None = None
    """Overrides the model file's training."""
    pairs: int = Field(0, ge=0, le=MOST_ROWS)
    """Rows of a linear model of pairs of neighbouring tokens, whose logits are added to those of the network
    that is fine-tuned: it remembers what training words. 0: none."""
    through: str | None = None
    """An encoder's file in models/: it learns what the teacher says, and students learn from it. They are
    judged against the teacher all the same."""
    lora: Lora | None = None
    """Trains low-rank adapters and the head instead of all weights; wants a rate about ten times as high."""

    @model_validator(mode="after")
    def _settings_of_training_are_used(self) -> Teacher:
        if self.lora is not None and not self.fine_tune:
            raise ValueError("lora needs fine_tune: true; a classifier used as it is has nothing to train")
        if self.pairs and not self.fine_tune:
            raise ValueError("fine_tune: false trains nothing, so pairs would change nothing; remove it")
        if self.emphasis and not self.fine_tune:
            names = " and ".join(self.emphasis)
            raise ValueError(f"fine_tune: false trains nothing, so {names} would change nothing; remove them")
        return self


def _named(value: Any) -> Any:
    return {"model": value} if isinstance(value, str) else value


class _StudentEntry(Frozen):
    """A student to distil."""

    model: str
    """A file in models/."""
    vocabulary: int | None = Field(None, ge=256, le=MOST_ROWS)
    """Overrides the model file's vocabulary; at or above the teacher's size, every token stays."""
    pairs: int | None = Field(None, ge=0, le=MOST_ROWS)
    """Overrides the model file's rows for pairs of tokens."""
    max_tokens: int | None = Field(None, ge=8)
    """Overrides the model file's limit, over which texts are cut."""
    training: Training | None = None
    """Overrides the model file's training."""


StudentEntry = Annotated[_StudentEntry, BeforeValidator(_named)]


class Cascade(Frozen):
    """Two students that answer in turn."""

    first: str
    """The student that orders all candidates: a fast one."""
    second: str
    """The student that orders the first one's best candidates anew; how many, validation rows say."""


class Measure(Frozen):
    """How latency is measured."""

    rounds: int = Field(6, ge=3, le=10_000)
    """Fresh processes a variant; the sampling unit of every interval."""
    seconds: float = Field(0.6, gt=0, le=86_400)
    """Timed seconds a variant and round."""
    inputs: int = Field(512, ge=16, le=MOST_ROWS)
    """Validation texts that are timed."""
    pytorch: bool = True
    """Measure the teacher in PyTorch, too: each of its processes takes seconds to start."""
    precision: float | None = Field(None, gt=0, lt=1)
    """Add rounds until each p95, as a ratio to the teacher's, is known within this share."""
    budget_seconds: float = Field(300, gt=0, le=10_000_000)
    """No round is added that would end later than this."""


class Traffic(Frozen):
    """How much is asked, so that rates can be read as counts and costs per day."""

    requests_per_day: float = Field(gt=0)
    """Requests on a usual day."""
    slices: dict[str, Annotated[float, Field(ge=0, le=1)]] = Field(default_factory=dict)
    """Share of the requests that some slices are, by name; absent: their share of the test rows that were
    drawn as traffic comes."""
    teacher_per_1k: float | None = Field(None, gt=0)
    """What a thousand requests to the teacher cost, in USD; absent: what `routing` says."""


class Licence(Frozen):
    """Licences, for model cards; left empty, a card says that they are not stated."""

    weights: str = ""
    """Of the weights that the teacher starts from; where empty, what their own README states."""
    data: str = ""
    """Of the rows that teach."""


class Project(Frozen):
    """One project."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    """Names the run and the registry."""
    task: str = "intent"
    """What the model does: `intent`, one that a package adds, or `module:object`."""
    data: Data
    """Where the rows are."""
    slices: tuple[Slice, ...] = Field(min_length=1)
    """How quality is judged; one must be named `overall`."""
    twins: tuple[TwinSlice, ...] = ()
    """Noisy twins of the test rows, which `edgekd evaluate --twins` answers; changes no other result."""
    curate: Curate = Curate()
    """What `edgekd refresh` follows in logs; changes no other result."""
    teacher: Teacher = Teacher()
    """The model that labels."""
    students: tuple[StudentEntry, ...] = Field(min_length=1)
    """The models to distil."""
    cascades: tuple[Cascade, ...] = ()
    """Pairs of students that rank in turn, as further variants of every target."""
    distillation: Distillation = Distillation()
    """How they learn."""
    claims: Claims | None = None
    """What the teacher's answers claim of records that are known: which of them become targets."""
    targets: tuple[str, ...] = Field(min_length=1)
    """Files in targets/."""
    gates: Gates = Gates()
    """Limits on trust, safety and cost."""
    routing: Routing | None = None
    """When the teacher is asked instead; without it every message is answered."""
    objective: Objective | None = None
    """What chooses among the variants that pass, on every target; each target says for itself unless set."""
    measure: Measure = Measure()
    """How latency is measured."""
    tracking: tuple[Literal["tensorboard", "mlflow", "wandb"], ...] = ()
    """Where a training's figures go besides its log; changes no result."""
    traffic: Traffic | None = None
    """How much is asked per day: the report shows counts and costs of it; changes no result."""
    checkpoint_minutes: float | None = Field(None, gt=0)
    """After how many minutes a training keeps its place within an epoch, so that a kill costs no more than
    that; absent: at the end of each epoch alone. Changes no result."""
    licence: Licence = Licence()
    """Licences of weights and data, for the model card; changes no result."""
    threads: int = Field(2, ge=1, le=MOST_THREADS)
    """Threads of training and labelling; part of what makes a result repeatable."""
    seed: int = Field(0, ge=0, le=MOST_SEED)
    """Seed of every random choice."""
    workspace: str = ".edgekd"
    """Folder for the stage cache, runs and registry, relative to this file."""

    @model_validator(mode="after")
    def _names_are_unique(self) -> Project:
        for kind, names in (
            ("slice", [s.name for s in self.slices]),
            ("student", [s.model for s in self.students]),
            ("target", list(self.targets)),
            ("tracker", [str(name) for name in self.tracking]),
            ("kind of twins", [str(twins.kind) for twins in self.twins]),
        ):
            twice = sorted({n for n in names if names.count(n) > 1})
            if twice:
                raise ValueError(f"{kind} '{twice[0]}' is listed twice")
        if "overall" not in {s.name for s in self.slices}:
            raise ValueError("one slice must be named 'overall'")
        if unknown := sorted(set(self.gates.slices) - {s.name for s in self.slices}):
            raise ValueError(f"gates.slices names '{unknown[0]}', which is no slice")
        shares = () if self.traffic is None else self.traffic.slices
        if unknown := sorted(set(shares) - {s.name for s in self.slices}):
            raise ValueError(f"traffic.slices names '{unknown[0]}', which is no slice")
        if self.gates.asks_age and self.data.columns.date is None:
            raise ValueError(
                "a gate of the data's age needs data.columns.date: the column of each row's date"
            )
        return self
