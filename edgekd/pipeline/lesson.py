"""What a model learns from its teacher with: rows, what the teacher says of them, and how training goes."""

from __future__ import annotations

from pathlib import Path

from edgekd.config import Distillation, Slice
from edgekd.distill.examples import Examples, Lesson, Session
from edgekd.distill.softlabels import open_soft_labels
from edgekd.distill.training.limits import list_limits
from edgekd.distill.trusting import trust_targets
from edgekd.distill.weighing import bound_soft, weigh_ambiguous, weigh_rows
from edgekd.engines.step import Inputs, Settings
from edgekd.pipeline.answering import read_answers
from edgekd.pipeline.claims import read_trust
from edgekd.pipeline.labelling import open_store
from edgekd.pipeline.opening import open_rows, open_task


def gather_lesson(settings: Settings, inputs: Inputs) -> Lesson:
    """Gather targets and what the teacher says of the same rows."""
    data, how = open_rows(inputs["rows"].path), Distillation.model_validate(settings["distillation"])
    train, rows = data.split("train"), data.split("validation")
    store = open_store(Path(settings["labels"]), inputs["teacher"].digest, data)
    learner = open_task(inputs["rows"].path).learning.as_taught(data.outputs, how, settings["critical"])
    learn = open_soft_labels(inputs["texts"].path, train.targets, store, learner)
    by_target, more = learner.weigh(train.targets), len(learn.texts) - len(train)
    weighing = weigh_rows(train, how, "distillation", by_target=by_target, unlabelled=more)
    if how.alpha_of_slice:
        slices = [Slice.model_validate(entry) for entry in settings["slices"]]
        weighing = bound_soft(weighing, train, slices, how.alpha_of_slice, more)
    if how.ambiguous is not None:
        assert learn.taught is not None, "a student's rows have labels of its teacher"
        weighing = weigh_ambiguous(weighing, how.ambiguous, learn.taught, train)
    if "claims" in inputs:
        learn, weighing = trust_targets(learn, weighing, read_trust(inputs["claims"].path), learner)
    taught = read_answers(inputs["validation"].path, rows).outputs
    validation = Examples(rows.requests, rows.targets, taught)
    return Lesson(learner, learn, validation, weighing, list_limits(how.checkpoint))


def describe_session(task: str, settings: Settings) -> Session:
    """Return how a training goes, whatever it learns."""
    return Session(task, settings["seed"], settings["threads"], settings["checkpoint_seconds"])
