"""Two towers: one static encoder reads the query, the same one the candidate, and their product is the score.

Neither sees the other, so that candidates can be encoded before anybody asks. What is exported and served is
the encoder alone; the scorer around it is for training and for reference.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from edgekd.distill.static import StaticNetwork

_SCALE = 0.2
"""Of a vector at the start: two that point alike then have a product of about 10."""
_RARE = 1e-3
"""Share of the tokens at which a token weighs half."""


class TwoTowers(nn.Module):
    """`(ids, mask) -> scores [row, 1]` around an encoder `(ids, mask) -> vectors [row, width]`.

    A row of ids is a query, the separator, a candidate. The candidate is encoded with its separator before
    it, the query without: so one encoder can tell which of them it reads.
    """

    def __init__(self, encoder: nn.Module, separator: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.separator = separator

    @property
    def row_tables(self) -> tuple[Tensor, ...]:
        """Tables of which a step reads few rows."""
        tables: tuple[Tensor, ...] = getattr(self.encoder, "row_tables", ())
        return tables

    def forward(self, ids: Tensor, mask: Tensor | None = None) -> Tensor:
        """Compute scores [row, 1] from ids [row, token]; without a mask rows have no padding."""
        is_candidate = (ids == self.separator).cumsum(1) > 0
        real = torch.ones_like(ids) if mask is None else mask
        asked = (~is_candidate).long() * real
        longest = int(asked.sum(1).max())
        queries = self.encoder(ids[:, :longest], asked[:, :longest])
        # Ids before the separator become 0: served alone, a candidate has nothing before it.
        candidates = self.encoder(ids * is_candidate, is_candidate.long() * real)
        scores: Tensor = (queries * candidates).sum(dim=1, keepdim=True)
        return scores


def start_as_bag(encoder: StaticNetwork, counts: npt.NDArray[np.int64]) -> None:
    """Let an encoder begin as the normalised sum of its token vectors, as far as its hidden layer is wide.

    gelu(x) - gelu(-x) is x, so that half of the hidden units carry a component and half its negative. A
    product of such sums is a fair score before any training; of random layers it is none. Token vectors are
    made equally long and then weighted by a / (a + share), of all tokens that are read, `counts` [token]:
    what stands in every candidate tells none from another (smooth inverse frequency; Arora, S. et al. 2017, A
    simple but tough-to-beat baseline for sentence embeddings, ICLR).
    """
    kept = min(encoder.table.embedding_dim, encoder.inner.out_features // 2, encoder.head.out_features)
    unit = torch.eye(kept)
    shares = torch.from_numpy(counts / counts.sum()).to(torch.float32)
    with torch.no_grad():
        table = encoder.table.weight
        length = encoder.table.embedding_dim**0.5
        rare = _RARE / (_RARE + shares)
        table.copy_(functional.normalize(table, dim=1) * (length * rare)[:, None])
        for layer in (encoder.inner, encoder.head):
            layer.weight.zero_()
            layer.bias.zero_()
        encoder.inner.weight[:kept, :kept] = unit
        encoder.inner.weight[kept : 2 * kept, :kept] = -unit
        encoder.head.weight[:kept, :kept] = _SCALE * unit
        encoder.head.weight[:kept, kept : 2 * kept] = -_SCALE * unit
