"""What `edgekd size PROJECT` prints of a front."""

from pathlib import Path

from edgekd.cli.searching import describe_front
from edgekd.config import StaticModel
from edgekd.sizing.budget import Budget, Cost, Guess
from edgekd.sizing.front import Point, make_front
from edgekd.sizing.quality import Quality
from edgekd.sizing.shapes import Shape


def point(name, p95, drop):
    cost = Cost(*(Guess(value, 0.9 * value, 1.1 * value) for value in (p95 / 2, p95, 100, 50, 9)))
    shape = Shape(StaticModel(kind="static", name=name), "numpy", "fp32")
    return Point(shape, cost, Quality(name, Guess(drop, drop - 0.1, drop + 0.1), 4000))


POINTS = (point("fast", 0.2, 2.0), point("mid", 1.0, 0.8))


def test_the_command_that_trains_it_is_printed_last():
    outcome = describe_front(make_front("lambda-x86", Budget(max_drop=1.0), POINTS), Path("my edgekd.yaml"))
    assert outcome.exit_code == 0 and outcome.document["recommended"] == "mid.numpy.fp32"
    command = "edgekd run 'my edgekd.yaml' --set 'students=[mid]' --set 'targets=[lambda-x86]'"
    assert outcome.lines[-1] == f"models/mid.yaml holds it; train it to the end: {command}"
    assert outcome.document["command"] == command and outcome.document["model_file"] == "models/mid.yaml"
    assert outcome.lines[0].startswith("fast.numpy.fp32: p95 0.2 ms, memory 50 MiB, size 9 MiB (predicted)")


def test_where_nothing_is_recommended_the_exit_code_is_1_and_the_limit_is_named():
    outcome = describe_front(make_front("lambda-x86", Budget(p95_ms=0.1), POINTS), Path("edgekd.yaml"))
    assert outcome.exit_code == outcome.document["exit_code"] == 1
    assert "no shape holds p95 0.1 ms" in outcome.lines[-1]
    assert outcome.document["binding"]["figure"] == "p95_ms" and "command" not in outcome.document
