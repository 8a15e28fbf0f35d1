"""Names on the hub are pinned to commits; here the hub is out of reach, and its cache on disk answers."""

import time

import pytest

from edgekd.errors import ConfigError
from edgekd.hub import fetch_model, pin

COMMIT, OTHER = "1" * 40, "abcdef0123" * 4


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """The client's cache of a model with `main` and a tag, and no network."""
    import huggingface_hub.constants as constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    pin.cache_clear()
    folder = tmp_path / "models--owner--name"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text(COMMIT)
    (folder / "refs" / "v2").write_text(OTHER)
    (folder / "snapshots" / COMMIT).mkdir(parents=True)
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        (folder / "snapshots" / COMMIT / name).write_text("{}")
    yield folder
    pin.cache_clear()


def test_a_name_stands_for_the_commit_of_its_revision(cache):
    assert pin("owner/name") == f"owner/name@{COMMIT}"
    assert pin("owner/name@v2") == f"owner/name@{OTHER}"
    assert pin(f"owner/name@{'f' * 40}") == f"owner/name@{'f' * 40}"
    assert fetch_model(f"owner/name@{COMMIT}") == cache / "snapshots" / COMMIT


def test_a_commit_that_moves_is_another_checkpoint(cache):
    before = pin("owner/name")
    (cache / "refs" / "main").write_text(OTHER)
    pin.cache_clear()
    assert pin("owner/name") != before


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("owner/other", "model", "hub:owner/other: cannot be loaded: the hub cannot be reached"),
        ("owner/name", "dataset", "hf:owner/name: cannot be loaded: the hub cannot be reached"),
        ("owner/name@v3", "model", "hub:owner/name@v3: cannot be loaded"),
        ("owner/name@", "model", "expected hub:OWNER/NAME, or with @REVISION behind it"),
        ("a b", "model", "expected hub:OWNER/NAME"),
        ("../name", "model", "expected hub:OWNER/NAME"),
    ],
)
def test_what_is_not_there_is_one_line_at_once(cache, name, kind, words):
    began = time.monotonic()
    with pytest.raises(ConfigError) as caught:
        pin(name, kind)
    assert words in str(caught.value) and "\n" not in str(caught.value)
    assert time.monotonic() - began < 2


def test_a_model_that_is_half_here_is_one_line(cache):
    with pytest.raises(ConfigError, match="cannot be downloaded"):
        fetch_model(f"owner/name@{OTHER}")
