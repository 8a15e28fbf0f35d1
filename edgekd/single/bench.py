"""Measure one artifact, or compare two, apart from any project."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekd.ci.artifacts import artifact_pair, artifact_subject
from edgekd.compile import Artifact, open_artifact
from edgekd.config import Data
from edgekd.data.files import read_rows
from edgekd.data.load import load_data
from edgekd.errors import DataError
from edgekd.measure.compare import COMPARE_PLAN, Comparison, Until, compare_subjects
from edgekd.measure.device import Device
from edgekd.measure.plan import MeasurePlan
from edgekd.measure.result import BenchResult
from edgekd.measure.scenarios.buckets import Buckets, split_by_length
from edgekd.measure.session import measure_subjects
from edgekd.measure.verdict import P50_RULE, Rule
from edgekd.progress import Progress
from edgekd.serving.heads import open_reader
from edgekd.serving.request import join_request

MOST_TEXTS = 300
_Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Texts:
    """What is answered, and where it is from."""

    texts: tuple[str, ...]
    source: str


def read_texts(path: Path | None) -> Texts:
    """Read texts to answer: one per line (.txt), or the column `text` of rows; without a file, built-in ones.

    Rows with the column `candidates`, a list of texts, are requests; their query is the column `query`, or
    `text`. At most 300 rows are taken, spread over the file.

    Raises:
        DataError: if there is no such file, or no text in it.
    """
    if path is None:
        options = {"unlabelled": 0, "test": 300, "critical": 20}
        rows = load_data(Data(source="mangaassist", options=options), Path())
        return Texts(_spread(rows.split("validation").requests), "built-in MangaAssist messages")
    return Texts(_spread(list_texts(path)), str(path))


def list_texts(path: Path) -> list[str]:
    """Read all texts or requests of a file, as `read_texts` says; those that are empty are left out.

    Raises:
        DataError: if there is no such file, or no text in it.
    """
    if path.suffix == ".txt":
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(
                f"{path}: cannot be read as UTF-8 text ({error}); give one text per line"
            ) from None
        texts = [line for line in lines if line.strip()]
    else:
        rows = read_rows({"": path}, ("text",))[""]
        names = tuple(dict.fromkeys(name for row in rows for name in row))
        texts = (_read_requests if "candidates" in names else _read_column)(path, rows, names)
    if not texts:
        raise DataError(f"{path}: holds no text; give one text per line, or rows with a column 'text'")
    return texts


def _read_column(path: Path, rows: _Rows, names: Sequence[str]) -> list[str]:
    if "text" not in names:
        raise DataError(f"{path}: expected a column 'text', found {', '.join(names)}")
    return [
        text for number, row in enumerate(rows, start=1) if (text := _read_text(path, number, row, "text"))
    ]


def _read_requests(path: Path, rows: _Rows, names: Sequence[str]) -> list[str]:
    query = next((name for name in ("query", "text") if name in names), None)
    if query is None:
        raise DataError(f"{path}: expected a column 'query' beside 'candidates', found neither it nor 'text'")
    requests = []
    for number, row in enumerate(rows, start=1):
        candidates = row.get("candidates")
        if not isinstance(candidates, list) or not all(isinstance(one, str) for one in candidates):
            raise DataError(
                f"{path}: row {number}: candidates: expected a list of texts, got {candidates!r:.60}"
            )
        text = _read_text(path, number, row, query)
        if text and candidates:
            requests.append(join_request(text, candidates))
    return requests


def _read_text(path: Path, number: int, row: Mapping[str, Any], name: str) -> str:
    """Return the text of a row; an empty one where there is none."""
    text = row.get(name)
    if text is None or text != text:  # NaN
        return ""
    if not isinstance(text, str):
        raise DataError(f"{path}: row {number}: column {name} must be text, got {text!r:.60}")
    return text


def bench_artifact(
    artifact: Artifact,
    texts: Texts,
    folder: Path,
    plan: MeasurePlan,
    progress: Progress,
    device: Device | None = None,
) -> BenchResult:
    """Measure one artifact in fresh processes; samples are kept in `folder`."""
    subject = artifact_subject(artifact, plan.threads)
    return measure_subjects([subject], texts.texts, folder, plan, progress, device=device)


def compare_artifacts(
    candidate: Artifact,
    baseline: Artifact,
    texts: Texts,
    folder: Path,
    *,
    effect: float,
    progress: Progress,
    plan: MeasurePlan = COMPARE_PLAN,
    device: Device | None = None,
) -> Comparison:
    """Compare two artifacts, each with its own loader; at most 20 seconds.

    `effect` is the smallest change of p50 that is to be found, as a share; a third of it is no change yet.

    Raises:
        BadInputError: if the two do not answer with the same labels.
    """
    one, other = artifact_pair(candidate, baseline, plan.threads)
    return compare_subjects(
        one,
        other,
        texts.texts,
        folder,
        plan=plan,
        until=Until(Rule(effect, effect * P50_RULE.guard / P50_RULE.effect)),
        device=device,
        on_progress=progress,
    )


def token_buckets(artifact: Artifact, texts: Texts) -> Buckets:
    """Split the texts by how many tokens the artifact makes of them, in all runs that a text takes."""
    read = open_reader(artifact.path / "tokenizer.json", artifact.manifest["max_tokens"], artifact.head)
    return split_by_length(texts.texts, [sum(map(len, read(text))) for text in texts.texts], "tokens")


def streams_of(artifact: Artifact) -> int:
    """Return how many texts an artifact works on at once."""
    return int(artifact.manifest.get("streams", 1))


def open_for_bench(path: Path) -> Artifact:
    """Open and verify an artifact's folder, following links to it."""
    return open_artifact(path.resolve())


def _spread(texts: Sequence[str]) -> tuple[str, ...]:
    step = max(1, len(texts) // MOST_TEXTS)
    return tuple(texts[::step][:MOST_TEXTS])
