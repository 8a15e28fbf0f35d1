"""The static student: a weighted mean of token vectors, then a small head.

Token vectors start from the teacher, as in Model2Vec (Tulkens and van Dongen 2024): each token is
read by the teacher alone, the outputs are reduced by principal components, and a token's weight
starts from its rank as in smooth inverse frequency (Arora et al. 2017). All of it is then trained.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edgekd.distill.teacher import Teacher, load_teacher


class StaticClassifier(nn.Module):
    """`(ids, mask) -> logits`; without a mask rows have no padding."""

    def __init__(self, tokens: int, dimension: int, hidden: int, labels: int) -> None:
        super().__init__()
        self.table = nn.Embedding(tokens, dimension)
        self.weight = nn.Embedding(tokens, 1)
        self.norm = nn.LayerNorm(dimension)
        self.inner = nn.Linear(dimension, hidden)
        self.head = nn.Linear(hidden, labels)
        self.drop = nn.Dropout(0.1)

    def forward(self, ids: Tensor, mask: Tensor | None = None) -> Tensor:
        """Compute logits [row, label] from ids [row, token]."""
        weight = F.softplus(self.weight(ids))
        if mask is not None:
            weight = weight * mask.unsqueeze(-1)
        mean = (weight * self.table(ids)).sum(1) / weight.sum(1).clamp_min(1e-6)
        logits: Tensor = self.head(self.drop(F.gelu(self.inner(self.drop(self.norm(mean))))))
        return logits


class FoldedStatic(nn.Module):
    """The same function of rows without padding, with each weight multiplied into its vector.

    The last column of the table holds the weight, so that one look-up and one sum give both the
    weighted sum and its divisor; LayerNorm makes the division unnecessary but for its epsilon.
    """

    def __init__(self, student: StaticClassifier) -> None:
        super().__init__()
        with torch.no_grad():
            weight = F.softplus(student.weight.weight)
            self.table = nn.Parameter(student.table.weight * weight)
            self.weight = nn.Parameter(weight)
        self.norm, self.inner, self.head = student.norm, student.inner, student.head

    def forward(self, input_ids: Tensor) -> Tensor:
        """Compute logits [row, label] from ids [row, token]."""
        total = F.embedding(input_ids, self.table).sum(1)
        mean = total / F.embedding(input_ids, self.weight).sum(1).clamp_min(1e-6)
        logits: Tensor = self.head(F.gelu(self.inner(self.norm(mean))))
        return logits


def start_from_teacher(
    student: StaticClassifier, teacher: Teacher, kept: npt.NDArray[np.int64], specials: tuple[int, int]
) -> None:
    """Set the token vectors to the principal components of what the teacher makes of each token.

    `kept` holds for each new id the teacher's id, shape [token]; `specials` are the teacher's ids
    that open and close a text.
    """
    model = load_teacher(teacher)
    vectors = []
    with torch.inference_mode():
        for part in np.array_split(kept, max(1, len(kept) // 1024)):
            middle = torch.from_numpy(part)[:, None]
            ids = torch.cat(
                [torch.full_like(middle, specials[0]), middle, torch.full_like(middle, specials[1])], dim=1
            )
            states = model.model.base_model(input_ids=ids).last_hidden_state
            vectors.append(states.mean(dim=1))
        found = torch.cat(vectors)
        found = found - found.mean(dim=0)
        _, _, components = torch.linalg.svd(found, full_matrices=False)
        width = min(student.table.embedding_dim, components.shape[0])
        reduced = found @ components[:width].T
    with torch.no_grad():
        student.table.weight.zero_()
        student.table.weight[:, :width] = reduced / reduced.std()
        rank = torch.arange(len(kept), dtype=torch.float32)
        student.weight.weight[:, 0] = torch.log1p(rank) / torch.log1p(rank).mean()
