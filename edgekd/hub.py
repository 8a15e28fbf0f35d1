"""Names on the Hugging Face hub, each pinned to one commit: what it holds decides what is made of it."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any, Literal

from edgekd.errors import ConfigError, MissingExtraError
from edgekd.reach import stay_offline_unless_reachable

Kind = Literal["model", "dataset"]

_PREFIX = {"model": "hub", "dataset": "hf"}
_SECONDS = 5.0  # until the hub is taken to be out of reach
_COMMIT = re.compile(r"[0-9a-f]{40}")
_NAME = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")
# Weights that run no code, and what describes them and their tokenizer.
_FILES = ("*.json", "*.safetensors", "*.txt", "*.model", "*.jinja", "README.md")


@cache
def pin(name: str, kind: Kind = "model") -> str:
    """Return `OWNER/NAME@COMMIT` for `OWNER/NAME` or `OWNER/NAME@REVISION`; without a revision it is `main`.

    A commit stays as it is. Else the hub is asked, where it can be reached within seconds, and elsewhere the
    commit that the local cache has for the revision stands.

    Raises:
        ConfigError: if the hub does not have it, or can neither be reached nor has been before.
        MissingExtraError: if its client is not installed.
    """
    repository, _, revision = name.partition("@")
    written = f"{_PREFIX[kind]}:{name}"
    if not _NAME.fullmatch(repository) or name.endswith("@"):
        raise ConfigError(f"{written}: expected {_PREFIX[kind]}:OWNER/NAME, or with @REVISION behind it")
    if _COMMIT.fullmatch(revision):
        return name
    revision = revision or "main"
    hub = _client()
    found = None
    if stay_offline_unless_reachable():
        try:
            found = hub.HfApi().repo_info(repository, revision=revision, repo_type=kind, timeout=_SECONDS).sha
        except (hub.errors.RepositoryNotFoundError, hub.errors.RevisionNotFoundError) as error:
            raise ConfigError(
                f"{written}: cannot be loaded: the hub has no such {kind} or revision, or it is not open to "
                f"you ({type(error).__name__}); check the name"
            ) from None
        except Exception:  # noqa: BLE001  (the client's own, its transport's and the system's)
            found = None
    found = found or _read_ref(hub, repository, revision, kind)
    if found is None:
        raise ConfigError(
            f"{written}: cannot be loaded: the hub cannot be reached, and its cache here has no such "
            f"{kind}; give what is on disk, or try again with a network"
        )
    return f"{repository}@{found}"


def fetch_model(pinned: str) -> Path:
    """Return the local folder of a pinned model: as the cache has it, else downloaded.

    Raises:
        ConfigError: if it is not all here and the hub cannot be reached.
    """
    hub = _client()
    repository, _, commit = pinned.partition("@")
    folder = _cache(hub, repository, "model") / "snapshots" / commit
    if (folder / "config.json").exists() and any(folder.glob("*.safetensors")) and _has_tokenizer(folder):
        return folder
    try:
        return Path(
            hub.snapshot_download(
                repository, revision=commit, etag_timeout=_SECONDS, allow_patterns=list(_FILES)
            )
        )
    except Exception as error:  # noqa: BLE001  (as above)
        words = " ".join(str(error).split())
        raise ConfigError(f"hub:{pinned}: cannot be downloaded: {words:.160}; give a folder") from None


def _has_tokenizer(folder: Path) -> bool:
    return any(folder.glob("tokenizer*")) or any(folder.glob("vocab*")) or any(folder.glob("*.model"))


def _cache(hub: Any, repository: str, kind: Kind) -> Path:
    return Path(hub.constants.HF_HUB_CACHE) / f"{kind}s--{repository.replace('/', '--')}"


def _read_ref(hub: Any, repository: str, revision: str, kind: Kind) -> str | None:
    path = _cache(hub, repository, kind) / "refs" / revision
    try:
        found = path.read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return None
    return found if _COMMIT.fullmatch(found) else None


def _client() -> Any:
    try:
        import huggingface_hub
        import huggingface_hub.constants
        import huggingface_hub.errors
    except ImportError:
        raise MissingExtraError("huggingface_hub", "train") from None
    return huggingface_hub
