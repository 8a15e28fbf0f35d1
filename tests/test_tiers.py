"""An import goes only to a tier above its own."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "edgekd"
GROUND = [
    "shipped",
    "errors",
    "extras",
    "units",
    "reach",
    "hub",
    "quiet",
    "progress",
    "store",
    "resources",
    "plugins",
    "config",
    "wheels",
    "words",
]
TIERS = [
    *GROUND, "stats", "serving", "serve_log", "data", "curate", "measure", "evaluate", "distill", "export",
    "compile", "emulate", "bundle", "sizing", "gate", "publish", "impact", "health", "report", "ci",
    "pytest_plugin", "tasks", "single", "engines", "pipeline", "api", "cli",
]  # fmt: skip
FILES = sorted(path for path in ROOT.rglob("*.py") if "_data" not in path.parts)


def imported(path: Path) -> set[str]:
    package = ["edgekd", *path.relative_to(ROOT).parent.parts]
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            found |= {module, *(f"{module}.{alias.name}" for alias in node.names)}
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_go_up(path):
    own = path.relative_to(ROOT).with_suffix("").parts[0]
    if own in ("__init__", "__main__"):
        return
    for name in imported(path):
        parts = name.split(".")
        if parts[0] != "edgekd" or len(parts) < 2 or parts[1] not in TIERS:
            continue
        assert TIERS.index(parts[1]) <= TIERS.index(own), f"{path} imports {name}"


def test_every_package_has_a_tier():
    names = {path.relative_to(ROOT).with_suffix("").parts[0] for path in FILES} - {"__init__", "__main__"}
    assert names <= set(TIERS)


@pytest.mark.parametrize("path", sorted((ROOT / "serving").rglob("*.py")), ids=lambda p: p.name)
def test_serving_depends_on_nothing_of_edgekd(path):
    allowed = {"numpy", "tokenizers", "onnxruntime", "openvino", "ai_edge_litert", "torch"}
    import sys

    for name in imported(path):
        top = name.split(".")[0]
        inside = name.startswith("edgekd.serving")
        assert inside or top in allowed or top in sys.stdlib_module_names, f"{path} imports {name}"


def test_measure_knows_no_model_dataset_or_metric():
    for path in (ROOT / "measure").rglob("*.py"):
        tops = {name.split(".")[1] for name in imported(path) if name.startswith("edgekd.")}
        assert tops <= {"errors", "units", "stats", "measure", "config"}, path
