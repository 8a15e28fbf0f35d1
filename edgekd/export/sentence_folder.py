"""Folders as sentence-transformers writes them: what that library does beside the model itself.

`transformers` reads one model of such a folder and none of what stands around it: further modules
(`modules.json`), a prompt before every text (`config_sentence_transformers.json`), and in
`sentence_bert_config.json` how many tokens are read, and whether in lower case. What is
not done here is refused.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgekd.errors import ConfigError
from edgekd.export.graph import INPUT
from edgekd.export.source_tokenizer import SourceTokenizer
from edgekd.serving.heads import Head, takes_candidates

MODULES, PROMPTS, READING = "modules.json", "config_sentence_transformers.json", "sentence_bert_config.json"
_PAIRS = "CrossEncoder"
# In config.json: since version 4 of the library, and before.
_MARKS = ("sentence_transformers", "sbert_ce_default_activation_function")
_UPPER = "WHERE IS MY ORDER"


@dataclass(frozen=True)
class SentenceFolder:
    """What a folder says of reading texts, apart from its tokenizer; nothing where the library made it not.

    Attributes:
        most_tokens: how many tokens of a text are read.
        lowers: whether texts are read in lower case.
    """

    place: str
    most_tokens: int | None = None
    lowers: bool = False

    def hold(self, tokenizer: SourceTokenizer) -> SourceTokenizer:
        """Return the tokenizer with the limit that the folder gives it.

        Raises:
            ConfigError: texts are to be read in lower case, and the tokenizer itself reads capitals.
        """
        read = tokenizer.read
        if self.lowers and list(read(_UPPER, 32)[INPUT]) != list(read(_UPPER.lower(), 32)[INPUT]):
            raise ConfigError(
                f"{self.place}: {READING} asks for texts in lower case (do_lower_case), and tokenizer.json "
                "keeps capitals; add a Lowercase normalizer to tokenizer.json"
            )
        return tokenizer if self.most_tokens is None else replace(tokenizer, limit=self.most_tokens)


def read_sentence_folder(folder: Path, config: Mapping[str, Any], asked: str) -> SentenceFolder:
    """Hold what a folder says beside `config`, its config.json, against what is done here.

    `asked` names the head that the model is to have, where its outputs leave that open.

    Raises:
        ConfigError: modules stand behind the model, or a prompt before texts; or it reads pairs, and is asked
            for something else than an order; or one of the files cannot be read.
    """
    modules = _read(folder / MODULES, list)
    around, reading = (_read(folder / name, dict) for name in (PROMPTS, READING))
    kinds = [str(one.get("type")).rpartition(".")[2] for one in modules if isinstance(one, dict)]
    if kinds[1:]:
        raise ConfigError(
            f"{folder}: {MODULES} lists {', '.join(kinds)}, and only sentence-transformers runs what stands "
            "behind the first; expected one model with its own head (...ForSequenceClassification): train "
            "one on this folder, as weights of a project's teacher"
        )
    name = around.get("default_prompt_name")
    prompts = around.get("prompts")
    prompt = prompts.get(name) if isinstance(prompts, dict) else None
    if name is not None and prompt:
        raise ConfigError(
            f"{folder}: {PROMPTS} puts the prompt {prompt!r:.40} before every text (default_prompt_name: "
            f"{name}); expected none: put it before texts yourself, and set default_prompt_name to null"
        )
    is_pairs = around.get("model_type") == _PAIRS or any(config.get(mark) for mark in _MARKS)
    if is_pairs and not (asked and takes_candidates(Head(asked))):
        raise ConfigError(
            f"{folder}: is a CrossEncoder of sentence-transformers, which reads pairs of texts; give --task "
            "rerank for one that scores them; where it was trained on single texts, take "
            f"{' and '.join(_MARKS)} out of config.json and {PROMPTS} away"
        )
    most = reading.get("max_seq_length")
    if most is not None and (isinstance(most, bool) or not isinstance(most, int) or most < 1):
        raise ConfigError(f"{folder}: max_seq_length in {READING} is {most!r:.40}; expected 1 or more")
    return SentenceFolder(str(folder), most, bool(reading.get("do_lower_case")))


def _read(path: Path, kind: type) -> Any:
    """Return what a file holds, or nothing where there is none."""
    if not path.is_file():
        return kind()
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: not readable as JSON: {' '.join(str(error).split()):.200}") from None
    if not isinstance(found, kind):
        raise ConfigError(f"{path}: expected a JSON {kind.__name__}, got {type(found).__name__}")
    return found
