"""Where a project's rows are, and which column holds what."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field, model_validator

from edgekd.config.base import Frozen

Split = Literal["train", "unlabelled", "calibration", "validation", "test"]
Part = Literal["queries", "documents", "qrels", "run"]


class Columns(Frozen):
    """Which column holds what."""

    text: str = "text"
    """The message, or the query."""
    label: str = "label"
    """The class, or the grades of the candidates; empty in unlabelled rows."""
    candidates: str = "candidates"
    """The texts to put in order, in the order in which they come in; of tasks that rank."""
    document: str = "id"
    """The id of each document, where `source` names a file of documents."""
    document_text: tuple[str, ...] = ("text",)
    """The columns of that file which are joined to a document's text."""
    id: str | None = None
    """A unique name a row; row numbers where absent."""
    split: str | None = None
    """Which split a row belongs to; where absent, `source` names a file a split."""
    date: str | None = None
    """When a row was written, as a date or ISO 8601 text; read by the gates of the data's age alone."""

    @model_validator(mode="after")
    def _hold_different_things(self) -> Columns:
        named: dict[str, str] = {}
        for key in ("text", "label", "split", "date", "id"):
            column = getattr(self, key)
            if column is None:
                continue
            if not column:
                raise ValueError(f"{key} is empty; expected the name of a column")
            other = named.setdefault(column, key)
            if other != key and not (key == "id" and other == "text"):
                raise ValueError(
                    f"{other} and {key} are both '{column}'; each is another column, for a model would read "
                    "what it is to answer"
                )
        return self

    def find(self, name: str) -> str:
        """Return under which name a file has a column of the task; its own name where none is set."""
        return str(getattr(self, name, name))


class Carve(Frozen):
    """Rows moved from one split to another that the source does not have."""

    take: Split
    """The split the rows come from."""
    share: float = Field(gt=0, lt=1)
    """How many of its rows are moved, the same share of each class."""


class Data(Frozen):
    """Where the rows are."""

    source: str | dict[Split | Part, str]
    """`mangaassist`, `mangasearch`, a file (.csv, .jsonl, .jsonl.gz, .parquet), `hf:NAME`, or one file per
    split. Tasks that rank also take files of `queries` and `documents`, with `qrels`, a `run`, or both."""
    columns: Columns = Columns()
    """Which column holds what."""
    splits: dict[Split, tuple[str, ...]] | None = None
    """Values of the split column that make each split; absent means equal names."""
    carve: dict[Split, Carve] = Field(default_factory=dict)
    """Splits to cut from others; the test split can neither give nor take."""
    unlabelled: tuple[str, ...] = ()
    """Files of more text for the teacher to label; of a file with splits, its training rows."""
    allow_shared_text: bool = False
    """Go on although test rows have a text that rows of another split have, too; their number is shown."""
    drop_shared_text: bool = False
    """Leave out the rows of other splits whose text is also a test row's, instead of refusing them."""
    options: dict[str, Annotated[int, Field(ge=0, le=1_000_000)]] = Field(default_factory=dict)
    """Row counts and seed of the built-in data."""
    sample: str | None = None
    """SQL predicate that marks the rows drawn as traffic comes, where a test set holds extra rows of some
    classes; precision counts the extra rows by their share of traffic, false alarms and calibration leave
    them out."""

    @property
    def has_documents(self) -> bool:
        """Whether queries and documents have files of their own."""
        return isinstance(self.source, dict) and "queries" in self.source

    @model_validator(mode="after")
    def _documents_are_whole(self) -> Data:
        if not isinstance(self.source, dict):
            return self
        parts = set(self.source) & set(get_args(Part))
        if parts and parts != set(self.source):
            raise ValueError(
                "source names a file per split, or files of queries, documents, qrels and a run, not both"
            )
        if parts and not ({"queries", "documents"} <= parts and parts & {"qrels", "run"}):
            raise ValueError(
                "source needs queries, documents, and qrels or a run (or both); "
                f"found: {', '.join(sorted(parts))}"
            )
        if parts and (self.columns.id is None or self.columns.split is None):
            raise ValueError(
                "source with queries and documents needs columns.id and columns.split, of the file of queries"
            )
        return self

    @model_validator(mode="after")
    def _test_is_untouched(self) -> Data:
        for name, carve in self.carve.items():
            if name == "test" or carve.take == "test":
                raise ValueError("the test split can neither give rows nor take them")
            if name == carve.take:
                raise ValueError(f"{name} cannot be carved from itself")
        if self.allow_shared_text and self.drop_shared_text:
            raise ValueError("allow_shared_text keeps the rows that drop_shared_text leaves out; set one")
        return self
