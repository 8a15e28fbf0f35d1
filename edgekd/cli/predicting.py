"""What `edgekd predict` calls: texts from the command line, from files and from standard input, answered."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from edgekd.cli.outcome import Outcome
from edgekd.compile import open_artifact
from edgekd.data.files import FORMATS
from edgekd.errors import ArtifactError, BadInputError, DataError, MissingRuntimeError, unknown_name
from edgekd.pipeline.needs import require_libraries
from edgekd.plugins import list_plugins
from edgekd.serving import ServingError, load
from edgekd.serving.request import describe_request, split_request
from edgekd.serving.respond import respond
from edgekd.single.bench import list_texts


def answer_texts(
    artifact: Path, given: Sequence[str], slices: tuple[str, ...], student_only: bool
) -> Outcome:
    """Answer texts with an artifact as it was judged: by its routing policy, where it has one.

    Each of `given` is a text, `@FILE` or `-`; see `read_given`.

    Raises:
        BadInputError: a text is empty, or an option is of a policy and the artifact has none.
    """
    opened, known = open_artifact(artifact), list_plugins("runtimes")
    if opened.runtime not in known:
        raise MissingRuntimeError(f"{artifact}: {unknown_name('runtime', opened.runtime, known)}")
    require_libraries((opened.runtime, "tokenizers"))
    texts = list(read_given(given))
    try:
        model = load(artifact, verify=False)
        for option, is_given in (("--slice", slices), ("--student-only", student_only)):
            if is_given and not model.routes:
                raise BadInputError(f"{option} is of a routing policy, and {artifact} has none; leave it out")
        requests = [model.parse(text) for text in texts]
        for text, request in zip(texts, requests, strict=True):
            _require_words(split_request(request)[0], f"the query of {text!r:.60}")
        answers = [respond(model, request, slices, student_only=student_only) for request in requests]
    except ServingError as error:
        raise ArtifactError(str(error)) from None
    lines = []
    for request, answer in zip(requests, answers, strict=True):
        if "order" in answer:
            candidates = split_request(request)[1]
            shown = [f"{candidates[place]}  {answer['scores'][place]:.3f}" for place in answer["order"]]
            lines += shown or ["there are no candidates to put in order"]
            continue
        if "labels" in answer:
            shown = [f"{label}  {answer['probabilities'][label]:.3f}" for label in answer["labels"]]
            lines.append("  ".join(shown) or "no label applies")
            continue
        routed = f"  {answer['action']} ({answer['reason']})" if "action" in answer else ""
        said = [value for name, value in answer.items() if name not in ("text", "action", "reason")]
        line = "  ".join(f"{value:.3f}" if isinstance(value, float) else str(value) for value in said)
        lines.append(f"{line}{routed}")
    return Outcome(tuple(lines), [{**answer, "model": opened.digest} for answer in answers])


def read_given(given: Sequence[str]) -> Iterator[str]:
    """Yield the texts that are meant: `-` stands for the lines of standard input, `@FILE` for a file's.

    A file that is a table (.jsonl, .csv, .parquet) gives its rows. `@@` at the beginning of a text is an @.

    Raises:
        BadInputError: a text is empty, or is not UTF-8.
        DataError: a file cannot be read or holds no text.
    """
    for place, word in enumerate(given, 1):
        if word == "-":
            yield from _read_lines(sys.stdin.buffer.read(), "standard input")
        elif word.startswith("@@") or not word.startswith("@"):
            text = word.removeprefix("@") if word.startswith("@@") else word
            _require_words(text, f"text {place}")
            yield text
        else:
            yield from _read_file(word.removeprefix("@"))


def _read_file(name: str) -> Iterator[str]:
    path = Path(name)
    if path.name.endswith(FORMATS):
        for request in list_texts(path):
            _require_words(split_request(request)[0], f"a row of {path}")
            query = describe_request(request)
            yield json.dumps(query) if "candidates" in query else request
        return
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"@{name}: {path} cannot be read ({error.strerror}); a text that starts with @ is written as @@"
        ) from None
    yield from _read_lines(data, str(path))


def _read_lines(data: bytes, source: str) -> Iterator[str]:
    try:
        lines = data.decode("utf-8-sig").replace("\r\n", "\n").rstrip().split("\n")
    except UnicodeDecodeError as error:
        raise DataError(f"{source}: is not UTF-8 at byte {error.start}; save it as UTF-8") from None
    if lines == [""]:
        raise DataError(f"{source}: holds no text; give one text per line")
    for number, line in enumerate(lines, 1):
        _require_words(line, f"{source}: line {number}")
        yield line


def _require_words(text: str, what: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BadInputError(f"{what} is not UTF-8; give its characters in UTF-8") from None
    if not any(character.isprintable() and not character.isspace() for character in text):
        raise BadInputError(f"{what} is empty; give a text with at least one character that can be seen")
