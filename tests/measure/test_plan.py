import pytest

from edgekd.errors import BadInputError
from edgekd.measure.plan import MeasurePlan
from edgekd.measure.subject import Subject


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("rounds", 1),
        ("seconds", 0),
        ("seconds", float("nan")),
        ("warmup_seconds", -1),
        ("block_ms", 0),
        ("threads", 0),
        ("confidence", 95),
        ("seed", -1),
        ("timeout_seconds", 0),
        ("precision", 0),
        ("budget_seconds", 0),
    ],
)
def test_a_plan_names_what_is_wrong(key, value):
    with pytest.raises(BadInputError, match=key):
        MeasurePlan(**{key: value})


@pytest.mark.parametrize(
    ("subject", "message"),
    [
        (("", "a:b"), "name is empty"),
        (("x", "a.b"), "x: factory must read 'package.module:function', got 'a.b'"),
        (("x", "a b:c"), "factory"),
        (("x", "a:b", ("\0",)), "NUL"),
    ],
)
def test_a_subject_names_what_is_wrong(subject, message):
    with pytest.raises(BadInputError, match=message):
        Subject(*subject)


def test_a_subject_has_a_file_name():
    assert Subject("onnxruntime/int8 dynamic", "a:b").file_stem == "onnxruntime-int8-dynamic"
    assert Subject("../..", "a:b").file_stem == "subject"
