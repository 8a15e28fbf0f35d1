"""Errors of fact of teacher and students on validation rows, and what the filter leaves of claims."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgekd.config import Claims
from edgekd.curate.claims.check import check_claims
from edgekd.curate.claims.figures import Mask, measure_facts
from edgekd.curate.claims.verdict import CONTRADICTED, UNSUPPORTED
from edgekd.data.slices import slice_masks
from edgekd.data.taskdata import TaskData
from edgekd.distill.logs.facts import make_fact_event, make_share_event
from edgekd.engines.step import Step
from edgekd.pipeline.answering import read_answers, reference_step
from edgekd.pipeline.claims import claim_outputs
from edgekd.pipeline.context import Context
from edgekd.pipeline.opening import TEACHER
from edgekd.stats.proportion import wilson_interval
from edgekd.store import Stage, write_atomic

LOG = "facts.jsonl"


class _Said:
    """What one model claims of rows, and how that stands to the records.

    Attributes:
        wrong: of each row, the claims that records contradict.
        is_known: whether records speak of all that the row's claims rest on, shape [row].
        sure: how sure the model is of the likeliest of its wrong claims, shape [row].
    """

    def __init__(self, context: Context, rows: TaskData, outputs: npt.NDArray[Any], settings: Claims) -> None:
        from edgekd.distill.lists import list_requests

        examples, lists = list_requests(rows.requests)
        is_list = len(examples) != len(rows)
        flat = outputs[lists.places != -1][:, None] if is_list else outputs
        said = claim_outputs(context.task, flat, rows.requests, rows.outputs, settings.places)
        of_row = np.repeat(np.arange(len(lists)), lists.counts)[said.rows]
        claimed = type(said)(of_row, said.claims, said.confidence)
        checked = check_claims(rows.table, claimed, settings, context.folder)
        self.wrong: list[set[str]] = [set() for _ in range(len(rows))]
        self.is_known = np.ones(len(rows), np.bool_)
        self.is_known[of_row[checked.verdicts == UNSUPPORTED]] = False
        self.sure = np.zeros(len(rows))
        for claim in np.flatnonzero(checked.verdicts == CONTRADICTED).tolist():
            row = int(of_row[claim])
            self.wrong[row].add(said.claims[claim])
            self.sure[row] = max(self.sure[row], said.confidence[claim])

    @property
    def is_wrong(self) -> Mask:
        """Which rows have a claim that records contradict."""
        return np.array([bool(one) for one in self.wrong], np.bool_)


def write_facts(
    context: Context, data: TaskData, teacher: Step, students: Mapping[str, Step], claims: Stage
) -> None:
    """Write `distill_eval_slice` events into the run's folder: per student and slice, and of the targets.

    All rates of an event are over the same validation rows: those of whose claims, teacher's and student's
    alike, records can speak. An error of fact is a claim that records contradict.
    """
    settings, rows = context.project.claims, data.split("validation")
    assert settings is not None, "there is no stage of claims without settings"
    answers = {
        name: read_answers(context.engine.make(reference_step(context, step, name, "validation")).path, rows)
        for name, step in {TEACHER: teacher, **students}.items()
    }
    said = {name: _Said(context, rows, found.outputs, settings) for name, found in answers.items()}
    masks = slice_masks(rows, [entry for entry in context.project.slices if not entry.classes])
    events = _tell_targets(claims.path)
    for name in students:
        mine, theirs = said[name], said[TEACHER]
        same = np.array([bool(one & other) for one, other in zip(mine.wrong, theirs.wrong, strict=True)])
        confident = theirs.sure >= settings.confident
        for slice_name, mask in masks.items():
            chosen = mask & mine.is_known & theirs.is_known
            if chosen.any():
                facts = measure_facts(
                    theirs.is_wrong[chosen], mine.is_wrong[chosen], same[chosen], confident[chosen]
                )
                events.append(make_fact_event(slice_name, facts, name))
    text = "".join(event.model_dump_json(exclude_none=True) + "\n" for event in events)
    write_atomic(context.run_folder / "logs" / LOG, text)


def _tell_targets(folder: Path) -> list[Any]:
    """Tell which share of the checked claims records contradict before the filter, and after it."""
    counts = json.loads((folder / "logs" / "claims.json").read_text(encoding="utf-8"))["verdicts"]
    checked = sum(counts.values()) - counts["unchecked"]
    left = checked - counts["contradicted"]
    events = []
    if checked:
        events.append(make_share_event("none", wilson_interval(counts["contradicted"], checked), checked))
    if left:
        events.append(make_share_event("support", wilson_interval(0, left), left))
    return events
