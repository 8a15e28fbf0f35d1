"""A teacher's outputs that stay on disk until rows of them are asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgekd.distill.labels.kept import KeptOutputs, check_temperature

_CHUNK = 4096


@dataclass(frozen=True)
class StoredOutputs:
    """Outputs [text, output] in half precision; where a softmax reads them, for that at one temperature.

    `outputs[picked]` reads rows as a numpy array would give them; text i is row `places[i]` of part
    `numbers[i]`.
    """

    parts: Sequence[KeptOutputs]
    numbers: npt.NDArray[np.int64]
    places: npt.NDArray[np.int64]
    width: int
    temperature: float | None

    def __post_init__(self) -> None:
        check_temperature(self.width, self.temperature)

    @property
    def shape(self) -> tuple[int, int]:
        """Texts and outputs."""
        return len(self.places), self.width

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, picked: npt.NDArray[np.int64] | slice) -> npt.NDArray[np.float16]:
        return self._kept(picked).expand(self.temperature)

    def digest(self) -> str:
        """Digest what is kept of every text, in the texts' order."""
        total = hashlib.sha256(f"{len(self)} {self.width}".encode())
        for chunk in self._chunks():
            kept = self._kept(chunk)
            for part in (kept.top, kept.index, kept.rest):
                total.update(b"" if part is None else part.tobytes())
        return total.hexdigest()

    def _chunks(self) -> Iterator[slice]:
        return (slice(start, start + _CHUNK) for start in range(0, len(self), _CHUNK))

    def _kept(self, picked: npt.NDArray[np.int64] | slice) -> KeptOutputs:
        where = list(zip(self.numbers[picked].tolist(), self.places[picked].tolist(), strict=True))
        if not where:
            return KeptOutputs(self.width, np.empty((0, self.width), np.float16))
        parts = self.parts
        top = np.stack([parts[number].top[place] for number, place in where])
        first = parts[where[0][0]]
        if first.index is None or first.rest is None:
            return KeptOutputs(self.width, top)
        index = np.stack([parts[number].index[place] for number, place in where])
        rest = np.stack([parts[number].rest[place] for number, place in where])
        return KeptOutputs(self.width, top, index, rest)
