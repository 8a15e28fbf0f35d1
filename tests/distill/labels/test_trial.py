import numpy as np
import pytest

from edgekd.distill.labels import trial
from edgekd.distill.labels.agreement import SoftmaxAgreement, compare_softmax
from edgekd.distill.labels.fill import Wanted, fill_store
from edgekd.distill.labels.labeller import Labeller, check_outputs, top_gaps
from edgekd.distill.labels.store import LabelStore
from edgekd.distill.labels.trial import Trial, try_labeller
from edgekd.distill.learners.classify import Classify
from edgekd.distill.reference import reference_outputs, torch_labeller
from edgekd.distill.teacher import load_teacher, teacher_tokens
from edgekd.errors import ParityError
from edgekd.export import export_graph
from edgekd.plugins import load_plugin
from edgekd.serving.heads import Head

LABELS = 5
LEARNER = Classify(tuple("abcde"))


def table(ids: np.ndarray) -> np.ndarray:
    """Logits that depend on every token, spread like a teacher's."""
    rng = np.random.default_rng(0)
    return rng.normal(0, 2, (500, LABELS)).astype(np.float32)[ids].mean(axis=1) * 3


def noisy(size: float):
    def label(ids: np.ndarray) -> np.ndarray:
        noise = np.sin(1e3 * table(ids)).astype(np.float32)
        return table(ids) + np.float32(size) * noise

    return label


def make_tokens(count=2000, seed=0):
    from edgekd.distill.training.tokens import Tokens

    rng = np.random.default_rng(seed)
    lengths = rng.integers(3, 12, count)
    return Tokens(rng.integers(0, 500, lengths.sum()).astype(np.int32), np.cumsum([0, *lengths]))


class Clock:
    """Time that only labellers spend."""

    now = 0.0

    def labeller(self, label, seconds: float) -> Labeller:
        def timed(ids):
            self.now += seconds
            return label(ids)

        return Labeller("timed", timed)


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(trial.time, "perf_counter", lambda: clock.now)
    return clock


def test_speedup_counts_what_is_left_to_the_reference(clock):
    found = try_labeller(clock.labeller(table, 3.0), clock.labeller(noisy(0.01), 1.0), make_tokens(), LEARNER)
    assert found.speedup == pytest.approx(3.0 / (1.0 + trial.CLOSE_SHARE * 3.0), rel=1e-3)
    assert found.agreement.texts == 2000 and found.agreement.top1 == 1.0 and found.is_better


def test_close_texts_are_left_to_the_reference(clock):
    """Those on which a noisy candidate changes its mind are among the closest."""
    tokens = make_tokens()
    candidate = clock.labeller(noisy(0.03), 1.0)
    found = try_labeller(clock.labeller(table, 3.0), candidate, tokens, LEARNER)
    whole = reference_of(candidate.label, tokens)
    alone = compare_softmax(reference_of(table, tokens), whole)
    assert found.gap == pytest.approx(np.quantile(top_gaps(whole), trial.CLOSE_SHARE))
    assert alone.top1 < found.agreement.top1 and alone.mean_kl >= found.agreement.mean_kl


def reference_of(label, tokens) -> np.ndarray:
    rows = zip(tokens.starts[:-1], tokens.starts[1:], strict=True)
    return np.concatenate([label(tokens.ids[a:b][None].astype(np.int64)) for a, b in rows])


@pytest.mark.parametrize(
    ("label", "seconds"),
    [
        (noisy(2.0), 1.0),
        (lambda ids: np.full((len(ids), LABELS), np.nan, np.float32), 1.0),
        (noisy(0.0), 2.9),
    ],
    ids=["other answers", "no number", "no faster"],
)
def test_what_is_not_equal_or_not_faster_is_not_better(clock, label, seconds):
    found = try_labeller(clock.labeller(table, 3.0), clock.labeller(label, seconds), make_tokens(), LEARNER)
    assert not found.is_better


@pytest.mark.parametrize(
    ("kl", "top1", "speedup", "is_better"),
    [(0.005, 0.995, 1.2, True), (0.0051, 1, 9, False), (0, 0.9949, 9, False), (0, 1, 1.19, False)],
)
def test_limits(kl, top1, speedup, is_better):
    assert Trial(SoftmaxAgreement(100, kl, 1.0, top1), 0.0, speedup).is_better == is_better


def test_agreement_is_in_nats_at_temperature_two():
    one, other = np.array([[2.0, 0.0]]), np.array([[0.0, 2.0]])
    p = 1 / (1 + np.exp(-1.0))
    expected = p * np.log(p / (1 - p)) + (1 - p) * np.log((1 - p) / p)
    assert compare_softmax(one, other) == SoftmaxAgreement(
        1, pytest.approx(expected), pytest.approx(expected), 0.0
    )


