"""Hold claims against rules: what each claims must hold in its row and in the records that the row names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from edgekd.config.claims import CLAIM, CONFIDENCE, ClaimRule, Claims
from edgekd.curate.claims.records import open_records
from edgekd.curate.claims.verdict import (
    CONTRADICTED,
    SUPPORTED,
    UNCHECKED,
    UNSUPPORTED,
    Checked,
)
from edgekd.data.slices import judge_rows
from edgekd.data.taskdata import TaskData
from edgekd.data.volatile import EVERY, find_columns
from edgekd.errors import ConfigError, DataError, unknown_name


@dataclass(frozen=True)
class Claimed:
    """What was claimed.

    Attributes:
        rows: place of each claim's row among the rows that it is of, shape [claim].
        claims: what is claimed: a class, or the text of a candidate, shape [claim].
        confidence: how sure whoever claims it is, from 0 to 1, shape [claim].
    """

    rows: npt.NDArray[np.int64]
    claims: Sequence[str]
    confidence: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.rows)


def check_claims(rows: pa.Table, claimed: Claimed, settings: Claims, folder: Path) -> Checked:
    """Give each claim its verdict.

    A claim whose rule is true is supported. Where the rule is false the claim is contradicted, and where it
    is null the claim is unsupported. It is unsupported, too, where a record that the rule reads is not
    there, whatever the rule makes of nulls. Of several rules the worst verdict counts. What no rule speaks
    of is unchecked.

    Args:
        rows: the rows, with the columns that rules read.
        claimed: what was claimed of them.
        settings: the rules, and where the records are.
        folder: what paths of records are relative to.

    Raises:
        ConfigError: a rule reads records or columns that are not there.
        DataError: records cannot be read.
        SliceError: a rule is not an SQL predicate that may be run.
    """
    table = _join(rows, claimed, settings, folder)
    verdicts = np.full(len(claimed), UNCHECKED, np.int8)
    names = np.full(len(claimed), "", object)
    claims = np.array(claimed.claims, object)
    for rule in settings.rules:
        speaks = np.isin(claims, rule.claims) if rule.claims else np.ones(len(claims), np.bool_)
        if not speaks.any():
            continue
        found = _check_rule(table.filter(pa.array(speaks)), rule, settings)
        places = np.flatnonzero(speaks)
        worse = found > verdicts[places]
        verdicts[places[worse]] = found[worse]
        names[places[worse]] = rule.name
    return Checked(verdicts, tuple(names.tolist()))


def check_rules(rows: pa.Table, settings: Claims, folder: Path, known: Sequence[str] = ()) -> None:
    """Refuse rules that could not be run over claims of such rows.

    `known` are the classes that can be claimed, none where claims are something else.

    Raises:
        EdgekdError: as of `check_claims`.
    """
    for rule in settings.rules if known else ():
        for name in rule.claims:
            if name not in known:
                raise ConfigError(
                    f"claims.rules: '{rule.name}': claims: {unknown_name('class', name, known)}"
                )
    for name, entry in settings.records.items():
        if entry.row in rows.column_names:  # rows and records that call things otherwise are told of now
            open_records(name, entry, folder).match(rows[entry.row].to_pylist())
    first = rows.slice(0, 1)
    nobody = Claimed(np.zeros(0, np.int64), (), np.zeros(0))
    table = _join(first, nobody, settings, folder)
    for rule in settings.rules:
        _check_rule(table, rule, settings)


def _join(rows: pa.Table, claimed: Claimed, settings: Claims, folder: Path) -> pa.Table:
    """Return a table with a row per claim: its row's columns, what is claimed, and the records by name."""
    known = {name.lower() for name in rows.column_names}
    for name in (CLAIM, CONFIDENCE, *settings.records):
        if name in known:
            where = "claims" if name in (CLAIM, CONFIDENCE) else f"claims.records.{name}"
            raise ConfigError(f"{where}: the rows have a column '{name}' already; rename one of them")
    columns = [*rows.column_names, CLAIM, CONFIDENCE]
    for name, entry in settings.records.items():
        if entry.row not in columns:
            raise ConfigError(f"claims.records.{name}.row: {unknown_name('column', entry.row, columns)}")
    table = rows.select(_list_read(rows, settings)).take(pa.array(claimed.rows))
    table = table.append_column(CLAIM, pa.array(list(claimed.claims), pa.string()))
    table = table.append_column(CONFIDENCE, pa.array(claimed.confidence, pa.float64()))
    for name, entry in settings.records.items():
        records = open_records(name, entry, folder).match(table[entry.row].to_pylist())
        table = table.append_column(name, records)
    return table


def _list_read(rows: pa.Table, settings: Claims) -> list[str]:
    """List the columns that rules may read: a row may have several claims, and candidates take much room."""
    read = frozenset[str]().union(*(find_columns(rule.holds) for rule in settings.rules))
    read |= {entry.row.lower() for entry in settings.records.values()}
    found = [name for name in rows.column_names if EVERY in read or name.lower() in read]
    return found or rows.column_names[:1]  # a table without a column has no rows


def _check_rule(table: pa.Table, rule: ClaimRule, settings: Claims) -> npt.NDArray[np.int8]:
    what = f"claims.rules: '{rule.name}': holds"
    data = TaskData(table, ())
    is_true, is_false = judge_rows(data, rule.holds, what)
    read = find_columns(rule.holds)
    is_there = np.ones(len(data), np.bool_)
    for name in settings.records:
        if name in read or EVERY in read:
            is_there &= np.asarray(table[name].combine_chunks().is_valid())
    found = np.full(len(data), UNSUPPORTED, np.int8)
    found[is_true & is_there] = SUPPORTED
    found[is_false & is_there] = CONTRADICTED
    return found


def read_claims(table: pa.Table, source: str) -> Claimed:
    """Read claims that stand beside their rows in the columns `claim` and `confidence`.

    Without confidence every claim counts as sure.

    Raises:
        DataError: there is no such column, a claim is empty, or a confidence is no share.
    """
    if CLAIM not in table.column_names:
        raise DataError(f"{source}: has no column '{CLAIM}'; found: {', '.join(table.column_names)}")
    claims: list[Any] = table[CLAIM].to_pylist()
    for number, value in enumerate(claims, start=1):
        if value is None or value == "":
            raise DataError(f"{source}: row {number}: column '{CLAIM}' is empty; say what is claimed")
    shares = table[CONFIDENCE].to_pylist() if CONFIDENCE in table.column_names else [1.0] * len(claims)
    for number, share in enumerate(shares, start=1):
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
            raise DataError(
                f"{source}: row {number}: '{CONFIDENCE}' must be a share from 0 to 1, got {share!r:.40}"
            )
    return Claimed(np.arange(len(claims)), [str(one) for one in claims], np.array(shares, np.float64))
