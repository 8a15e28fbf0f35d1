"""What a promotion replaces or takes back: what is promoted now, and what passes instead."""

from __future__ import annotations

from edgekd.compile import Artifact, open_artifact
from edgekd.config import Target
from edgekd.data.taskdata import TaskData
from edgekd.errors import ArtifactError, StaleError
from edgekd.evaluate.predictions import Predictions
from edgekd.gate.check import combine
from edgekd.gate.checks import check_slices
from edgekd.gate.history import read_history
from edgekd.gate.settling import current, settle
from edgekd.gate.versions import SHORT, version_folder
from edgekd.pipeline.answering import answer_stage
from edgekd.pipeline.bench import Bench
from edgekd.pipeline.context import Context
from edgekd.pipeline.deriving import judge_answers
from edgekd.pipeline.holding import find_held
from edgekd.pipeline.judging import count_seen, open_trial, read_answered


def find_promoted(context: Context, target: Target, expects: str | None = None) -> str | None:
    """Return the digest of what is promoted for a target, after completing what a killed call had decided.

    `expects` is what a person expects to be promoted: a digest, its beginning, or `none`.

    Raises:
        StaleError: something else is promoted than what the person expects.
    """
    project = context.project.name
    if read_history(context.registry, project, target.name).entries:
        settle(context.registry, project, target.name)
    found = current(context.registry, project, target.name)
    digest = None if found is None else found[0]
    if expects is not None and not (digest.startswith(expects) if digest else expects == "none"):
        raise StaleError(
            f"{target.name}: expected {expects} to be promoted, but it is {(digest or 'none')[:SHORT]}; "
            "look at it, then run this again"
        )
    return digest


def find_passing_version(
    context: Context, test: TaskData, target: Target, bench: Bench, references: dict[str, Predictions]
) -> Artifact | None:
    """Return the last version before the current one that passes every slice on today's test rows.

    Versions that were taken back are passed over, and those that know other labels or were made from texts
    that are test texts today. Time and memory are not measured anew.
    """
    history = read_history(context.registry, context.project.name, target.name)
    place = context.registry / context.project.name / target.name
    earlier = {entry.artifact_digest: entry.model for entry in reversed(history.stack[:-1])}
    trial = open_trial(context, test, references, bench)
    for digest, model in earlier.items():
        if history.took_back(digest, model) or digest == history.current:
            continue
        try:
            artifact = open_artifact(version_folder(place, digest))
        except ArtifactError as error:
            context.note(f"{target.name}: an earlier version is damaged and is passed over: {error}")
            continue
        if not context.task.takes(artifact.head, test.outputs):
            continue
        if count_seen(context, target, artifact, test.texts):
            continue
        folder = answer_stage(context, artifact).path
        held = find_held(context, target, test, artifact, trial.scorer.serve(references["teacher"]), "answer")
        answered = read_answered(artifact, folder, test, references, held)
        evaluation, routing, _ = judge_answers(trial, digest, answered)
        judged = evaluation.slices if routing is None else tuple(one.quality for one in routing.slices)
        if combine(check_slices(judged)) == "pass":
            return artifact
    return None
