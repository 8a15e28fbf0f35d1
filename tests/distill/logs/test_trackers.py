import importlib.util
import subprocess
import sys
from contextlib import nullcontext
from typing import ClassVar

import pytest

from edgekd.config import load_project
from edgekd.distill.logs import trackers
from edgekd.distill.logs.trackers import open_trackers
from edgekd.distill.logs.training_events import ClassSliceEval, EpochSummary, TrainStep
from edgekd.errors import ConfigError, MissingExtraError, TrackerError
from edgekd.pipeline.context import Context

STEP = TrainStep(
    task="intent", epoch=1, global_step=20, batch_size=8, hard_ce=0.1, kd_kl_t2=0.4, total_loss=1,
    grad_norm=1, lr=0.5, throughput_samples_per_sec=7,
)  # fmt: skip
SUMMARY = EpochSummary(
    task="intent", student="small", teacher="big", epoch=1, train_loss=1, val_loss=2, val_accuracy=0.5
)
SLICE = ClassSliceEval(
    epoch=1, class_name="a", support=3, teacher_recall=1, student_recall=0.5, hard_label_weight=0.1,
    soft_label_weight=0.9,
)  # fmt: skip


class Recorder:
    """Stands for one of Accelerate's trackers."""

    made: ClassVar[list] = []

    def __init__(self, run, logging_dir=None) -> None:
        self.run, self.folder, self.told = run, logging_dir, []
        Recorder.made.append(self)

    def start(self) -> None:
        self.told.append("start")

    def log(self, values, step) -> None:
        self.told.append((step, values))

    def finish(self) -> None:
        self.told.append("finish")


@pytest.fixture
def installed(monkeypatch):
    """As if every tracker's library were here."""
    tracking = pytest.importorskip("accelerate.tracking")
    Recorder.made = []
    for name in ("TensorBoardTracker", "MLflowTracker", "WandBTracker"):
        monkeypatch.setattr(tracking, name, Recorder)
    monkeypatch.setattr(trackers, "find_spec", lambda name: object())


def test_off_by_default_and_nothing_is_imported(tmp_path):
    code = (
        "import sys; from pathlib import Path; from edgekd.distill.logs.trackers import open_trackers\n"
        "with open_trackers((), 'run', Path()) as send: pass\n"
        "assert not {'accelerate', 'torch', 'tensorboard'} & set(sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    with open_trackers((), "run", tmp_path) as send:
        send(STEP)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["tensorboard", "mlflow", "wandb"])
def test_missing_library_names_the_extra(tmp_path, monkeypatch, name):
    monkeypatch.setattr(trackers, "find_spec", lambda asked: None if asked == name else object())
    with (
        pytest.raises(
            MissingExtraError, match=rf'^{name} is not installed; run: pip install "edgekd\[{name}\]"$'
        ),
        open_trackers((name,), "run", tmp_path),
    ):
        pass


def test_figures_go_under_their_step(tmp_path, installed):
    with open_trackers(("tensorboard", "mlflow"), "small/cut-2l", tmp_path) as send:
        for event in (STEP, SLICE, SUMMARY):
            send(event)
    first, second = Recorder.made
    assert (first.run, first.folder, second.folder) == ("small/cut-2l", str(tmp_path), None)
    assert first.told == second.told
    start, (step, values), (epoch_step, epoch_values), finish = first.told
    assert (start, step, epoch_step, finish) == ("start", 20, 20, "finish")
    assert values["step/kd_kl_t2"] == 0.4 and "step/epoch" not in values and "step/task" not in values
    assert epoch_values == {"epoch/train_loss": 1, "epoch/val_loss": 2, "epoch/val_accuracy": 0.5}


def test_trackers_are_closed_when_training_fails(tmp_path, installed):
    with pytest.raises(ZeroDivisionError), open_trackers(("wandb",), "run", tmp_path):
        raise ZeroDivisionError
    assert Recorder.made[0].told == ["start", "finish"]


def test_tracker_that_cannot_be_opened_is_one_line(tmp_path, installed, monkeypatch):
    def fail(self) -> None:
        raise ConnectionError("no\nnetwork")

    monkeypatch.setattr(Recorder, "start", fail)
    with (
        pytest.raises(TrackerError, match=r"^tracking: wandb cannot be opened: no network; mend it"),
        open_trackers(("wandb",), "run", tmp_path),
    ):
        pass


@pytest.mark.skipif(importlib.util.find_spec("tensorboard") is None, reason="tensorboard is not installed")
def test_tensorboard_takes_figures(tmp_path):
    with open_trackers(("tensorboard",), "small/cut-2l", tmp_path) as send:
        send(STEP)
        send(SUMMARY)
    assert list((tmp_path / "small" / "cut-2l").glob("events.out.tfevents.*"))


@pytest.mark.skipif(importlib.util.find_spec("sqlalchemy") is None, reason="mlflow is not installed")
@pytest.mark.filterwarnings("ignore:.*noload.*")  # MLflow's own use of SQLAlchemy
@pytest.mark.long
def test_mlflow_takes_figures(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    with open_trackers(("mlflow",), "small/cut-2l", tmp_path) as send:
        send(STEP)
        send(SUMMARY)
    import mlflow

    (run,) = mlflow.search_runs(experiment_names=["small/cut-2l"], output_format="list")
    assert run.info.status == "FINISHED"
    assert (run.data.metrics["step/kd_kl_t2"], run.data.metrics["epoch/val_loss"]) == (0.4, 2)


def test_trackers_change_no_result(tmp_path):
    """A run is the same run with them: its directory is named by the digest of what decides its results."""
    (tmp_path / "p.yaml").write_text(
        "{name: p, data: {source: mangaassist}, slices: [{name: overall, margin: 1}], "
        "students: [static-256], targets: [lambda-x86]}"
    )
    plain, tracked = (
        Context(load_project(tmp_path / "p.yaml", settings), tmp_path, nullcontext, print)
        for settings in ((), ("tracking=[wandb]",))
    )
    assert plain.project.tracking == () and tracked.project.tracking == ("wandb",)
    assert plain.run_folder == tracked.run_folder
    with pytest.raises(ConfigError, match="tracker 'wandb' is listed twice"):
        load_project(tmp_path / "p.yaml", ["tracking=[wandb, wandb]"])


def test_figures_without_a_field_are_sent_by_name(tmp_path, installed):
    named = {
        "task": "urgency",
        "student": "small",
        "teacher": "big",
        "epoch": 1,
        "train_loss": 1,
        "val_loss": 2,
    }
    summary = EpochSummary(**named, val_figures={"gap": 0.5}, chosen_by="gap", is_higher_better=False)
    with open_trackers(("mlflow",), "run", tmp_path) as send:
        send(summary)
    _, (_, values), _ = Recorder.made[0].told
    assert values == {"epoch/train_loss": 1, "epoch/val_loss": 2, "epoch/val_figures/gap": 0.5}
