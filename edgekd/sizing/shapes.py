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
    """

    model: StudentModel
    runtime: str
    recipe: str
    threads: int = 1
    rows: int | None = None

    @property
    def build(self) -> Build:
        """The build of a target that compiles it."""
        return Build(runtime=self.runtime, recipe=self.recipe, rows=self.rows)

    @property
    def name(self) -> str:
        """Name of the student and of its build, as variants are named."""
        threads = "" if self.threads == 1 else f".{self.threads}-threads"
        return f"{self.model.name}.{self.runtime}.{self.build.label}{threads}"
