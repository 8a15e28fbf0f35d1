"""The programs and pages of a bundle, for its runtime."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill

from edgekd.bundle.deciding import NOT_RUN, describe_bias, describe_policy
from edgekd.bundle.mobile.settings import find_version
from edgekd.compile import Artifact
from edgekd.compile.artifact import read_fitted

_HERE = Path(__file__).parent
_PROGRAMS = ("reference", "android", "ios")
KIND = "mobile"


@dataclass(frozen=True)
class _Words:
    """What the pages say of a kind of answer.

    Attributes:
        labels: whether there is a file of labels.
        asked: an example of what is asked, as both languages write it.
        answer: lines of code that show what comes out.
        rows: when a golden row passes.
        turns: what the program of the answer does.
    """

    labels: bool
    asked: str
    answer: str
    rows: str
    turns: str

    @property
    def files(self) -> str:
        """Name the files that an app needs beside the model."""
        names = ["model.txt", "vocab.txt", "characters.txt", *(["labels.txt"] if self.labels else [])]
        return ", ".join(f"`{name}`" for name in names[:-1]) + f" and `{names[-1]}`"


_WORDS: Mapping[str, _Words] = {
    "classify": _Words(
        labels=True,
        asked='"where is my order?"',
        answer="answer.label        // as in labels.txt\n"
        "answer.probability  // softmax(logits / temperature), for thresholds of calibration.json",
        rows="token ids equal, logits within `tolerance`, label equal, probability within `tolerance`",
        turns="turns logits into a label",
    ),
    "score": _Words(
        labels=False,
        asked='"where is my order?"',
        answer="answer.score  // from 0 to 1: the sigmoid of the model's one output",
        rows="token ids equal, logit and score within `tolerance`",
        turns="turns the logit into a score",
    ),
    "rank": _Words(
        labels=False,
        asked='joinRequest("third volume", candidates)',
        answer="answer.order   // places of the candidates, from 0, the best first; equal ones as they came\n"
        "answer.scores  // of each candidate as it came; those of two queries do not compare",
        rows="token ids of every run equal, scores within `tolerance`, and the order, in which candidates "
        "whose golden scores differ by no more than twice the tolerance may change places",
        turns="makes runs of a query and its candidates, and their order",
    ),
}


def write_pages(artifact: Artifact, folder: Path, changed: int) -> None:
    """Copy the programs and write a page per platform, which shows the calls out of the files beside it.

    `changed` is how many golden texts there are whose label the bias decides.

    What names another runtime or head stays behind; what names this one loses the name: `Model.litert.kt`
    becomes `Model.kt` in a LiteRT bundle, `Answer.score.kt` becomes `Answer.kt` where a score is given.
    """
    for name in _PROGRAMS:
        (folder / name).mkdir()
        for path in sorted((_HERE / name).iterdir()):
            stem, *of, ending = path.name.split(".")
            if not of or of[0] in (artifact.runtime, artifact.head.name):
                shutil.copyfile(path, folder / name / f"{stem}.{ending}")
    calibration = read_fitted(artifact.path)
    words = _WORDS[artifact.head.name]
    values = {
        **{key: getattr(words, key) for key in ("asked", "answer", "rows", "turns")},
        "files": words.files,
        "version": find_version(artifact.runtime),
        "model": artifact.manifest["model"],
        "bias": _say_bias(calibration.bias, changed),
        "policy": f"{_fill(f'**{describe_policy(KIND, NOT_RUN)}**')}\n\n" if calibration.routing else "",
    }
    for path in sorted(_HERE.glob(f"*.{artifact.runtime}.md")):
        text = path.read_text(encoding="utf-8")
        for key, value in values.items():
            text = text.replace(f"{{{key}}}", value)
        text = re.sub(r"^\{\{(.+)\}\}\n", lambda found: _read(folder, found[1]), text, flags=re.MULTILINE)
        (folder / f"{path.name.partition('.')[0]}.md").write_text(text, encoding="utf-8", newline="\n")


def _say_bias(bias: Mapping[str, float], changed: int) -> str:
    """Say what the bias does and how many golden texts show it; empty where there is none."""
    said = describe_bias(bias)
    if not said:
        return ""
    shown = (
        f"{changed} of the golden texts have a label that the bias decides, so a port without it fails."
        if changed
        else "The bias decides the label of no text that was tried, so no golden text shows its effect."
    )
    return f"{_fill(f'{said} It stands in `model.txt` (`bias PLACE NUMBER`). {shown}')}\n\n"


def _fill(text: str) -> str:
    return fill(text, 115, break_on_hyphens=False, break_long_words=False)


def _read(folder: Path, name: str) -> str:
    return (folder / name).read_text(encoding="utf-8")