def test_wrong_shape_is_one_line():
    bad = Labeller("bad", lambda ids: np.zeros((0, 3), np.float32))
    with pytest.raises(ParityError, match=r"^bad gave outputs of shape \(0, 3\), expected \(2, 3\)$"):
        check_outputs(bad, np.zeros((2, 4), np.int64), 3)


def test_close_texts_get_the_exact_labels(tmp_path):
    tokens = make_tokens(400)
    texts = [str(i) for i in range(400)]
    rough = Labeller("rough", noisy(0.05), {"mean_kl": 0.001}, Labeller("exact", table), gap=0.5)
    store = LabelStore(tmp_path, "t", LABELS)
    assert fill_store(store, Wanted(texts, [()] * 400, [()] * 400), lambda _: tokens, rough) == 400
    wanted, rougher = reference_of(table, tokens), reference_of(noisy(0.05), tokens)
    is_close = top_gaps(rougher) < 0.5
    expected = np.where(is_close[:, None], wanted, rougher).astype(np.float16)
    assert 20 < is_close.sum() < 200
    assert store.read(texts, 2.0)[:] == pytest.approx(expected, abs=0.01)
    assert [b.labeller for b in store.beside(texts)] == [("rough", "exact")[i] for i in is_close.astype(int)]
    assert store.labellers() == [
        {"name": "exact", "rows": int(is_close.sum())},
        {"name": "rough", "mean_kl": 0.001, "rows": 400 - int(is_close.sum())},
    ]


@pytest.fixture(scope="module")
def compiled(teacher, task_data, tmp_path_factory):
    """The small teacher in int8 and in bfloat16 on OpenVINO, as the pipeline makes them."""
    pytest.importorskip("openvino")
    pytest.importorskip("nncf")
    folder = tmp_path_factory.mktemp("compiled")
    graph = export_graph(
        load_teacher(teacher), teacher.path / "tokenizer.json", folder / "teacher.onnx", student="teacher",
        kind="transformer", head=Head("classify", teacher.outputs), max_tokens=teacher.max_tokens,
    )  # fmt: skip
    tokens = teacher_tokens(teacher, task_data.split("train").texts)
    rows = [tokens.ids[a:b].tolist() for a, b in zip(tokens.starts[:-1], tokens.starts[1:], strict=True)]
    runtime, sessions = load_plugin("runtimes", "openvino"), {}
    for recipe, precision in (("int8-nncf", "f32"), ("fp32", "bf16")):
        place = folder / recipe
        place.mkdir()
        load_plugin("recipes", recipe).build(graph, place, rows, "openvino")
        described = {"model": runtime.MODEL, "precision": {"INFERENCE_PRECISION_HINT": precision}}
        sessions[recipe] = Labeller(recipe, runtime.open_session(place, described, 1).run_batch)
    return sessions


@pytest.mark.openvino
@pytest.mark.parametrize("recipe", ["int8-nncf", "fp32"])
@pytest.mark.long
def test_real_teacher_is_labelled_by_a_compiled_one_within_the_bound(
    tmp_path, teacher, task_data, compiled, recipe
):
    exact = torch_labeller(load_teacher(teacher), threads=1)
    texts = [*task_data.split("train").texts, *task_data.split("validation").texts]
    tokens = teacher_tokens(teacher, texts)
    found = try_labeller(exact, compiled[recipe], tokens, Classify(teacher.outputs))
    assert found.agreement.is_equal and 0 < found.agreement.mean_kl < 0.005

    chosen = Labeller(recipe, compiled[recipe].label, exact=exact, gap=found.gap)
    store = LabelStore(tmp_path, "t", 3)
    wanted = Wanted(texts, [()] * len(texts), [()] * len(texts))
    fill_store(store, wanted, lambda some: teacher_tokens(teacher, list(some)), chosen)
    wanted_logits = reference_outputs(load_teacher(teacher), tokens, threads=1)
    stored = store.read(texts, 2.0)[:].astype(np.float32)
    assert compare_softmax(wanted_logits, stored).is_equal


@pytest.mark.openvino
@pytest.mark.parametrize("name", ["int8-nncf", "fp32", "pytorch"])
@pytest.mark.long
def test_label_of_a_text_does_not_depend_on_its_neighbours(teacher, task_data, compiled, name):
    """The same bits in a full batch, whatever else is in it and wherever the text is."""
    exact = torch_labeller(load_teacher(teacher), threads=1)
    label = (compiled | {"pytorch": exact})[name].label
    tokens = teacher_tokens(teacher, task_data.split("train").texts)
    length = int(np.bincount(tokens.lengths).argmax())
    rows = np.flatnonzero(tokens.lengths == length)
    ids = np.resize(tokens.padded(rows)[0], (512 // length, length))
    whole = label(ids)
    order = np.random.default_rng(0).permutation(len(ids))
    assert np.array_equal(label(ids[order]), whole[order])
    assert np.array_equal(label(np.repeat(ids[3:4], len(ids), axis=0))[0], whole[3])
