"""The static student: vectors of tokens and of token pairs, their sum and their maximum, and a small head.

Token vectors start from the teacher's own, reduced by principal components and weighted by a token's
rank as in smooth inverse frequency (Arora et al. 2017; Model2Vec does likewise). Vectors of pairs of
neighbours start at zero and bring in word order; they share a table by hashing (fastText, Joulin et al.
2017). The sum sees every token, the maximum (over tokens and pairs alike) the one that decides; the
norm after them makes a weight a token superfluous. All of it is then trained.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edgekd.distill.pairs import hash_pairs
from edgekd.distill.teacher import Teacher, load_teacher


class StaticNetwork(nn.Module):
    """`(ids, mask) -> outputs`; without a mask rows have no padding."""

    def __init__(self, tokens: int, pairs: int, dimension: int, hidden: int, width: int) -> None:
        super().__init__()
        self.table = nn.Embedding(tokens, dimension, sparse=True)
        self.pairs = nn.Embedding(pairs, dimension, sparse=True)
        self.norm = nn.LayerNorm(2 * dimension)
        self.inner = nn.Linear(2 * dimension, hidden)
        self.head = nn.Linear(hidden, width)
        self.drop = nn.Dropout(0.1)

    @property
    def row_tables(self) -> tuple[Tensor, ...]:
        """Tables of which a step reads few rows."""
        return self.table.weight, self.pairs.weight

    def forward(self, ids: Tensor, mask: Tensor | None = None) -> Tensor:
        """Compute outputs [row, output] from ids [row, token]."""
        pairs = self.pairs(hash_pairs(ids, self.pairs.num_embeddings))
        vectors = torch.cat([self.table(ids), pairs], dim=1)
        pooled = pool(vectors, None if mask is None else torch.cat([mask, mask], dim=1))
        outputs: Tensor = self.head(self.drop(F.gelu(self.inner(self.drop(self.norm(pooled))))))
        return outputs


class FoldedStatic(nn.Module):
    """The same function with both tables in one: one look-up a text."""

    def __init__(self, student: StaticNetwork) -> None:
        super().__init__()
        self.tokens, self.pairs = student.table.num_embeddings, student.pairs.num_embeddings
        with torch.no_grad():
            rows = torch.cat([student.table.weight, student.pairs.weight])
        self.table = nn.Embedding(rows.shape[0], rows.shape[1], _weight=rows)
        self.norm, self.inner, self.head = student.norm, student.inner, student.head

    def forward(self, input_ids: Tensor, mask: Tensor | None = None) -> Tensor:
        """Compute outputs [row, output] from ids [row, token]; without a mask rows have no padding."""
        pairs = hash_pairs(input_ids, self.pairs) + self.tokens
        vectors = self.table(torch.cat([input_ids, pairs], dim=1))
        pooled = pool(vectors, None if mask is None else torch.cat([mask, mask], dim=1))
        outputs: Tensor = self.head(F.gelu(self.inner(self.norm(pooled))))
        return outputs


def pool(vectors: Tensor, mask: Tensor | None) -> Tensor:
    """Sum and maximum [row, 2 width] of vectors [row, token, width] where the mask is not 0."""
    total, largest = vectors, vectors
    if mask is not None:
        real = mask.unsqueeze(-1)
        total = vectors * real
        largest = vectors.masked_fill(real == 0, torch.finfo(vectors.dtype).min)
    return torch.cat([total.sum(dim=1), largest.amax(dim=1)], dim=1)


def start_from_teacher(student: StaticNetwork, teacher: Teacher, kept: npt.NDArray[np.int64]) -> None:
    """Set the token vectors to the principal components of the teacher's, and pairs to zero.

    `kept` holds for each new id the teacher's id, shape [token]. Starting from what the teacher's
    last layer makes of each token alone was no better on validation rows (CLINC150: 93.9 against
    93.8 % in scope, three epochs).
    """
    vectors = load_teacher(teacher).model.get_input_embeddings().weight
    with torch.no_grad():
        found = vectors[torch.from_numpy(kept)]
        found = found - found.mean(dim=0)
        _, _, components = torch.linalg.svd(found, full_matrices=False)
        width = min(student.table.embedding_dim, components.shape[0])
        reduced = found @ components[:width].T
        rank = torch.log1p(torch.arange(len(kept), dtype=torch.float32))
        student.table.weight.zero_()
        student.table.weight[:, :width] = reduced / reduced.std() * F.softplus(rank / rank.mean())[:, None]
        student.pairs.weight.zero_()
