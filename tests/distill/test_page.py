"""The blocks of docs/distillation.md, and the examples in docstrings, give what they say."""

import doctest
import importlib
import io
import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "distillation.md"
MODULES = ["distill.training.layermap", "distill.training.schedule", "evaluate.rank.values"]
MODULES += [f"distill.losses.{name}" for name in ("class_weights", "dominating", "row_weights")]
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def failures(text: str, names: dict) -> str:
    """Run the examples of one block; what they bind stays in `names`."""
    parsed = doctest.DocTestParser().get_doctest(text, names, PAGE.name, None, None)
    assert parsed.examples
    out = io.StringIO()
    doctest.DocTestRunner(optionflags=FLAGS).run(parsed, out=out.write, clear_globs=False)
    names.update(parsed.globs)
    return out.getvalue()


def blocks() -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def test_blocks_of_the_page():
    names: dict = {}
    found = [failures(block, names) for block in blocks()]
    assert len(found) > 5 and not "".join(found), "".join(found)


def test_a_wrong_figure_would_be_seen():
    names: dict = {}
    failures(blocks()[0], names)
    assert "Expected:" in failures(blocks()[1].replace("0.5983", "0.5984"), names)


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name):
    module = importlib.import_module(f"edgekd.{name}")
    found = doctest.testmod(module, optionflags=FLAGS)
    assert found.attempted and not found.failed
