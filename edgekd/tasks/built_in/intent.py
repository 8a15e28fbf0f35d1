"""Intent: a text in, one of a known few labels out."""

from __future__ import annotations

from edgekd.data.class_reader import CLASSES
from edgekd.evaluate.classify.scorer import CLASS_SCORER
from edgekd.tasks.claimed import claim_classes
from edgekd.tasks.learning import ClassLearning
from edgekd.tasks.task import Task
from edgekd.words import CLASSIFY

TASK = Task(
    name="intent",
    head="classify",
    learning=ClassLearning(),
    reader=CLASSES,
    scorer=CLASS_SCORER,
    words=CLASSIFY,
    claim=claim_classes,
)
