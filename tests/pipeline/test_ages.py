"""The gates of the data's age: read before anything costs time, judged with the rest."""

from contextlib import nullcontext
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from edgekd.config import load_project
from edgekd.data.taskdata import TaskData
from edgekd.errors import ConfigError
from edgekd.pipeline.context import Context
from edgekd.pipeline.figures import find_ages

PROJECT = """\
name: p
data: {source: mangaassist, columns: {date: when}}
slices: [{name: overall, margin: 1}]
students: [static-256]
targets: [lambda-x86]
gates: {data_age_p50_days: 30, data_age_p95_days: 60}
"""


def open_context(folder, *settings):
    (folder / "p.yaml").write_text(PROJECT)
    return Context(load_project(folder / "p.yaml", settings), folder, nullcontext, print)


def rows(ages):
    days = [datetime.now(UTC) - timedelta(days=age) for age in ages]
    names = [str(i) for i in range(len(days))]
    columns = {"id": names, "text": names, "label": ["a"] * len(days), "split": ["train"] * len(days)}
    return TaskData(pa.table({**columns, "when": [day.isoformat() for day in days]}), ("a",))


def test_quantiles_are_ages_of_real_rows(tmp_path):
    found = find_ages(open_context(tmp_path), rows([1, 2, 3, 4, 100]))
    assert {name: found[name].estimate for name in found} == {
        "data_age_p50_days": 3,
        "data_age_p95_days": 100,
    }


def test_without_a_limit_no_date_is_read(tmp_path):
    assert find_ages(open_context(tmp_path, "gates={}"), rows([])) == {}


def test_a_limit_needs_a_column(tmp_path):
    with pytest.raises(ConfigError, match=r"needs data\.columns\.date"):
        open_context(tmp_path, "data.columns={}")
