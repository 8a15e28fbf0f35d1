"""What any shape costs on one machine, told from a few dozen that were measured there.

Each family of shapes (kind of student, runtime, recipe, threads) has formulas of its own:

- time of a text: a sum of non-negative shares of its work (`work.count_work`), fitted to the median time of
  each timed text of each shape; percentiles are those of the texts' times, spread as calls were measured to
  spread, with one factor each for what that leaves;
- cold start and peak memory: the same regression on layers and on bytes of tables, products, tokenizer;
- file size: bytes of each number by arithmetic, and what the format adds (`file_size`).

Intervals come from predicting each measured shape, but for the fastest and the slowest of each family, by
formulas that were fitted without it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from edgekd.errors import ConfigError
from edgekd.sizing.budget import CONFIDENCE, FIGURES, Cost, Guess
from edgekd.sizing.file_size import NUMBERS, FileSize, fit_file_size
from edgekd.sizing.measured import MIB, Measured
from edgekd.sizing.reading import Lengths, Read
from edgekd.sizing.regression import conformal_ratio, fit_shares
from edgekd.sizing.shapes import Shape
from edgekd.sizing.work import BASES, Encoder, Sizes, count_basis, count_numbers, count_work, sizes_of

Matrix = npt.NDArray[np.float64]
Family = tuple[str, str, str, int]

LEAST_SHAPES = 3
"""Measured shapes of a family below which nothing is fitted."""
_TOKENIZER = ("tokenizer.json", "characters.txt")
_MOST_TEXTS = 64  # of a project's texts, spread over their times, percentiles are those of so many


@dataclass(frozen=True)
class _Formulas:
    """The formulas of one family; shares of work are by name, in ms."""

    time: Mapping[str, float]
    noise: tuple[float, ...]
    p50_factor: float
    p95_factor: float
    cold_start: tuple[float, ...]
    peak_rss: tuple[float, ...]
    size: FileSize


@dataclass(frozen=True)
class CostModel:
    """Formulas of one machine, and how far off they are.

    Attributes:
        encoder: The sizes of the teacher from which students are cut.
        within: For each figure the factor within which 90 % of shapes lie of their prediction.
        errors: For each figure the ratios of measured to predicted, each by formulas without that shape;
            the fastest and the slowest shape of a family are left out.
    """

    encoder: Encoder
    within: Mapping[str, float]
    errors: Mapping[str, tuple[float, ...]]
    _formulas: Mapping[Family, _Formulas] = field(repr=False)
    _most: Mapping[Family, Sizes] = field(repr=False)

    @classmethod
    def fit(cls, measured: Sequence[Measured], encoder: Encoder) -> CostModel:
        """Fit the formulas of every family that has been measured.

        Raises:
            ConfigError: a family has too few shapes.
        """
        families: dict[Family, list[Measured]] = {}
        for entry in measured:
            families.setdefault(entry.shape.family, []).append(entry)
        for family, entries in families.items():
            if len(entries) < LEAST_SHAPES:
                raise ConfigError(
                    f"{' '.join(map(str, family[:3]))}: {len(entries)} shapes were measured; expected at "
                    f"least {LEAST_SHAPES}"
                )
        formulas = {family: _fit(entries, encoder) for family, entries in families.items()}
        most = {family: _largest(entries, encoder) for family, entries in families.items()}
        errors: dict[str, list[float]] = {name: [] for name in FIGURES}
        for entries in families.values():
            for entry in _choose_inner(entries):
                without = _fit([other for other in entries if other is not entry], encoder)
                for name, value in _predict(without, entry.shape, encoder, _as_read(entry)).items():
                    errors[name].append(entry.of(name) / value)
        within = {
            name: conformal_ratio(np.array(found), np.ones(len(found)), CONFIDENCE)
            for name, found in errors.items()
        }
        told = {name: tuple(found) for name, found in errors.items()}
        return cls(encoder, within, told, formulas, most)

    def knows(self, shape: Shape) -> bool:
        """Say whether shapes of its family were measured."""
        return shape.family in self._formulas

    def predict(self, shape: Shape, lengths: Lengths) -> Cost:
        """Predict what a shape costs on texts of these lengths.

        Raises:
            ConfigError: no shape of its family was measured.
        """
        if not self.knows(shape):
            raise ConfigError(f"{shape.name}: no shape of its kind, runtime and recipe was measured")
        formulas = self._formulas[shape.family]
        found = _predict(formulas, shape, self.encoder, lengths.of(shape.model))
        guesses = {}
        for name, value in found.items():
            factor = self.within[name]
            guesses[name] = Guess(value, value / factor, value * factor)
        return Cost(**guesses)

    def predict_measured(self, entry: Measured) -> Cost:
        """Predict what was measured, on the texts that it was measured on."""
        formulas = self._formulas[entry.shape.family]
        found = _predict(formulas, entry.shape, self.encoder, _as_read(entry))
        return Cost(
            **{
                name: Guess(value, value / self.within[name], value * self.within[name])
                for name, value in found.items()
            }
        )

    def beyond(self, shape: Shape, lengths: Lengths) -> str:
        """Name the size in which a shape is larger than all that were measured; empty where there is none."""
        read = lengths.of(shape.model)
        sizes, most = sizes_of(shape.model, self.encoder, read.rows, read.outputs), self._most[shape.family]
        return next((name for name in ("layers", "width", "inner") if _of(sizes, name) > _of(most, name)), "")


def _choose_inner(entries: Sequence[Measured]) -> Sequence[Measured]:
    """Leave out the fastest and the slowest shape: formulas without them would be asked beyond their ends."""
    if len(entries) < LEAST_SHAPES + 2:
        return entries
    return sorted(entries, key=lambda entry: entry.p50_ms)[1:-1]


def _of(sizes: Sizes, name: str) -> int:
    return int(getattr(sizes, name))


def _largest(entries: Sequence[Measured], encoder: Encoder) -> Sizes:
    known = [sizes_of(entry.shape.model, encoder, entry.rows, entry.outputs) for entry in entries]
    return Sizes(*(max(_of(sizes, name) for sizes in known) for name in Sizes.__dataclass_fields__))


def _as_read(entry: Measured) -> Read:
    tokenizer = sum(entry.files.get(name, 0) for name in _TOKENIZER)
    return Read(entry.rows, tokenizer, entry.runs, entry.candidates, entry.outputs)


def _fit(entries: Sequence[Measured], encoder: Encoder) -> _Formulas:
    reads = [_as_read(entry) for entry in entries]
    sizes = [sizes_of(entry.shape.model, encoder, entry.rows, entry.outputs) for entry in entries]
    works = [count_work(size) for size in sizes]
    names = tuple(works[0])
    blocks = []
    for entry, read, work in zip(entries, reads, works, strict=True):
        basis = count_basis(read.runs, read.candidates, entry.shape.model.max_tokens)
        blocks.append(
            np.stack([basis[:, BASES.index(work[name][0])] * work[name][1] for name in names], axis=1)
        )
    # Every shape counts as much as any other, however many of its texts were timed.
    weights = np.concatenate([np.full(len(entry.ms), 1 / np.sqrt(len(entry.ms))) for entry in entries])
    times = np.concatenate([np.asarray(entry.ms) for entry in entries])
    shares = fit_shares(np.concatenate(blocks), times, weights)
    time = dict(zip(names, shares.tolist(), strict=True))
    noise = tuple(np.median([entry.noise for entry in entries], axis=0).tolist())
    numbers = np.array([_numbers(entry.shape, size) for entry, size in zip(entries, sizes, strict=True)])
    layers = np.array([float(size.layers) for size in sizes])
    own_bytes = np.array(
        [
            float(entry.artifact_bytes - read.tokenizer_bytes)
            for entry, read in zip(entries, reads, strict=True)
        ]
    )
    size = fit_file_size(numbers, layers, own_bytes)
    features = np.array(
        [
            _memory_features(kinds, one, size, read)
            for kinds, one, read in zip(numbers, sizes, reads, strict=True)
        ]
    )
    cold = fit_shares(features, np.array([entry.cold_start_ms for entry in entries]))
    rss = fit_shares(features, np.array([entry.peak_rss_mib for entry in entries]))
    found = _Formulas(time, noise, 1.0, 1.0, tuple(cold.tolist()), tuple(rss.tolist()), size)
    told = [_predict(found, entry.shape, encoder, read) for entry, read in zip(entries, reads, strict=True)]
    factors = [
        float(np.median([entry.of(name) / one[name] for entry, one in zip(entries, told, strict=True)]))
        for name in ("p50_ms", "p95_ms")
    ]
    return _Formulas(time, noise, factors[0], factors[1], found.cold_start, found.peak_rss, size)


def _numbers(shape: Shape, sizes: Sizes) -> list[float]:
    """Return how many numbers an artifact holds, in the order of NUMBERS."""
    found = count_numbers(sizes)
    if shape.rows is not None and shape.rows < found["rows"]:  # tokens share rows, and a table says which
        found["tables"] *= shape.rows / found["rows"]
        found["rest"] += found["rows"]
        found["rows"] = shape.rows
    return [found[name] for name in NUMBERS]


def _memory_features(
    numbers: Matrix | Sequence[float], sizes: Sizes, size: FileSize, read: Read
) -> list[float]:
    """Return what cold start and memory grow with: one, layers, MiB of tables, products and the tokenizer."""
    of = dict(zip(NUMBERS, np.asarray(size.each) * np.asarray(numbers) / MIB, strict=True))
    tables, products = of["tables"] + of["rows"], of["products"] + of["columns"] + of["rest"]
    return [1.0, float(sizes.layers), tables, products, read.tokenizer_bytes / MIB]


def _predict(formulas: _Formulas, shape: Shape, encoder: Encoder, read: Read) -> dict[str, float]:
    """Return every figure of a cost."""
    sizes = sizes_of(shape.model, encoder, read.rows, read.outputs)
    numbers = _numbers(shape, sizes)
    own = formulas.size.predict(numbers, sizes.layers)
    features = np.array(_memory_features(numbers, sizes, formulas.size, read))
    times = _text_times(formulas, sizes, count_basis(read.runs, read.candidates, shape.model.max_tokens))
    if len(times) > _MOST_TEXTS:
        middles = (np.arange(_MOST_TEXTS) + 0.5) / _MOST_TEXTS
        times = np.quantile(times, middles)
    calls = np.outer(times, formulas.noise).ravel()
    return {
        "p50_ms": float(np.quantile(calls, 0.5)) * formulas.p50_factor,
        "p95_ms": float(np.quantile(calls, 0.95)) * formulas.p95_factor,
        "cold_start_ms": float(features @ formulas.cold_start),
        "peak_rss_mib": float(features @ formulas.peak_rss),
        "artifact_mib": (own + read.tokenizer_bytes) / MIB,
    }


def _text_times(formulas: _Formulas, sizes: Sizes, basis: Matrix) -> Matrix:
    by_base = np.zeros(len(BASES))
    for name, (base, amount) in count_work(sizes).items():
        by_base[BASES.index(base)] += formulas.time.get(name, 0.0) * amount
    found: Matrix = basis @ by_base
    return found
