"""Recompute a verdict from what is kept of it: raw samples and answers, not the figures derived from them."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgekd.config import Slice, Target
from edgekd.config.gates import Gates
from edgekd.data.taskdata import TaskData
from edgekd.errors import BadInputError, LedgerError
from edgekd.evaluate.arrays import Flags, Labels
from edgekd.evaluate.classify.routing import Routed
from edgekd.evaluate.predictions import Predictions, load_predictions, save_predictions
from edgekd.evaluate.record import Record
from edgekd.evaluate.scorer import JudgedRows
from edgekd.evaluate.teacher_floor import TeacherFloor
from edgekd.evaluate.verdicts import people_figures
from edgekd.gate.evidence import VariantEvidence
from edgekd.gate.figures import asked_figures
from edgekd.gate.ledger import LedgerEntry
from edgekd.gate.objects import object_path
from edgekd.gate.verdict import RULES, GateVerdict
from edgekd.measure.bench_file import load_bench
from edgekd.pipeline.answering import LOGITS, served_predictions
from edgekd.pipeline.bench import Bench
from edgekd.pipeline.deriving import Answered, Case, decide, derive_all
from edgekd.pipeline.trial import Trial
from edgekd.serving.calibrate import spread_bias
from edgekd.store import digest_file, parse_json, write_atomic
from edgekd.tasks import load_task

_ROWS = Path("evidence") / "rows"
_PEOPLE = Path("evidence") / "people"


@dataclass(frozen=True)
class Question(Record):
    """What a verdict answered, beside samples and answers: everything that `judge_target` was asked.

    Attributes:
        target, slices, gates: as in the project's files.
        variants: in the order in which they were compiled.
        order: the built ones in the order of testing.
        incumbent: digest of what was promoted then.
        names: each artifact's name in the measurement, by its digest.
        temperatures, biases: each variant's own.
        fp32: the reference that is each variant's own student in fp32, by variant; one without is left out.
        teacher_under: floors that the teacher missed on validation rows, whose answers are not kept.
        rules: of judging; see `edgekd.gate.verdict.RULES`.
        barred: artifacts that were taken back and could not be promoted again, with the reason.
        held: what the version served that keeps some of a variant's slices, by variant: its `labels` [row],
            and the places of the rows that it sent `to_teacher` or `refused`.
        task: name of the task whose scorer judged.
    """

    target: Target
    slices: tuple[Slice, ...]
    gates: Gates
    variants: tuple[str, ...]
    order: tuple[str, ...]
    incumbent: str | None
    labels: tuple[str, ...]
    names: Mapping[str, str]
    temperatures: Mapping[str, float]
    threads: int
    rules: int = 1
    biases: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    fp32: Mapping[str, str] | None = None
    teacher_under: tuple[TeacherFloor, ...] = ()
    barred: Mapping[str, str] = field(default_factory=dict)
    held: Mapping[str, Mapping[str, tuple[int, ...]]] = field(default_factory=dict)
    task: str = "intent"


def keep_held(held: Mapping[str, Routed | None]) -> dict[str, dict[str, tuple[int, ...]]]:
    """Write down what versions served that keep slices of variants, for `Question.held`."""
    return {
        name: {
            "labels": tuple(routed.labels.tolist()),
            "to_teacher": tuple(np.flatnonzero(routed.to_teacher).tolist()),
            "refused": tuple(np.flatnonzero(routed.refused).tolist()),
        }
        for name, routed in held.items()
        if routed is not None
    }


def _read_held(kept: Mapping[str, Sequence[int]] | None) -> Routed | None:
    if kept is None:
        return None
    labels = np.array(kept["labels"], np.int64)
    places = np.arange(len(labels))
    to_teacher, refused = (np.isin(places, kept[name]) for name in ("to_teacher", "refused"))
    return Routed(labels, to_teacher, refused, np.zeros(len(labels), np.bool_))


def write_question(folder: Path, question: Question) -> Path:
    """Write a target's question into the run directory; returns its file."""
    path = _question(folder, question.target.name)
    write_atomic(path, json.dumps(question.to_json(), indent=1, sort_keys=True))
    return path


