"""What a teacher claims, which records say whether it is true, and what becomes of a claim that is not."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from edgekd.config.base import MOST_ROWS, Frozen

_NAME = r"^[a-z][a-z0-9_]*$"
CLAIM, CONFIDENCE = "claim", "confidence"
"""Columns that a claim has beside those of its row."""


class Records(Frozen):
    """Records that claims are checked against: a catalogue, orders, or what the teacher was given to read."""

    source: str
    """A file: .parquet, .csv, .jsonl, or a DuckDB database (.duckdb, .db), relative to the project file."""
    table: str | None = None
    """The table of a DuckDB database."""
    row: str
    """Column of the rows whose value names a record; `claim` for what is claimed: a class, or the text of a
    candidate."""
    key: str
    """Column of the file that holds the record's name; no two records have the same one."""

    @model_validator(mode="after")
    def _a_database_has_tables(self) -> Records:
        if self.is_database and self.table is None:
            raise ValueError("table is missing: which table of the database holds the records")
        if not self.is_database and self.table is not None:
            raise ValueError(f"table is for DuckDB databases, and source is '{self.source}'; remove it")
        return self

    @property
    def is_database(self) -> bool:
        """Whether the source is a DuckDB database."""
        return self.source.endswith((".duckdb", ".db"))


class ClaimRule(Frozen):
    """What must hold where something is claimed."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """Names the rule where it is broken."""
    claims: tuple[str, ...] = ()
    """The classes that claim it; absent: every claim does, as where candidates are claimed to fit a query."""
    holds: str = Field(min_length=1)
    """SQL over the rows' columns, `claim`, `confidence`, and `NAME.COLUMN` of the records. True: the claim is
    supported. False: it is contradicted. Null, or no record: it is unsupported."""


class Claims(Frozen):
    """Which of a teacher's claims become targets."""

    records: dict[Annotated[str, Field(pattern=_NAME)], Records] = Field(default_factory=dict)
    """Records by the name that rules call them by; columns of the rows can be read without any."""
    rules: tuple[ClaimRule, ...] = Field(min_length=1)
    """What must hold."""
    confident: float = Field(0.9, ge=0, le=1)
    """From this probability on a teacher counts as confident: its unsupported claims count less. Less
    confident ones go to review, and nothing is learned from them meanwhile."""
    weight: float = Field(0.25, ge=0, lt=1)
    """How much an unsupported claim of a confident teacher counts."""
    places: int = Field(3, ge=1, le=MOST_ROWS)
    """Where answers are orders: the first so many candidates are claimed to fit the query."""

    @model_validator(mode="after")
    def _names_are_unique(self) -> Claims:
        names = [rule.name for rule in self.rules]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"rule '{twice[0]}' is listed twice")
        if taken := sorted({CLAIM, CONFIDENCE} & set(self.records)):
            raise ValueError(f"records cannot be called '{taken[0]}', which names a column of every claim")
        return self
