"""What a task says of its rows: which column is the target, and what may stand there."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Targets = npt.NDArray[np.int64] | npt.NDArray[np.float32]
"""What is right for each row: an index of the model's outputs or a number, shape [row]; of rows that hold
several examples a number for each, shape [row, place]."""


class Reader(Protocol):
    """Reads the targets of a task's rows; a row without a label has none."""

    @property
    def kind(self) -> pa.DataType:
        """Type of the target's column."""

    @property
    def columns(self) -> Mapping[str, pa.DataType]:
        """Names and types of the columns that every row has beside its text and target, such as `candidates`.

        A project's `data.columns` may say under which name a file has them.
        """

    def arrange(self, row: Mapping[str, Any], where: str) -> Mapping[str, Any]:
        """Return a row in the form of the table, from `text`, `label` and `columns` as a file has them.

        Raises:
            DataError: naming what was found and what is expected; `where` names file, row and id.
        """

    def request(self, row: Mapping[str, Any]) -> str:
        """Return what a model is asked for a row, as one string."""

    def check(self, target: Any, where: str) -> None:
        """Refuse a target that no labelled row may have; `where` names file, row and id.

        Raises:
            DataError: naming what was found and what is expected.
        """

    def find_outputs(self, rows: Sequence[Mapping[str, Any]], source: str) -> tuple[str, ...]:
        """Name what a model of this task puts out, from the rows of all splits.

        Raises:
            DataError: the splits do not fit one another.
        """

    def stratum(self, target: Any) -> Hashable:
        """Name the group that a row is of: each gives the same share when rows are moved to another split."""

    def encode(self, targets: Sequence[Any], outputs: Sequence[str]) -> Targets:
        """Turn targets [row] into numbers; where there is none, one that `is_known` tells from the others."""

    def is_known(self, targets: Targets) -> npt.NDArray[np.bool_]:
        """Say for each of the numbers that `encode` gave whether the row has a target."""

    def describe(self, train: Targets, outputs: Sequence[str]) -> str:
        """Say in one line what the training rows' targets are."""