def write_rows(
    folder: Path,
    test: TaskData,
    masks: Mapping[str, npt.NDArray[np.bool_]],
    references: Mapping[str, Predictions],
    traffic: npt.NDArray[np.bool_] | None = None,
) -> Path:
    """Write the truth, the slices and the references' answers of the test rows; returns their folder.

    Texts are kept too, for the rules of a routing policy read them.
    """
    rows = folder / _ROWS
    rows.mkdir(parents=True, exist_ok=True)
    known = {
        "ids": test.ids,
        "truth": test.targets.tolist(),
        "texts": test.texts,
        "masks": {name: np.flatnonzero(mask).tolist() for name, mask in masks.items()},
        "traffic": None if traffic is None else np.flatnonzero(traffic).tolist(),
    }
    write_atomic(rows / "rows.json", json.dumps(known, ensure_ascii=False))
    for name, predictions in references.items():
        save_predictions(predictions, test.ids, rows / f"{name}.npy")
    return rows


def write_people(folder: Path, gates: Gates, project: Path) -> list[Path]:
    """Keep the files of people's verdicts that a limit reads; `project` is the project's folder."""
    kept = []
    for name in gates.verdicts.keys() & set(asked_figures(gates)):
        path = project / gates.verdicts[name]
        kept.append(folder / _PEOPLE / f"{name}{path.suffix}")
        write_atomic(kept[-1], path.read_text(encoding="utf-8"))
    return kept


def replay(registry: Path, entry: LedgerEntry) -> tuple[GateVerdict, tuple[str, ...]]:
    """Recompute an entry's verdict; also return what came out otherwise than it was kept.

    If anything did, and the rules of judging have changed since, they are named first.

    Raises:
        LedgerError: a file that the entry names is missing or changed.
        BadInputError: the entry is of a run that kept no question, or is a rollback.
    """
    if entry.event == "rollback":
        raise BadInputError(f"line {entry.sequence} is a rollback: it rests on no verdict; give a promotion")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for name, digest in entry.evidence.items():
            _lay_out(registry, entry, name, digest, folder)
        if not _question(folder, entry.target).is_file():
            raise BadInputError(f"line {entry.sequence}: its run kept no question to replay; run it again")
        with _as_written(entry):
            question = Question.from_json(parse_json(_question(folder, entry.target).read_text("utf-8")))
            verdict, differing = _judge(folder, question)
    if question.rules != RULES and (differing or verdict.digest != entry.verdict_digest):
        differing = (f"the rules of judging ({question.rules} then, {RULES} now)", *differing)
    return verdict, differing


@dataclass(frozen=True, eq=False)
class Kept:
    """What the ledger keeps of a promoted variant's test: the rows, and what it and its teacher answered."""

    slices: tuple[Slice, ...]
    labels: tuple[str, ...]
    truth: Labels
    masks: Mapping[str, Flags]
    answers: Predictions
    teacher: Predictions


def read_kept(registry: Path, entry: LedgerEntry) -> Kept | None:
    """Read the answers that a promotion rests on; None where its run kept none.

    Raises:
        LedgerError: a file that the entry names is missing or changed.
    """
    answers = Path("evidence") / entry.target / entry.variant / LOGITS
    needed = [answers, _ROWS / "rows.json", _ROWS / "teacher.npy", _question(Path(), entry.target)]
    if any(path.as_posix() not in entry.evidence for path in needed):
        return None
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for path in needed:
            for name in (path.as_posix(), f"{path.as_posix()}.json"):  # predictions have a note beside them
                if name in entry.evidence:
                    _lay_out(registry, entry, name, entry.evidence[name], folder)
        with _as_written(entry):
            question = Question.from_json(parse_json((folder / needed[3]).read_text(encoding="utf-8")))
            rows = _read_rows(folder)
            return Kept(
                question.slices,
                question.labels,
                rows.truth,
                rows.masks,
                load_predictions(folder / answers, rows.ids),
                load_predictions(folder / _ROWS / "teacher.npy", rows.ids),
            )


@contextmanager
def _as_written(entry: LedgerEntry) -> Iterator[None]:
    """Refuse files that have the digests which an entry names, and are not as edgekd writes them."""
    try:
        yield
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        words = f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"
        raise LedgerError(
            f"line {entry.sequence}: the files that it rests on are not as edgekd writes them ({words}); "
            "restore them"
        ) from None


