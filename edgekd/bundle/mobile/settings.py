"""`model.txt`: what a port needs to know, one `key value` a line, so that C reads it without a library."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from edgekd.compile import Artifact
from edgekd.errors import BadInputError
from edgekd.serving.calibrate import read_calibration
from edgekd.serving.heads import takes_candidates
from edgekd.serving.heads.rank import FIRST
from edgekd.serving.pairs import read_template
from edgekd.serving.wordpiece import added_tokens, cuts_left, special_ids

# How far a logit may lie from the golden one. On the same kind of processor the same library gives the same
# logits; arm64's, emulated, were up to .04 (LiteRT) and .14 (ONNX Runtime) away (docs/mobile.md).
_TOLERANCE = {"litert": 0.05, "onnxruntime": 0.15}
_PAIR = ("pair_before", "pair_between", "pair_after")
_OF_RANGE = 0.01
"""Scores of candidates have no size of their own: so much of their range, as of a server's golden answers."""


def list_settings(
    artifact: Artifact, tokenizer: Mapping[str, Any], score_range: float | None = None
) -> Iterator[str]:
    """List the lines; bundle/mobile/reference/settings.h says what each one means.

    `score_range` is of all candidates' golden scores, where the model gives such.

    Raises:
        BadInputError: a text of no tokens of its own would fill the model; or long texts lose their start; or
            a ranking takes two models in turn.
    """
    manifest, model = artifact.manifest, tokenizer["model"]
    special, added = special_ids(tokenizer), added_tokens(tokenizer)
    assert special is not None and added is not None  # else there is no characters.txt
    before, after = special
    if cuts_left(tokenizer):
        raise BadInputError(
            f"{artifact.path}: its tokenizer cuts off the beginning of long texts, and the bundle's own the "
            "end; take another bundle, as lambda-zip"
        )
    if manifest["max_tokens"] <= len(before) + len(after):
        raise BadInputError(
            f"{artifact.path}: max_tokens is {manifest['max_tokens']}, expected more than the "
            f"{len(before) + len(after)} special tokens of every text; compile it with more"
        )
    head = artifact.head
    if FIRST in manifest:
        raise BadInputError(
            f"{artifact.path}: is two models in turn, and the mobile bundle's programs run one; take another "
            "bundle, as lambda-zip, or an artifact that is one model"
        )
    yield f"artifact {artifact.digest}"
    yield f"head {head.name}"
    yield f"runtime {artifact.runtime}"
    yield f"version {find_version(artifact.runtime)}"
    yield f"model {manifest['model']}"
    yield f"input {manifest['input']['name']}"
    yield f"output {manifest['output']['name']}"
    if artifact.runtime == "litert":
        yield "type int32"
        yield "mask mask"
        # As serving/runtimes/litert.py opens it.
        yield f"kernels {'builtin' if manifest['student_kind'] == 'static' else 'xnnpack'}"
        for tokens, index, name in sorted(_list_signatures(artifact.path / manifest["model"])):
            yield f"signature {tokens} {index} {name}"
    else:
        yield "type int64"
    yield f"max_tokens {manifest['max_tokens']}"
    if head.towers:
        yield f"towers {head.towers}"
        yield f"separator {head.separator}"
    elif takes_candidates(head):
        for key, ids in zip(_PAIR, read_template(artifact.path / "tokenizer.json"), strict=True):
            yield from (f"{key} {number}" for number in ids)
        if head.cut:
            yield f"cut {head.cut}"
    else:
        yield from (f"before {number}" for number in before)
        yield from (f"after {number}" for number in after)
    yield f"unknown {model['vocab'][model['unk_token']]}"
    yield f"prefix {model['continuing_subword_prefix']}"
    yield f"longest_word {model['max_input_chars_per_word']}"
    for token in sorted(added[1], key=len, reverse=True):
        yield f"added {added[1][token]} {token}"
    if head.labels:
        calibration = read_calibration(artifact.path / "calibration.json")
        yield f"temperature {calibration.temperature!r}"
        for place, label in enumerate(head.labels):
            if number := calibration.bias.get(label):
                yield f"bias {place} {number!r}"
    tolerance = _TOLERANCE[artifact.runtime] if score_range is None else _OF_RANGE * score_range
    yield f"tolerance {tolerance!r}"


def find_version(runtime: str) -> str:
    """Return the version of the library that answers here; it has opened the artifact."""
    found: str = import_module("ai_edge_litert" if runtime == "litert" else runtime).__version__
    return found


def _list_signatures(model: Path) -> Iterator[tuple[int, int, str]]:
    """List a LiteRT model's signatures: tokens, place in the file, name."""
    from ai_edge_litert import schema_py_generated as schema

    found = schema.Model.GetRootAs(model.read_bytes())
    for index in range(found.SignatureDefsLength()):
        name = found.SignatureDefs(index).SignatureKey().decode()
        yield int(name.rpartition("_")[2]), index, name
