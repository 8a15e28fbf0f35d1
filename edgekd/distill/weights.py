"""Find pretrained weights: in an installed package, in a folder, or on the Hugging Face hub."""

from __future__ import annotations

import importlib.util
import logging
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, cast

from edgekd.data.hub import stay_offline_unless_reachable
from edgekd.errors import ConfigError, MissingExtraError
from edgekd.store import digest_file, digest_json

# What transformers imports beside itself wherever it is installed.
_NOT_NEEDED = ("scipy", "sklearn", "torchao")


def find_weights(weights: str, folder: Path) -> str:
    """Return a local folder, or `OWNER/NAME` for the hub.

    Args:
        weights: `package:PYTHON_PACKAGE/FOLDER`, `hub:OWNER/NAME`, or a folder.
        folder: Where a relative folder starts.
    """
    if weights.startswith("hub:"):
        name = weights.removeprefix("hub:")
        if not re.fullmatch(r"\w[\w.-]*(/\w[\w.-]*)?", name):
            raise ConfigError(f"hub:{name:.80}: is no name on the hub; expected OWNER/NAME")
        _require_hub(name)
        return name
    if weights.startswith("package:"):
        package, _, inside = weights.removeprefix("package:").partition("/")
        if not package.isidentifier():
            raise ConfigError(f"{weights:.80}: expected package:PYTHON_PACKAGE/FOLDER")
        spec = importlib.util.find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            raise MissingExtraError(f"the weights package {package.replace('_', '-')}", "train")
        return str(Path(spec.submodule_search_locations[0]) / inside)
    try:
        path = (folder / weights).resolve()
    except ValueError:  # a NUL, or half a character
        raise ConfigError(f"{weights!r:.80}: is no path of a folder") from None
    if not (path / "config.json").is_file():
        raise ConfigError(
            f"{path}: is not a checkpoint: it has no config.json; name a model file or a folder"
        )
    return str(path)


@cache
def _require_hub(name: str) -> None:
    """Make sure that a checkpoint can be had: from the hub, or from what its client has kept.

    Raises:
        ConfigError: the hub cannot be reached, and the client has no such checkpoint.
    """
    if stay_offline_unless_reachable():
        return
    try:
        from huggingface_hub import try_to_load_from_cache
    except ImportError:
        raise MissingExtraError("transformers", "train") from None
    try:
        kept = try_to_load_from_cache(name, "config.json")
    except ValueError:  # it is no name by the hub's own rules
        kept = None
    if not isinstance(kept, str):
        raise ConfigError(
            f"hub:{name}: the hub cannot be reached from here, and no copy was kept; check the network, or "
            "name the folder of a checkpoint"
        )


def describe_weights(location: str) -> str:
    """Digest what a location holds; a hub name stands for itself."""
    path = Path(location)
    if not path.is_dir():
        return location
    kinds = (".json", ".safetensors", ".txt", ".model")
    files = sorted(f for f in path.iterdir() if f.is_file() and f.suffix in kinds)
    return digest_json({f.name: digest_file(f) for f in files})


def load_headed(location: str, outputs: int | None = None, attention: str | None = None) -> Any:
    """Load an encoder with a head from safetensors in float32; with `outputs` a new head where needed.

    Without `attention` it is torch's fused one, for the architectures that `transformers` wrote it for.

    Raises:
        ConfigError: if the checkpoint cannot be loaded without running code from it.
    """
    with quiet():
        try:
            from transformers import AutoModelForSequenceClassification
        except ImportError:
            raise MissingExtraError("transformers", "train") from None
        import torch
        from safetensors import SafetensorError

        extra = {} if outputs is None else {"num_labels": outputs, "ignore_mismatched_sizes": True}
        try:
            return AutoModelForSequenceClassification.from_pretrained(
                location,
                use_safetensors=True,
                trust_remote_code=False,
                attn_implementation=attention,
                dtype=torch.float32,
                **extra,
            )
        except (OSError, ValueError, SafetensorError) as error:
            words = " ".join(str(error).split())[:200]
            raise ConfigError(f"{location}: cannot be loaded as a classifier: {words}") from None


def load_tokenizer_json(location: str) -> str:
    """Return the checkpoint's fast tokenizer as tokenizer.json text."""
    with quiet():
        from transformers import AutoTokenizer

        try:
            tokenizer = AutoTokenizer.from_pretrained(location, trust_remote_code=False)
        except (OSError, ValueError) as error:
            words = " ".join(str(error).split())[:200]
            raise ConfigError(f"{location}: its tokenizer cannot be loaded: {words}") from None
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise ConfigError(f"{location}: has no fast tokenizer (tokenizer.json); convert it first")
    return str(backend.to_str())


def save_headed(model: Any, folder: Path) -> None:
    """Write an encoder with its head as a Hugging Face folder of safetensors."""
    with quiet():
        model.save_pretrained(folder, safe_serialization=True)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers from writing progress bars and notes of new heads to the terminal.

    And from importing, where they are installed, libraries that nothing here needs: 3 of its 7 seconds.
    """
    modules = cast(dict[str, Any], sys.modules)
    hidden = [name for name in _NOT_NEEDED if name not in modules]
    modules.update(dict.fromkeys(hidden))  # None: as good as not installed
    try:
        import transformers

        before = transformers.logging.get_verbosity()
        transformers.logging.set_verbosity(logging.ERROR)
        bars: Any = transformers.utils.logging
        bars.disable_progress_bar()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield
        finally:
            transformers.logging.set_verbosity(before)
            bars.enable_progress_bar()
    finally:
        for name in hidden:
            modules.pop(name, None)