def _lay_out(registry: Path, entry: LedgerEntry, name: str, digest: str, folder: Path) -> None:
    source, place = object_path(registry, digest), folder / name
    if not place.resolve().is_relative_to(folder.resolve()):
        raise LedgerError(f"line {entry.sequence}: {name!r} is no path inside a run; restore the ledger")
    if not source.is_file() or digest_file(source) != digest:
        raise LedgerError(f"line {entry.sequence}: {name}: {source} is missing or was changed; restore it")
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, place)
    except OSError:
        shutil.copyfile(source, place)


def _judge(folder: Path, question: Question) -> tuple[GateVerdict, tuple[str, ...]]:
    rows = _read_rows(folder)
    ids = rows.ids
    measured = load_bench(folder / "evidence" / "bench" / f"{question.threads}-threads")
    trial = Trial(
        rows=JudgedRows(rows.truth, question.labels, question.slices, rows.masks, rows.traffic),
        texts=rows.texts,
        scorer=load_task(question.task).scorer,
        gates=question.gates,
        references={path.stem: load_predictions(path, ids) for path in (folder / _ROWS).glob("*.npy")},
        bench=Bench(measured, dict(question.names)),
        people=people_figures(
            {path.stem: path for path in (folder / _PEOPLE).glob("*")}, asked_figures(question.gates)
        ),
    )
    records = sorted((folder / "evidence" / question.target.name).glob("*.json"))
    kept = [VariantEvidence.from_json(parse_json(path.read_text(encoding="utf-8"))) for path in records]
    kept.sort(key=lambda entry: question.variants.index(entry.variant))
    entries = [(entry, _read_answered(folder, question, entry, trial, ids)) for entry in kept]
    evidence, served = derive_all(trial, entries)
    case = Case(question.target, question.incumbent, question.order, question.barred, question.teacher_under)
    return decide(trial, case, evidence, served), _compare(kept, evidence)


def _read_answered(
    folder: Path, question: Question, kept: VariantEvidence, trial: Trial, ids: list[str]
) -> Answered | None:
    if not kept.built:
        return None
    bias = spread_bias(dict(question.biases.get(kept.variant, {})), question.labels)
    temperature = question.temperatures[kept.variant]
    own = load_predictions(folder / "evidence" / question.target.name / kept.variant / LOGITS, ids)
    return Answered(
        served_predictions(kept.artifact_digest, own, temperature, bias),
        temperature,
        None if kept.routing is None else kept.routing.policy,
        _own_student(question, kept, trial),
        _read_held(question.held.get(kept.variant)),
    )


def _compare(kept: Sequence[VariantEvidence], derived: Sequence[VariantEvidence]) -> tuple[str, ...]:
    """Name what comes out otherwise than it was kept, by the variant's name."""
    found = []
    for before, after in sorted(zip(kept, derived, strict=True), key=lambda pair: pair[0].variant):
        old, new = before.to_json(), after.to_json()
        found += [f"{before.variant}: {name}" for name in old if old[name] != new[name]]
    return tuple(found)


@dataclass(frozen=True, eq=False)
class _Rows:
    ids: list[str]
    texts: list[str]
    truth: Labels
    masks: dict[str, Flags]
    traffic: Flags | None


def _read_rows(folder: Path) -> _Rows:
    """Read what `write_rows` wrote."""
    known = parse_json((folder / _ROWS / "rows.json").read_text(encoding="utf-8"))
    places = np.arange(len(known["ids"]))
    masks = {name: np.isin(places, picked) for name, picked in known["masks"].items()}
    traffic = np.isin(places, known["traffic"]) if known.get("traffic") else None
    return _Rows(known["ids"], known["texts"], np.array(known["truth"]), masks, traffic)


def _own_student(question: Question, kept: VariantEvidence, trial: Trial) -> str | None:
    """Name the reference that a variant's fp32 drop was taken against; before rules 3 it went by name."""
    if question.fp32 is None:
        return kept.student if kept.student in trial.references else None
    return question.fp32.get(kept.variant)


def _question(folder: Path, target: str) -> Path:
    return folder / "evidence" / "questions" / f"{target}.json"
