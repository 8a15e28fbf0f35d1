"""Find pretrained weights: in an installed package, in a folder, or on the Hugging Face hub."""

from __future__ import annotations

import importlib.util
import json
import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from edgekd.distill.complete import check_weights
from edgekd.errors import ConfigError, MissingExtraError
from edgekd.hub import fetch_model, pin
from edgekd.store import digest_file, digest_json

# What transformers imports beside itself wherever it is installed.
_NOT_NEEDED = ("scipy", "sklearn", "torchao")


def find_weights(weights: str, folder: Path) -> str:
    """Return a local folder, or `OWNER/NAME@COMMIT` of the hub.

    Args:
        weights: `package:PYTHON_PACKAGE/FOLDER`, `hub:OWNER/NAME`, `hub:OWNER/NAME@REVISION`, or a folder.
        folder: Where a relative folder starts.
    """
    if weights.startswith("hub:"):
        return pin(weights.removeprefix("hub:"))
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
        is_there = (path / "config.json").is_file()
    except (ValueError, OSError):  # a NUL, half a character, or a name that is too long
        raise ConfigError(f"{weights!r:.80}: is no path of a folder") from None
    if not is_there:
        raise ConfigError(
            f"{path}: is not a checkpoint: it has no config.json; name a model file or a folder"
        )
    return str(path)


def describe_weights(location: str) -> str:
    """Digest what a location holds; a name and commit of the hub stand for themselves."""
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
        ConfigError: if the checkpoint cannot be loaded without running code from it, or lacks weights of the
            encoder or, without `outputs`, of its head; or holds some that nothing reads.
    """
    with quiet():
        try:
            from transformers import AutoModelForSequenceClassification
        except ImportError:
            raise MissingExtraError("transformers", "train") from None
        import torch

        extra = {} if outputs is None else {"num_labels": outputs}
        try:
            model, found = AutoModelForSequenceClassification.from_pretrained(
                _open_location(location),
                use_safetensors=True,
                trust_remote_code=False,
                attn_implementation=attention,
                dtype=torch.float32,
                ignore_mismatched_sizes=True,  # it would name them on many lines; check_weights does on one
                output_loading_info=True,
                **extra,
            )
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001  (whatever a configuration and weights of others raise)
            words = " ".join(str(error).split())[:200]
            raise ConfigError(f"{location}: cannot be loaded as a classifier: {words}") from None
    _check_kind(model.config, location)
    check_weights(location, model, found, new_head=outputs is not None)
    return model


def load_tokenizer_json(location: str) -> str:
    """Return the checkpoint's fast tokenizer as tokenizer.json text; see `write_tokenizer`."""
    return write_tokenizer(load_tokenizer(location))


def load_tokenizer(location: str) -> Any:
    """Open the checkpoint's fast tokenizer as `transformers` does.

    Raises:
        ConfigError: it cannot be opened, or is not a fast one.
    """
    with quiet():
        try:
            from transformers import AutoTokenizer
        except ImportError:
            raise MissingExtraError("transformers", "train") from None
        try:
            tokenizer = AutoTokenizer.from_pretrained(_open_location(location), trust_remote_code=False)
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001  (the tokenizers library raises plain Exception)
            words = " ".join(str(error).split())[:200]
            raise ConfigError(f"{location}: its tokenizer cannot be loaded: {words}") from None
    if getattr(tokenizer, "backend_tokenizer", None) is None:
        raise ConfigError(f"{location}: has no fast tokenizer (tokenizer.json); convert it first")
    return tokenizer


def write_tokenizer(tokenizer: Any) -> str:
    """Return a fast tokenizer of `transformers` as tokenizer.json text, with the side on which it cuts.

    The file has a place for that side, from which all that reads it here takes it. How much is cut, readers
    are told apart from the file.
    """
    from tokenizers import Tokenizer

    text = str(tokenizer.backend_tokenizer.to_str())
    cut = json.loads(text).get("truncation") or {}
    side = str(tokenizer.truncation_side)
    if side == str(cut.get("direction", "right")).lower():
        return text
    backend = Tokenizer.from_str(text)
    limit = cut.get("max_length") or min(int(tokenizer.model_max_length), 2**31 - 1)
    backend.enable_truncation(limit, direction=side)
    return str(backend.to_str())


def load_config(location: str) -> Any:
    """Return the configuration of a checkpoint, of `transformers`; nothing of its weights is read.

    Raises:
        ConfigError: if it cannot be read.
    """
    with quiet():
        try:
            from transformers import AutoConfig
        except ImportError:
            raise MissingExtraError("transformers", "train") from None
        try:
            config = AutoConfig.from_pretrained(_open_location(location), trust_remote_code=False)
        except (OSError, ValueError, KeyError) as error:
            words = " ".join(str(error).split())[:200]
            raise ConfigError(f"{location}: its config.json cannot be read: {words}") from None
    _check_kind(config, location)
    return config


def _check_kind(config: Any, location: str) -> None:
    if config.is_encoder_decoder:
        raise ConfigError(
            f"{location}: {config.model_type} is an encoder with a decoder behind it, which answers where a "
            "text ends and not where it is cut; expected an encoder, or a decoder, alone"
        )


def _open_location(location: str) -> str:
    """Return a local folder for one of `find_weights`' locations."""
    return location if Path(location).is_dir() or "@" not in location else str(fetch_model(location))


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
