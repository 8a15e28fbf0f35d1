"""Compile a graph for one build of a target."""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

import edgekd
import edgekd.serving
from edgekd.compile.artifact import Artifact, build_artifact
from edgekd.compile.characters import describe_characters
from edgekd.compile.litert_model import LIBRARIES as CONVERTING
from edgekd.compile.rows import count_rows, share_embeddings, share_rows
from edgekd.config import Build, Hardware
from edgekd.errors import ConfigError, MissingExtraError, ParityError
from edgekd.export import Graph, Parity
from edgekd.export.graph import INPUT, OUTPUT
from edgekd.export.parity import FP32_TOLERANCE, compare_logits
from edgekd.plugins import list_plugins, load_plugin
from edgekd.serving import ServingError, load
from edgekd.serving.characters import NAME as CHARACTERS
from edgekd.serving.tokenize import open_tokenizer

FitTemperature = Callable[[npt.NDArray[np.float32]], float]

VERSION = 4
# Enough to see a broken model; the gate judges quality on its own rows.
_PARITY_TEXTS = 512
_EXTRAS = {
    "onnx": "onnx",
    "onnxruntime": "onnx",
    "tokenizers": "onnx",
    "openvino": "intel",
    "nncf": "intel",
    "ai_edge_litert": "mobile",
    "ai_edge_quantizer": "mobile",
    "litert_torch": "mobile",
    "torch": "train",
}


def compile_graph(
    graph: Graph,
    build: Build,
    hardware: Hardware,
    *,
    calibration_texts: Sequence[str],
    fit_temperature: FitTemperature,
    provenance: Mapping[str, Any],
    folder: Path,
    task: str = "intent",
    threads: int = 1,
    usage_texts: Sequence[str] = (),
    kept: Collection[str] = (),
) -> Artifact:
    """Write the artifact of one build into `folder`, which is the caller's own and empty.

    `fit_temperature` gets the compiled model's logits [text, label] over `calibration_texts` and
    returns the temperature to divide them by. `provenance` says where data, teacher and student
    came from; the versions of edgekd and of the libraries that decide the files are added. The
    same input gives the same bytes. `usage_texts` say which rows of embedding tables are used, where the
    build keeps some of them; without, the calibration texts do. Operators
    named in `kept` stay in fp32, where the recipe can restore them.

    Raises:
        ConfigError: the recipe is not for this runtime, or not safe on this hardware.
        MissingExtraError: a library is not installed.
        ParityError: an exact recipe's logits differ from the graph's by more than 1e-4, or any
            recipe's have a wrong shape or are not finite.
    """
    recipe, runtime = choose_build(build, hardware)
    if graph.kind not in recipe.KINDS:
        raise ConfigError(
            f"recipe {build.recipe} is for students that are {' or '.join(recipe.KINDS)}; "
            f"{graph.student} is {graph.kind}"
        )
    if not calibration_texts:
        raise ConfigError(f"{build.runtime}/{build.recipe}: compiling needs calibration texts, got none")
    folder.mkdir(parents=True, exist_ok=True)
    _copy_loader(runtime, folder / "serving")
    tokenizer = json.loads(graph.tokenizer.read_text(encoding="utf-8"))
    _write_json(folder / "tokenizer.json", tokenizer)

    with _installed():
        characters = describe_characters(tokenizer)
        if characters is not None:
            (folder / CHARACTERS).write_text(characters, encoding="ascii")
        tokenize = open_tokenizer(folder / "tokenizer.json", graph.max_tokens)
        ids = [tokenize(text) for text in calibration_texts]
        with tempfile.TemporaryDirectory() as temporary:
            texts = (usage_texts if build.rows else ()) or calibration_texts
            used = [tokenize(text) or [0] for text in texts]  # no token: answered as token 0
            source = _share_rows(graph, build, used, Path(temporary))
            recipe.build(source, folder, ids, build.runtime, **({"kept": kept} if kept else {}))
        repaired = _keep_from_saturating(folder / runtime.MODEL) if not recipe.IS_EXACT else ()

    fields = {
        "task": task,
        "student": graph.student,
        "student_kind": graph.kind,
        "labels": list(graph.labels),
        "max_tokens": graph.max_tokens,
        "runtime": build.runtime,
        "recipe": build.label,
        "recipe_version": recipe.VERSION,
        "isas": list(recipe.ISAS),
        "model": runtime.MODEL,
        "input": {"name": INPUT, "dtype": "int64", "shape": ["batch", "sequence"]},
        "output": {"name": OUTPUT, "dtype": "float32", "shape": ["batch", len(graph.labels)]},
        "precision": dict(runtime.PRECISION),
        "provenance": {
            **provenance,
            "graph": graph.digest,
            **({"restored": sorted(kept)} if build.restore else {}),
            **({"kept_from_saturating": list(repaired)} if repaired else {}),
            "edgekd": edgekd.__version__,
            "libraries": _versions(deciding_libraries(recipe, runtime)),
        },
    }
    _write_calibration(folder, 1.0)
    build_artifact(folder, fields)
    logits = _answer(folder, calibration_texts, threads)
    parity = _compare(graph, build, recipe, ids, logits, calibration_texts)
    _write_calibration(folder, fit_temperature(logits))
    return build_artifact(folder, fields, parity)


def deciding_libraries(recipe: ModuleType, runtime: ModuleType) -> tuple[str, ...]:
    """Name the packages whose versions decide an artifact's files or its answers."""
    converting = CONVERTING if runtime.MODEL.endswith(".tflite") else ()
    return (*recipe.LIBRARIES, *converting, *runtime.LIBRARIES, "numpy", "tokenizers")


