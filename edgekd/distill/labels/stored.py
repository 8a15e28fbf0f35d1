"""Logits that stay on disk until rows of them are asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgekd.distill.labels.kept import KeptLogits, check_temperature

_CHUNK = 4096


@dataclass(frozen=True)
class StoredLogits:
    """Logits [text, label] in half precision, for the softmax at one temperature.

    `logits[picked]` reads rows as a numpy array would give them; text i is row `places[i]` of part
    `numbers[i]`.
    """

    parts: Sequence[KeptLogits]
    numbers: npt.NDArray[np.int64]
    places: npt.NDArray[np.int64]
    labels: int
    temperature: float

    def __post_init__(self) -> None:
        check_temperature(self.labels, self.temperature)

    @property
    def shape(self) -> tuple[int, int]:
        """Texts and labels."""
        return len(self.places), self.labels

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, picked: npt.NDArray[np.int64] | slice) -> npt.NDArray[np.float16]:
        return self._kept(picked).expand(self.temperature)

    def argmax(self, axis: int = 1) -> npt.NDArray[np.int64]:
        """Return the likeliest class of each text; the axis can only be that of the labels."""
        assert axis in (1, -1)
        found = [self[chunk].argmax(axis=1) for chunk in self._chunks()]
        return np.concatenate(found) if found else np.empty(0, np.int64)

    def digest(self) -> str:
        """Digest what is kept of every text, in the texts' order."""
        total = hashlib.sha256(f"{len(self)} {self.labels}".encode())
        for chunk in self._chunks():
            kept = self._kept(chunk)
            for part in (kept.top, kept.index, kept.rest):
                total.update(b"" if part is None else part.tobytes())
        return total.hexdigest()

    def _chunks(self) -> Iterator[slice]:
        return (slice(start, start + _CHUNK) for start in range(0, len(self), _CHUNK))

    def _kept(self, picked: npt.NDArray[np.int64] | slice) -> KeptLogits:
        where = list(zip(self.numbers[picked].tolist(), self.places[picked].tolist(), strict=True))
        if not where:
            return KeptLogits(self.labels, np.empty((0, self.labels), np.float16))
        parts = self.parts
        top = np.stack([parts[number].top[place] for number, place in where])
        first = parts[where[0][0]]
        if first.index is None or first.rest is None:
            return KeptLogits(self.labels, top)
        index = np.stack([parts[number].index[place] for number, place in where])
        rest = np.stack([parts[number].rest[place] for number, place in where])
        return KeptLogits(self.labels, top, index, rest)
