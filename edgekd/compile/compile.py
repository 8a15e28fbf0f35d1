"""Compile a graph for one build of a target."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

import edgekd
from edgekd.compile.artifact import CALIBRATION, Artifact, build_artifact
from edgekd.compile.characters import describe_characters
from edgekd.compile.choose import choose_build, deciding_libraries, isas_of
from edgekd.compile.copy_loader import copy_loader
from edgekd.compile.failure import told_in_one_line
from edgekd.compile.prove import Read, choose_compared, prove_answers
from edgekd.compile.write_model import write_model
from edgekd.config import Build, Hardware
from edgekd.errors import ConfigError
from edgekd.export import Graph
from edgekd.export.graph import INPUT, OUTPUT
from edgekd.extras import installed
from edgekd.serving.characters import NAME as CHARACTERS
from edgekd.serving.heads import describe_head, import_head, open_reader

FitTemperature = Callable[[npt.NDArray[np.float32]], float]

VERSION = 4
_MOST_RUNS = 2_000


@dataclass(frozen=True)
class Examples:
    """Texts that compiling reads, and what is fitted on the compiled model's outputs to them.

    Attributes:
        texts: requests of the calibration rows: ranges are fitted on them, and parity is proven.
        fit_temperature: gets the compiled model's outputs [text, label] over `texts` and returns the
            temperature to divide them by. None where nothing is fitted: the head has no temperature, or what
            is right for these texts is not known.
        used: requests that say which rows of embedding tables are used, where the build keeps some of them;
            without, `texts` do.
    """

    texts: Sequence[str]
    fit_temperature: FitTemperature | None = None
    used: Sequence[str] = ()


def compile_graph(
    graph: Graph,
    build: Build,
    hardware: Hardware,
    examples: Examples,
    *,
    task: str,
    provenance: Mapping[str, Any],
    folder: Path,
    kept: Collection[str] = (),
) -> Artifact:
    """Write the artifact of one build into `folder`, which is the caller's own and empty.

    `provenance` says where data, teacher and student came from; the versions of edgekd and of the libraries
    that decide the files are added. The same input gives the same bytes. Operators named in `kept` stay in
    fp32, where the recipe can restore them.

    Raises:
        ConfigError: the recipe is not for this runtime, not for this kind of student, or not safe on this
            hardware; or a temperature is to be fitted for a head that has none.
        MissingExtraError: a library is not installed.
        ParityError: an exact recipe's outputs differ from the graph's by more than 1e-4, or any
            recipe's have a wrong shape or are not finite.
        BuildError: a library of the recipe or of the runtime cannot make or run it.
    """
    recipe, runtime = choose_build(build, hardware)
    head = import_head(graph.head.name)
    _check(graph, build, recipe, head, examples)
    folder.mkdir(parents=True, exist_ok=True)
    copy_loader(folder / "serving", runtime, head)
    tokenizer = json.loads(graph.tokenizer.read_text(encoding="utf-8"))
    _write_json(folder / "tokenizer.json", tokenizer)

    with installed():
        characters = describe_characters(tokenizer)
        if characters is not None:
            (folder / CHARACTERS).write_text(characters, encoding="ascii")
        read = open_reader(folder / "tokenizer.json", graph.max_tokens, graph.head)
        ids = list_runs(read, examples.texts)
        texts = (examples.used if build.rows else ()) or examples.texts
        used = [ids or [0] for text in texts for ids in read(text)]  # no token: answered as token 0
        with told_in_one_line(graph.student, build):
            repaired = write_model(graph, build, recipe, ids, used, folder / runtime.MODEL, kept)

    origin = {
        **provenance,
        "graph": graph.digest,
        **({"restored": sorted(kept)} if build.restore else {}),
        **({"kept_from_saturating": list(repaired)} if repaired else {}),
    }
    fields = {"task": task, **_describe(graph, build, recipe, runtime, origin)}
    _write_json(folder / CALIBRATION, head.UNCALIBRATED)
    made = build_artifact(folder, fields)
    compared = examples.texts if examples.fit_temperature else choose_compared(read, examples.texts)
    with told_in_one_line(graph.student, build):
        outputs, parity = prove_answers(graph, made, read, compared, is_exact=recipe.IS_EXACT)
    if examples.fit_temperature is not None:
        temperature = float(examples.fit_temperature(outputs))
        _write_json(folder / CALIBRATION, {**head.UNCALIBRATED, "temperature": temperature})
    return build_artifact(folder, fields, parity)


def list_runs(read: Read, texts: Sequence[str]) -> list[list[int]]:
    """List token ids of runs that answer requests: the first of each request, then the second of each.

    So that who takes a few has those of many requests. Of requests with several runs at most 2,000 are kept.
    """
    runs = [read(text) for text in texts]
    longest = max(map(len, runs), default=0)
    listed = [row[place] for place in range(longest) for row in runs if place < len(row)]
    return listed if longest <= 1 else listed[:_MOST_RUNS]


def _check(graph: Graph, build: Build, recipe: ModuleType, head: ModuleType, examples: Examples) -> None:
    if graph.kind not in recipe.KINDS:
        raise ConfigError(
            f"recipe {build.recipe} is for students that are {' or '.join(recipe.KINDS)}; "
            f"{graph.student} is {graph.kind}"
        )
    if not examples.texts:
        raise ConfigError(f"{build.runtime}/{build.recipe}: compiling needs calibration texts, got none")
    if examples.fit_temperature is not None and "temperature" not in head.UNCALIBRATED:
        raise ConfigError(f"{graph.student}: the head {graph.head.name} has no temperature to fit")


def _describe(
    graph: Graph, build: Build, recipe: ModuleType, runtime: ModuleType, origin: Mapping[str, Any]
) -> dict[str, Any]:
    """List the manifest's fields, less those of the task and of the files."""
    head = graph.head
    libraries = sorted(set(deciding_libraries(recipe, runtime, build.runtime)))
    return {
        "student": graph.student,
        "student_kind": graph.kind,
        **describe_head(head),
        "max_tokens": graph.max_tokens,
        "runtime": build.runtime,
        "recipe": build.label,
        "recipe_version": recipe.VERSION,
        "isas": list(isas_of(recipe, build.runtime)),
        **({"streams": build.streams} if build.streams > 1 else {}),
        "model": runtime.MODEL,
        "input": {"name": INPUT, "dtype": "int64", "shape": ["batch", "sequence"]},
        "output": {"name": OUTPUT, "dtype": "float32", "shape": ["batch", head.width]},
        "precision": dict(runtime.PRECISION),
        "provenance": {
            **origin,
            "edgekd": edgekd.__version__,
            "libraries": {name: importlib.metadata.version(name) for name in libraries},
        },
    }


def _write_json(path: Path, value: Any) -> None:
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    path.write_text(text, encoding="utf-8")
