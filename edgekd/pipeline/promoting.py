"""Write the verdicts and their evidence, and promote."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from edgekd.compile import open_artifact
from edgekd.compile.artifact import read_fitted
from edgekd.data.slices import select_traffic, slice_masks
from edgekd.data.taskdata import SPLITS, TaskData
from edgekd.evaluate.predictions import Predictions
from edgekd.gate.conditions import make_conditions
from edgekd.gate.entry import Provenance
from edgekd.gate.history import find_place
from edgekd.gate.learned import keep_learned
from edgekd.gate.objects import keep_objects
from edgekd.gate.promotion import Candidate, promote, record_no_promotion, settle
from edgekd.gate.rows import add_rows
from edgekd.gate.terms import Terms
from edgekd.gate.verdict import RULES
from edgekd.gate.withdrawal import find_harm, withdraw
from edgekd.pipeline.bench import Bench
from edgekd.pipeline.context import Context
from edgekd.pipeline.judging import Judged
from edgekd.pipeline.replaying import Question, keep_held, write_people, write_question, write_rows
from edgekd.pipeline.rundir import digest_evidence, place_files, write_record
from edgekd.pipeline.withdrawing import find_passing_version
from edgekd.store import locked


def write_evidence(
    context: Context, test: TaskData, judged: Judged, bench: Bench, references: dict[str, Predictions]
) -> dict[str, str]:
    """Put a target's artifacts, evidence and verdict into the run directory; return the digests.

    With what was asked of the gate, so that the verdict can be recomputed.
    """
    assert bench.stage is not None
    folder, target = context.run_folder, judged.target.name
    artifacts = folder / "artifacts" / target
    evidence = folder / "evidence" / target
    bench_folder = folder / "evidence" / bench.stage.name
    place_files(bench.stage.path, bench_folder)
    kept = set()
    records, folders = [], [bench_folder]
    for variant, found in zip(judged.variants, judged.evidence, strict=True):
        if variant.artifact is not None:
            place_files(variant.artifact.path, artifacts / variant.name)
            kept.add(variant.name)
            place_files(judged.answers[variant.name], evidence / variant.name)
            folders.append(evidence / variant.name)
        records.append(evidence / f"{variant.name}.json")
        write_record(records[-1], found)
    for path in artifacts.glob("*"):
        if path.name not in kept:
            shutil.rmtree(path)
    records.append(write_question(folder, _question(context, test, judged, bench)))
    traffic = select_traffic(test, context.project.data.sample)
    masks = slice_masks(test, context.project.slices)
    folders.append(write_rows(folder, test, masks, references, traffic))
    records += write_people(folder, context.project.gates, context.folder)
    verdict = folder / "verdicts" / f"{target}.json"
    write_record(verdict, judged.verdict)
    return digest_evidence(context, folders, records)


def _question(context: Context, test: TaskData, judged: Judged, bench: Bench) -> Question:
    built = {v.name: v.artifact for v in judged.variants if v.artifact}
    calibrations = {name: read_fitted(a.path) for name, a in built.items()}
    return Question(
        target=judged.target,
        slices=context.project.slices,
        gates=context.project.gates,
        variants=tuple(entry.variant for entry in judged.evidence),
        order=judged.order,
        incumbent=judged.incumbent,
        labels=test.outputs,
        names={artifact.digest: bench.names[artifact.digest] for artifact in built.values()},
        temperatures={name: known.temperature for name, known in calibrations.items()},
        biases={name: known.bias for name, known in calibrations.items() if known.bias},
        threads=judged.target.threads,
        rules=RULES,
        fp32=judged.fp32,
        teacher_under=judged.verdict.teacher_under,
        barred=judged.barred,
        held=keep_held(judged.held),
        task=context.project.task,
    )


@dataclass(frozen=True)
class Word:
    """What a person says of a promotion.

    Attributes:
        again: what was taken back may be promoted again.
        expects: what must be promoted now: a digest, its beginning, or `none`; None leaves it open.
    """

    again: bool = False
    expects: str | None = None


SILENT = Word()


def promote_target(
    context: Context,
    data: TaskData,
    judged: Judged,
    bench: Bench,
    evidence: dict[str, str],
    references: dict[str, Predictions],
    expects: str | None,
    again: bool = False,
) -> None:
    """Promote the chosen variant, or write down that there is none and withdraw a harmful incumbent.

    `expects` is the digest of what was promoted before anything was measured.

    Raises:
        StaleError: something else is promoted by now.
    """
    project, target = context.project.name, judged.target.name
    keep_objects(context.registry, context.run_folder, evidence)
    provenance = Provenance(evidence, data.digest, context.project.seed, bench.result.environment.fingerprint)
    # By its digest, for good: the run's own verdict is written anew when the incumbent has changed.
    verdicts = context.registry / project / target / "verdicts"
    name = f"{judged.verdict.digest[:12]}.json"
    write_record(verdicts / name, judged.verdict)
    place = find_place(context.registry, project, target)
    with locked(place / ".lock"):  # before the decision: what is taken back later was judged on these rows
        add_rows(place, judged.rows)
    harm = find_harm(judged.verdict, judged.incumbent, judged.rows)
    digest = judged.verdict.promoted_digest
    for found in judged.evidence:
        if digest is not None and found.artifact_digest == digest:
            write_record(verdicts.with_name("evidence") / name, found)  # for the model card
    if digest is None:
        settle(context.registry, project, target)
        if harm is None or expects is None:
            record_no_promotion(context.registry, project, judged.verdict, provenance)
            return
        back = find_passing_version(context, data.split("test"), judged.target, bench, references)
        back_to = None if back is None else back.digest
        withdraw(
            context.registry, project, judged.verdict, provenance, expects=expects, harm=harm, back_to=back_to
        )
        instead = f"{back_to[:12]} is promoted again" if back_to else "nothing is promoted now"
        context.note(f"{target}: {expects[:12]} is withdrawn, as it {harm.reason}; {instead}")
        return
    chosen = next(v.artifact for v in judged.variants if v.artifact and v.artifact.digest == digest)
    winner = next(e for e in judged.evidence if e.artifact_digest == digest)
    conditions = make_conditions(context.project.slices, judged.target, context.project.gates, winner.judged)
    texts = (data.split(name).texts for name in SPLITS if name != "test")
    learned = keep_learned(context.registry, chain.from_iterable(texts))
    promote(
        context.registry,
        project,
        target,
        Candidate(chosen.path, digest, digest_artifact),
        judged.verdict,
        provenance,
        expects=expects,
        terms=Terms(conditions, judged.rows, again, harm, chosen.answers_digest, learned),
    )


def digest_artifact(folder: Path) -> str:
    """Return an artifact folder's digest, after checking every file in it."""
    return open_artifact(folder).digest
