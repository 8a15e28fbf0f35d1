"""A hub that cannot be reached is said in seconds."""

import time

import pytest

from edgekd import reach
from edgekd.config import Columns, Data
from edgekd.data.load import load_data
from edgekd.distill.weights import find_weights
from edgekd.errors import ConfigError, DataError


@pytest.fixture(autouse=True)
def nobody_there(monkeypatch):
    import datasets.config
    import huggingface_hub.constants

    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"):
        monkeypatch.setenv(name, "0")
        for module in (datasets.config, huggingface_hub.constants):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, getattr(module, name))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    reach._answers.cache_clear()


def test_names_end_in_one_line_within_seconds(tmp_path):
    began = time.monotonic()
    with pytest.raises(ConfigError, match="hub:nobody/none: cannot be loaded: the hub cannot be reached"):
        find_weights("hub:nobody/none", tmp_path)
    with pytest.raises(DataError, match="hf:nobody/none: cannot be loaded: the hub cannot be reached"):
        load_data(Data(source="hf:nobody/none", columns=Columns(split="split")), tmp_path)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    "name", ["hub:", "hub:../x", "hub:a b/c", "hub:a/b/c", "package:", "package:../x", "a\0b"]
)
def test_what_is_no_name(tmp_path, name):
    with pytest.raises(ConfigError):
        find_weights(name, tmp_path)
