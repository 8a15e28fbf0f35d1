"""A linear model over tokens and pairs of neighbours, beside a network: their logits are added.

What was worded in training is remembered at once, in whatever language the network reads badly; what was
not is left to the network (Cheng et al. 2016, Wide & Deep Learning). The two are trained apart, so that they
err apart.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from edgekd.distill.learner import Learner
from edgekd.distill.pairs import hash_pairs
from edgekd.distill.training.tokens import Tokens
from edgekd.errors import ConfigError, MissingExtraError

Network = nn.Module | Callable[[Tensor, Tensor | None], Tensor]
_N = TypeVar("_N", bound=Network)
_NAME = "wide.safetensors"
_STRENGTH = 1.0  # inverse weight of the squared coefficients, as scikit-learn counts it
_STEPS = 40


class Wide(nn.Module):
    """`(ids, mask) -> outputs` of a network and of a table [token, then pair, then a row of zeros; output].

    Id 0 counts for nothing, as it pads; so rows may be padded with it, with a mask or without.
    """

    def __init__(self, network: Network, table: nn.Module, rows: int, pairs: int) -> None:
        super().__init__()
        self.network = network
        self.table = table
        self.last, self.pairs = rows - 1, pairs

    def around(self, network: Network) -> Wide:
        """Return the same beside another form of the network, with the same table: a build may share rows."""
        return Wide(network, self.table, self.last + 1, self.pairs).train(self.training)

    def forward(self, input_ids: Tensor, mask: Tensor | None = None) -> Tensor:
        """Compute outputs [row, output] from ids [row, token]."""
        numbers = hash_pairs(input_ids, self.pairs) + (self.last - self.pairs)
        is_padding = torch.cat([input_ids, input_ids], 1) == 0
        places = torch.cat([input_ids, numbers], 1).masked_fill(is_padding, self.last)
        vectors = self.table(places)
        if mask is not None:  # a build that shares rows may not keep the zeros
            vectors = vectors * torch.cat([mask, mask], 1).unsqueeze(-1)
        outputs: Tensor = self.network(input_ids, mask) + vectors.sum(dim=1)
        return outputs


def check_pairs(learner: Learner, pairs: int, key: str) -> None:
    """Refuse a linear model beside a network whose answers it would spoil.

    Two logits of classes that are added agree or outvote one another. Two of a number would make it twice as
    extreme.

    Raises:
        ConfigError: naming the key that asks for it.
    """
    if pairs and not learner.takes_pairs:
        raise ConfigError(f"{key}: a linear model beside the network is for classes alone; remove it")


def fit_wide(
    tokens: Tokens,
    classes: npt.NDArray[np.int64],
    width: int,
    sizes: tuple[int, int],
    folder: Path,
    weights: npt.NDArray[np.float32] | None = None,
) -> None:
    """Fit the linear model on rows that have a class (not -1) and write it to a model's folder.

    A multinomial logistic regression on how often a row has each token and pair, without intercept: the token
    that begins every text is one. `width` is the network's number of outputs, `sizes` are the vocabulary's
    and the pairs'.

    Raises:
        MissingExtraError: without scikit-learn.
    """
    try:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression
    except ImportError:
        raise MissingExtraError("scikit-learn", "train") from None
    rows = np.flatnonzero(classes >= 0)
    model = LogisticRegression(C=_STRENGTH, fit_intercept=False, max_iter=_STEPS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # stopped early, which only regularizes
        counted = _count(tokens, *sizes)[rows]
        model.fit(counted, classes[rows], None if weights is None else weights[rows])
    found = model.coef_ if len(model.classes_) > 2 else np.concatenate([-model.coef_, model.coef_]) / 2
    table = np.zeros((sum(sizes) + 1, width), np.float32)
    table[:-1, model.classes_] = found.T
    save_wide(torch.from_numpy(table[:-1]), sizes[0], folder)


def save_wide(table: Tensor, tokens: int, folder: Path) -> None:
    """Write a linear model [token, then pair; output] of so many tokens to a model's folder."""
    save_file({"tokens": table[:tokens].clone(), "pairs": table[tokens:].clone()}, folder / _NAME)


def widen(network: _N, folder: Path) -> _N | Wide:
    """Put what `fit_wide` wrote to the folder beside the network; without that, return the network."""
    if not (folder / _NAME).is_file():
        return network
    parts = load_file(folder / _NAME)
    rows = torch.cat([parts["tokens"], parts["pairs"], torch.zeros(1, parts["pairs"].shape[1])])
    table = nn.Embedding(rows.shape[0], rows.shape[1], _weight=rows)
    table.weight.requires_grad_(False)
    return Wide(network, table, len(rows), len(parts["pairs"])).eval()


def _count(tokens: Tokens, vocabulary: int, pairs: int) -> Any:
    """How often each row has each token and pair, a sparse matrix [row, token and pair]."""
    from scipy.sparse import csr_matrix

    ids = torch.from_numpy(tokens.ids.astype(np.int64))
    numbers = hash_pairs(ids[None, :], pairs)[0].numpy()
    first = tokens.starts[:-1]
    numbers[first] = tokens.ids[first] % pairs  # paired with id 0, not with the end of another row
    row = np.repeat(np.arange(len(tokens)), tokens.lengths)
    kept = tokens.ids != 0
    columns = np.concatenate([tokens.ids[kept], vocabulary + numbers[kept]])
    places = np.concatenate([row[kept], row[kept]])
    shape = (len(tokens), vocabulary + pairs)
    return csr_matrix((np.ones(len(columns), np.float32), (places, columns)), shape=shape)