def _keep_from_saturating(path: Path) -> tuple[str, ...]:
    """Repair the int8 products of an ONNX file that some input can saturate without VNNI; name them."""
    if path.suffix != ".onnx":
        return ()
    import onnx

    from edgekd.compile.saturation import keep_from_saturating

    model = onnx.load(path)
    repaired = keep_from_saturating(model)
    if repaired:
        path.write_bytes(model.SerializeToString(deterministic=True))
    return repaired


def _share_rows(graph: Graph, build: Build, used: Sequence[list[int]], folder: Path) -> Graph:
    """Return the graph with as many rows in its tables as the build says."""
    if build.rows is None:
        return graph
    import onnx

    whole = onnx.load(graph.path)
    small = share_rows(onnx.load(graph.path), count_rows(whole, used), build.rows)
    (folder / "shared.onnx").write_bytes(small.SerializeToString(deterministic=True))
    load = graph.load
    shared = None if load is None else lambda: share_embeddings(load(), whole, small)
    return replace(graph, path=folder / "shared.onnx", load=shared)


def choose_build(build: Build, hardware: Hardware) -> tuple[ModuleType, ModuleType]:
    """Return the modules of the build's recipe and runtime; what they make is the same for any hardware.

    Raises:
        ConfigError: they do not go together, or are not safe on this hardware.
        MissingExtraError: a library is not installed.
    """
    with _installed():
        recipe = load_plugin("recipes", build.recipe)
        if build.runtime not in recipe.RUNTIMES:
            raise ConfigError(
                f"recipe {build.recipe} is not for {build.runtime}; it is for {', '.join(recipe.RUNTIMES)}"
            )
        if build.restore and build.runtime not in recipe.RESTORES:
            raise ConfigError(
                f"{build.runtime}/{build.recipe} cannot leave operators in fp32; leave out restore, or take "
                f"one that can: {', '.join(_restoring())}"
            )
        if build.rows and recipe.IS_EXACT:
            raise ConfigError(
                f"recipe {build.recipe} is exact, and shared rows are not: leave out rows, or quantize"
            )
        if build.runtime == "aotinductor" and not hardware.gpu:
            raise ConfigError(
                f"{build.runtime}/{build.recipe} is machine code of where it is compiled: it is for targets "
                "with a GPU; take onnxruntime or openvino"
            )
        if hardware.isa and not set(hardware.isa) & set(recipe.ISAS):
            raise ConfigError(
                f"recipe {build.recipe} is safe only with one of {', '.join(recipe.ISAS)}; "
                f"the target counts on {', '.join(hardware.isa)}"
            )
        return recipe, load_plugin("runtimes", build.runtime)


def serves(build: Build, kind: str) -> bool:
    """Say whether a build's recipe compiles this kind of students."""
    return kind in load_plugin("recipes", build.recipe).KINDS


def _restoring() -> list[str]:
    found = {name: load_plugin("recipes", name) for name in list_plugins("recipes")}
    return [f"{runtime}/{name}" for name, recipe in found.items() for runtime in recipe.RESTORES]


@contextlib.contextmanager
def _installed() -> Iterator[None]:
    """Turn a missing library into the pip command that brings it."""
    try:
        yield
    except ModuleNotFoundError as error:
        library = (error.name or "").partition(".")[0]
        raise MissingExtraError(library, _EXTRAS.get(library, "all")) from None


def _copy_loader(runtime: ModuleType, folder: Path) -> None:
    """Copy the serving code that this artifact needs: all of it, and one runtime."""
    source = Path(edgekd.serving.__file__).parent
    (folder / "runtimes").mkdir(parents=True, exist_ok=True)
    for path in source.glob("*.py"):
        shutil.copyfile(path, folder / path.name)
    assert runtime.__file__ is not None
    for path in (source / "runtimes" / "__init__.py", Path(runtime.__file__)):
        shutil.copyfile(path, folder / "runtimes" / path.name)


def _write_json(path: Path, value: Any) -> None:
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    path.write_text(text, encoding="utf-8")


def _write_calibration(folder: Path, temperature: float) -> None:
    value = {"temperature": float(temperature), "bias": {}, "thresholds": {}, "routing": {}}
    _write_json(folder / "calibration.json", value)


def _answer(folder: Path, texts: Sequence[str], threads: int) -> npt.NDArray[np.float32]:
    try:
        return load(folder, threads=threads).logits(texts)
    except ServingError as error:
        raise ParityError(f"the compiled model does not answer: {error}") from None


def _compare(
    graph: Graph,
    build: Build,
    recipe: ModuleType,
    ids: Sequence[list[int]],
    logits: npt.NDArray[np.float32],
    texts: Sequence[str],
) -> Parity:
    """Hold the compiled model's logits against those of the fp32 graph in ONNX Runtime."""
    with _installed():
        source = load_plugin("runtimes", "onnxruntime")
    described = {"model": graph.path.name, "input": {"name": INPUT}, "output": {"name": OUTPUT}}
    run = source.open_session(graph.path.parent, described, 1).run
    reference = np.stack([run(row or [0]) for row in ids[:_PARITY_TEXTS]])
    compared = texts[:_PARITY_TEXTS]
    parity = compare_logits(reference, logits[:_PARITY_TEXTS], compared)
    if recipe.IS_EXACT and parity.worst > FP32_TOLERANCE:
        place = int(np.abs(reference - logits[:_PARITY_TEXTS]).max(1).argmax())
        raise ParityError(
            f"{build.runtime}/{build.recipe}: logits differ by {parity.worst:.3g} from the graph's, allowed "
            f"{FP32_TOLERANCE:.3g}; worst of {len(compared)} texts: {compared[place]!r:.80}"
        )
    return parity


def _versions(libraries: Sequence[str]) -> dict[str, str]:
    return {name: importlib.metadata.version(name) for name in sorted(set(libraries))}
