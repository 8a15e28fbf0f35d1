"""A student that could be trained, and how it would be compiled."""

from __future__ import annotations

from dataclasses import dataclass

from edgekd.config import Build, StudentModel


@dataclass(frozen=True)
class Shape:
    """A concrete student, and one way to run it.

    Attributes:
        model: What a model file in models/ would say.
        runtime: Engine that runs it.
        recipe: Way to compile it.
        threads: Threads that the runtime may use.
        rows: Rows that each embedding table keeps; None: all.
        streams: Texts that it works on at once.
    """

    model: StudentModel
    runtime: str
    recipe: str
    threads: int = 1
    rows: int | None = None
    streams: int = 1

    @property
    def build(self) -> Build:
        """The build of a target that compiles it."""
        return Build(runtime=self.runtime, recipe=self.recipe, rows=self.rows, streams=self.streams)

    @property
    def kind(self) -> str:
        """Kind of student, as recipes know it: "static" or "transformer"."""
        return "static" if self.model.kind == "static" else "transformer"

    @property
    def family(self) -> tuple[str, str, str, int]:
        """What shapes have in common whose times follow one formula: kind, runtime, recipe and threads."""
        return self.kind, self.runtime, self.build.label, self.threads

    @property
    def name(self) -> str:
        """Name of the student and of its build, as variants are named."""
        threads = "" if self.threads == 1 else f".{self.threads}-threads"
        return f"{self.model.name}.{self.runtime}.{self.build.label}{threads}"
