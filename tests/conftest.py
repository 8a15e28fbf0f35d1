"""Shared fixtures: the worked figures, a small data set, shape checking while tests run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jaxtyping import install_import_hook

with install_import_hook(["edgekd.distill.losses", "edgekd.evaluate", "edgekd.stats"], "beartype.beartype"):
    import edgekd.distill.losses  # noqa: F401


@pytest.fixture(scope="session")
def golden() -> dict:
    return json.loads((Path(__file__).parent / "golden.json").read_text(encoding="utf-8"))
