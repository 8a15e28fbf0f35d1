import pyarrow as pa
import pytest

from edgekd.config import Slice
from edgekd.data.slices import slice_masks
from edgekd.data.taskdata import TaskData
from edgekd.errors import SliceError

TABLE = pa.table(
    {
        "id": ["1", "2", "3"],
        "text": ["a b", "c", "d e f"],
        "label": ["x", "y", "x"],
        "split": ["test"] * 3,
        "device": ["web", None, "ios"],
        "noisy": [True, False, True],
    }
)
DATA = TaskData(TABLE, ("x", "y"))


def masks(where, **more):
    return slice_masks(DATA, [Slice(name="s", where=where, margin=1, **more)])["s"].tolist()


def test_predicates_over_columns():
    assert masks("device = 'ios'") == [False, False, True]
    assert masks("noisy and length(text) > 3") == [False, False, True]
    assert masks("device <> 'web'") == [False, False, True]  # null is not true
    assert masks("true") == [True] * 3


@pytest.mark.parametrize(
    "where",
    [
        "devise = 'ios'",
        "1",
        "device",
        "true; DROP TABLE rows",
        "true) FROM rows --",
        "(SELECT count(*) FROM '/etc/passwd') > 0",
        "exists(SELECT * FROM read_text('/etc/passwd'))",
        "exists(SELECT * FROM read_csv('/etc/passwd'))",
        "getenv('HOME') = '/root'",
        "",
    ],
)
def test_anything_but_a_predicate_over_the_rows_is_refused(where):
    with pytest.raises(SliceError, match="slice 's'"):
        masks(where)


def test_recall_of_an_unknown_class():
    with pytest.raises(SliceError, match="'z', which is not a class"):
        masks("true", recall_of=["z"])
