"""Whatever a reader is given, it ends in a result or in one line, within seconds; bench/fuzz.py asks more."""

import sys
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))

from fuzz import draw, list_batches
from fuzzing.every import READERS
from fuzzing.reader import ask

FEW, MANY = 12, 60
names = pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    """No name is asked of the hub."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def check(reader, random, folder: Path) -> None:
    place = folder / str(len(list(folder.iterdir())))
    place.mkdir()
    outcome = ask(reader, reader.make(random), place)
    assert not outcome.is_fault, outcome


def ask_examples(reader, folder: Path, examples: int) -> None:
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.integers(0, 2**64 - 1))
    def every_input_ends(number):
        check(reader, Random(number), folder)

    every_input_ends()


@names
def test_every_input_ends_in_a_result_or_in_one_line(reader, tmp_path):
    ask_examples(reader, tmp_path, FEW)


@pytest.mark.long
@names
def test_many_inputs_end_in_a_result_or_in_one_line(reader, tmp_path):
    ask_examples(reader, tmp_path, MANY)


def test_an_input_can_be_drawn_again():
    reader = READERS[0]
    assert draw(reader, 7) == draw(reader, 7) != draw(reader, 8)
    batches = list(list_batches(2000 * len(READERS)))
    assert sum(batch.last - batch.first for batch in batches) == 2000 * len(READERS)
    assert len({batch.key for batch in batches}) == len(batches)
