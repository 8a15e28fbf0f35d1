"""What an app ships, what it must do with it, and the proof that its port does: Android and iOS.

The model is taken as it is. Its tokenizer goes into lines of text, with one program each in C, Kotlin and
Swift that reads them; `golden.tsv` holds 200 texts, or queries with candidates, with what the artifact
answers, and the C program checks it on the runtime's own C interface, without Python.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from edgekd.bundle.deciding import NOT_RUN
from edgekd.bundle.mobile.golden import HEADS, choose_changed, choose_golden, find_range, list_answers
from edgekd.bundle.mobile.pages import write_pages
from edgekd.bundle.mobile.settings import list_settings
from edgekd.bundle.mobile.tables import list_tokens, read_tokenizer, write_lines
from edgekd.compile import Artifact
from edgekd.config import Target
from edgekd.errors import ArtifactError
from edgekd.serving import ServingError, load
from edgekd.serving.characters import NAME as CHARACTERS
from edgekd.serving.heads import takes_candidates

__all__ = ["HEADS", "POLICY", "RUNTIMES", "build"]
RUNTIMES = ("onnxruntime", "litert")
POLICY = NOT_RUN


def build(artifact: Artifact, target: Target, folder: Path, texts: Sequence[str]) -> None:
    """Write the bundle; its golden answers are those that the artifact gives here.

    Raises:
        BadInputError: the tokenizer is not WordPiece, or a token or label cannot be a line; or it takes two
            models in turn.
        ArtifactError: the artifact does not open here.
    """
    tokenizer = read_tokenizer(artifact)
    tokens = list_tokens(tokenizer)
    try:
        model = load(artifact.path, threads=target.threads, verify=False)
    except ServingError as error:
        raise ArtifactError(str(error)) from None
    write_lines(folder / "vocab.txt", tokens)
    head = artifact.head
    changed = choose_changed(model, texts, tokens)
    golden = choose_golden(model, texts, tokens, changed)
    score_range = find_range(model, golden) if takes_candidates(head) else None
    settings = list(list_settings(artifact, tokenizer, score_range))
    if head.labels:
        write_lines(folder / "labels.txt", head.labels, without="\n\r\t\0")
    write_lines(folder / "model.txt", settings, without="\n\0")
    write_lines(folder / "golden.tsv", list_answers(model, golden))
    for name in (artifact.manifest["model"], CHARACTERS, *(["calibration.json"] if head.labels else [])):
        shutil.copyfile(artifact.path / name, folder / name)
    write_pages(artifact, folder, len(changed))
