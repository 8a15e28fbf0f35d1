"""An open artifact whose head is `rank`: it takes a query with candidates, and may be two models in turn.

A candidate's score depends on the query and on itself, and on no other candidate. An engine whose session has
`run_rows` sees to that with several pairs in a run. On any other each run holds one pair, without padding:
runs of several were up to a tenth faster on ONNX Runtime (bench/rank_latency.py), but where activations are
quantized as they come, their scale is then chosen over all pairs of a run.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import ServingError
from .heads import read_head
from .heads.rank import FIRST, Ranking
from .loader import Model as OneText
from .manifest import read_manifest
from .ranker import Ranker
from .request import UNIT, join_outputs, join_request, read_line, read_object, split_request

if TYPE_CHECKING:
    import numpy.typing as npt

    from .stages import Stages


class Model(OneText):
    """An open artifact that ranks: `model.rank(query, candidates)`, or `model(request)` in one string."""

    _FIRST = f"a{UNIT}a"
    _IS_ONE_RUN = False
    _ranker: Ranker

    def __init__(self, folder: Path, manifest: dict[str, Any], threads: int, stages: Stages) -> None:
        self._keep: int = manifest.get(FIRST, {}).get("keep", 0)
        self._before: Model | None = None
        if self._keep:
            inside = folder / FIRST
            self._before = Model(inside, read_manifest(inside, verify=False), threads, stages)
        super().__init__(folder, manifest, threads, stages)

    def _open_tokenizer(self, path: Path, max_tokens: int) -> None:
        before = self._before._ranker if self._before else None
        head = read_head(self.manifest)
        self._ranker = Ranker(path, max_tokens, head, self._encode, before, self._keep)

    def rank(self, query: str, candidates: Sequence[str]) -> Ranking:
        """Order the candidates for a query, best first.

        Raises:
            ServingError: if the model gives no usable outputs, or a text is no Unicode text.
        """
        wrong = [text for text in (query, *candidates) if not isinstance(text, str)]
        if wrong or isinstance(candidates, str):
            raise ServingError(f"expected a query and a list of texts, got {(*wrong, candidates)[0]!r:.60}")
        ranking: Ranking = self(join_request(query, candidates))
        return ranking

    def parse(self, line: str) -> str:
        """Return the request in one string; `line` is it, or a JSON object with `query` and `candidates`."""
        return read_line(line)

    def read_object(self, document: Any) -> str:
        """Return the request that an object with `query` and `candidates` stands for.

        Raises:
            ServingError: it is none.
        """
        return read_object(document)

    def describe(self, text: str, said: Any) -> dict[str, Any]:
        """Return the query with the order and the scores of its candidates."""
        return {"query": split_request(text)[0], **self.head.describe(said)}

    def outputs(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return the scores [request, place] of requests, NaN past a request's last candidate."""
        self._refuse_one(texts)
        rows = [self._run(text) for text in texts]
        for row, text in zip(rows, texts, strict=True):
            if not np.isfinite(row).all():
                raise self._not_finite(text)
        return join_outputs([row[None] for row in rows])

    def _run(self, text: str) -> npt.NDArray[np.float32]:
        return self._ranker.score(*split_request(text))

    def _encode(self, runs: Sequence[list[int]]) -> npt.NDArray[np.float32]:
        given = [ids or self._token_if_empty for ids in runs]
        if self._run_rows is not None and given:
            rows = self._ask(given, self._run_rows)
            self._check_shape(rows.shape[1:])
            return rows
        rows = np.empty((len(given), *self._shape), np.float32)
        # Shortest first: an engine that prepares itself for each length then does so once for each.
        for place in sorted(range(len(given)), key=lambda place: len(given[place])):
            outputs = self._ask(given[place])
            self._check_shape(outputs.shape)
            rows[place] = outputs
        return rows

    def _check_shape(self, shape: tuple[int, ...]) -> None:
        if shape != self._shape:
            raise ServingError(
                f"{self.folder}: the model gave outputs of shape {shape}, expected {self._shape}"
            )
