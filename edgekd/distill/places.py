"""How many tokens a checkpoint has places for."""

from __future__ import annotations

from typing import Any

from torch import nn

# Tables with a row for each place. Tables of distances have other names, and set no limit.
_TABLES = ("position_embeddings", "embed_positions", "positions_embed", "wpe")


def count_places(model: Any) -> int | None:
    """Count the tokens of the longest text that a model of `transformers` has places for; None: any.

    That is the rows of its table of places, less those that it never uses: RoBERTa and those after it begin
    to count behind the padding token's id, OPT and BART at 2. Without a table it is what the configuration
    names, as for rotary places.
    """
    counts = [_count(model, name, table) for name, table in model.named_modules() if _is_table(name, table)]
    if counts:
        return min(counts)
    named = getattr(model.config, "max_position_embeddings", None)
    return named if isinstance(named, int) and named > 0 else None


def _is_table(name: str, module: nn.Module) -> bool:
    return isinstance(module, nn.Embedding) and name.rsplit(".", 1)[-1] in _TABLES


def _count(model: Any, name: str, table: Any) -> int:
    offset = getattr(table, "offset", None)
    if offset is None:
        offset = 0 if table.padding_idx is None else table.padding_idx + 1
    rows = int(table.num_embeddings) - int(offset)
    numbered = getattr(model.get_submodule(name.rpartition(".")[0]), "position_ids", None)
    return rows if numbered is None else min(rows, int(numbered.shape[-1]))
