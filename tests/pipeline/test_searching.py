"""A search with real trainings of tiny students, measured and written as a model file."""

from contextlib import nullcontext

import pytest

from edgekd.config import NarrowModel, StaticModel, Training, load_model, load_project
from edgekd.pipeline.context import Context
from edgekd.pipeline.rungs import read_spent
from edgekd.pipeline.searching import size_target, teach
from edgekd.pipeline.sized import find_fronts, place_front
from edgekd.sizing.budget import Budget, Cost, Guess
from edgekd.sizing.halving import plan_ladder
from edgekd.sizing.shapes import Shape

pytestmark = pytest.mark.long
pytest.importorskip("optuna")

TRAINING = Training(epochs=8, learning_rate=3e-3, batch=16)
MODELS = (
    StaticModel(kind="static", name="s8", dimension=8, hidden=8, pairs=64, training=TRAINING),
    StaticModel(kind="static", name="s32", dimension=32, hidden=32, pairs=256, training=TRAINING),
    NarrowModel(kind="narrow", name="n16", layers=1, width=16, heads=2, feed_forward=32, training=TRAINING),
    NarrowModel(
        kind="narrow", name="n99", layers=1, width=99, heads=3, feed_forward=32, pairs=64, training=TRAINING
    ),
)


def around(value):
    return Guess(value, 0.9 * value, 1.1 * value)


def priced(recipe="fp32"):
    """Each student in two builds, at prices by its size: what a cost model would say."""
    found = []
    for place, model in enumerate(MODELS, 1):
        cost = Cost(around(0.05 * place), around(0.1 * place), around(90), around(90), around(place))
        found.append((Shape(model, "onnxruntime", recipe), cost))
    return found


@pytest.fixture
def sized(small_project):
    """Opens the small project anew, as another process would; its notes go to a list."""

    def open_context(notes, stop=lambda line: None):
        def note(line):
            notes.append(line)
            stop(line)

        project = load_project(small_project, ["targets=[lambda-x86]"])
        return Context(project, small_project.parent, lambda name: nullcontext(lambda *_: None), note)

    return open_context


def test_a_search_recommends_measures_and_writes_a_model_file_and_loses_no_finished_step(sized):
    target, budget = None, Budget(artifact_mib=50, max_drop=60)

    def stop(line):
        if line.startswith("size/taught/") and sum(n.startswith("size/taught/") for n in first) == 2:
            raise KeyboardInterrupt

    first = []
    context = sized(first, stop)
    target = context.targets[0]
    with pytest.raises(KeyboardInterrupt):
        size_target(context, target, budget, priced())
    done = {line.partition(":")[0] for line in first if line.startswith("size/taught/")}
    second = []
    front = size_target(sized(second), target, budget, priced())
    assert len(done) == 2 and {f"{name}: cached" for name in done} <= set(second)
    assert front.recommended is not None and front.recommended.measured
    recommended = front.recommended
    assert recommended.cost.artifact_mib.low == recommended.cost.artifact_mib.high < 50
    assert recommended.quality.drop.high < 60 and len(front.points) == len(MODELS)
    by_rows = sorted(len(point.quality.curve) for point in front.points)
    assert by_rows == [1, 1, 2, 3]
    # The model file is one of the project's own, and the answer is there for the report.
    assert load_model(recommended.quality.student, context.folder) == recommended.shape.model
    assert find_fronts(context, [target.name]) == (front,)
    assert place_front(context, target.name).is_file()
    # Again, nothing is made.
    third = []
    assert size_target(sized(third), target, budget, priced()) == front
    assert not [line for line in third if ": done in" in line]


def test_an_impossible_budget_trains_nothing_and_says_what_binds(sized):
    notes = []
    context = sized(notes)
    front = size_target(context, context.targets[0], Budget(p95_ms=0.01), priced())
    assert front.recommended is None and front.points == () and notes == []
    assert front.binding.figure == "p95_ms" and "s8.onnxruntime.fp32 comes nearest" in front.reasons[0]


def test_what_a_search_took_is_kept(sized):
    context = sized([])
    taught = teach(context, priced()[:1], ("p95_ms",), plan_ladder(1, 100, 1))
    step = taught.judge.rungs["s8"]
    spent = read_spent(context.engine.make(step).path)
    assert spent.rows == taught.ladder.rows_shown == 120 and spent.cpu_seconds > 0
