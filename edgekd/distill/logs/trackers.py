"""Send a training's figures to TensorBoard, MLflow or Weights & Biases too, through Accelerate's trackers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from edgekd.distill.logs.event import Event
from edgekd.distill.logs.training_events import EpochSummary, SystemProfile, TrainStep
from edgekd.errors import MissingExtraError, TrackerError

_GROUPS: dict[type[Event], str] = {TrainStep: "step", EpochSummary: "epoch", SystemProfile: "profile"}
_PLACES = ("version", "time", "epoch", "global_step")


@contextmanager
def open_trackers(names: Sequence[str], run: str, folder: Path) -> Iterator[Callable[[Event], None]]:
    """Open trackers by name and yield what takes events; with no name nothing is imported or sent.

    Every figure is sent under the optimizer step it belongs to. TensorBoard writes to `folder`/`run`;
    MLflow and W&B go where their own settings say.

    Raises:
        MissingExtraError: if a tracker's library, or Accelerate, is not installed.
        TrackerError: if a tracker cannot be opened.
    """
    for name in names:
        for library in ("accelerate", name):
            if find_spec(library) is None:
                raise MissingExtraError(library, name)
    trackers = [_open(name, run, folder) for name in names]
    step = 0

    def send(event: Event) -> None:
        nonlocal step
        if isinstance(event, TrainStep):
            step = event.global_step
        if (group := _GROUPS.get(type(event))) is None:
            return
        values = {f"{group}/{key}": value for key, value in _list_figures(event)}
        for tracker in trackers:
            tracker.log(values, step=step)

    try:
        yield send
    finally:
        for tracker in trackers:
            tracker.finish()


def _open(name: str, run: str, folder: Path) -> Any:
    from accelerate import tracking

    try:
        if name == "tensorboard":
            tracker: Any = tracking.TensorBoardTracker(run, logging_dir=str(folder))
        elif name == "mlflow":
            tracker = tracking.MLflowTracker(run)
        else:
            tracker = tracking.WandBTracker(run)
        tracker.start()
    except Exception as error:  # noqa: BLE001  each library has errors of its own: no network, no account
        words = " ".join(str(error).split())[:200]
        raise TrackerError(f"tracking: {name} cannot be opened: {words}; mend it or take it out") from None
    return tracker


def _list_figures(event: Event) -> Iterator[tuple[str, float]]:
    """Yield an event's numbers by name; those that it holds by name under the name of their field."""
    for key, value in event:
        if isinstance(value, dict):
            yield from ((f"{key}/{name}", one) for name, one in value.items())
        elif key not in _PLACES and isinstance(value, int | float) and not isinstance(value, bool):
            yield key, value
