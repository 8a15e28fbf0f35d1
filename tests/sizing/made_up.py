"""A machine that obeys formulas, so that it is known what a cost model should say of it."""

import numpy as np

from edgekd.sizing.measured import MIB, Measured
from edgekd.sizing.shapes import Shape
from edgekd.sizing.work import Encoder, count_numbers, count_work, sizes_of

ENCODER = Encoder(6, 384, 12, 1536)
_MS = {
    "request": 0.05,
    "token": 0.004,
    "operators": 0.03,
    "products": 4e-8,
    "weights read": 1.5e-8,
    "attention": 6e-8,
    "table numbers read": 2e-6,
}
LENGTHS = tuple((length,) for length in (2, 3, 5, 8, 12, 20, 33, 60, 100))


def measure(shape: Shape, noise: float = 0.0, seed: int = 0, slower: float = 1.0) -> Measured:
    """Return what a measurement of a shape would show; `noise` is the spread of the logarithms."""
    rng = np.random.default_rng([seed, *shape.name.encode()])
    static = shape.model.kind == "static"
    sizes = sizes_of(shape.model, ENCODER, shape.model.vocabulary, 10)
    numbers = count_numbers(sizes)
    cut = [min(length[0], shape.model.max_tokens) for length in LENGTHS]
    grows = {"request": 1, "run": 1, "token": None, "token squared": None, "candidate": 0}
    ms = []
    for length in cut:
        basis = {**grows, "token": length, "token squared": length**2}
        work = count_work(sizes).items()
        ms.append(slower * sum(_MS.get(name, 0) * basis[base] * amount for name, (base, amount) in work))
    ms = np.array(ms) * np.exp(noise * rng.normal(size=len(ms)))
    each = 1.0 if "int8" in shape.recipe else 4.0
    model = each * (numbers["tables"] + numbers["products"]) + 4 * numbers["rest"]
    model += 4.0 * (numbers["rows"] + numbers["columns"]) * (each == 1.0)
    files = {"model": round(model + 60_000 + 4_000 * sizes.layers), "tokenizer.json": 20 * sizes.rows}
    memory = (30 if static else 60) + 1.5 * model / MIB
    spread = np.exp(noise * rng.normal(size=4))
    return Measured(
        shape=shape,
        rows=sizes.rows,
        outputs=10,
        runs=LENGTHS,
        candidates=(0,) * len(LENGTHS),
        ms=tuple(ms.tolist()),
        noise=(1.0,) * 20,
        p50_ms=float(np.quantile(np.repeat(ms, 20), 0.5) * spread[0]),
        p95_ms=float(np.quantile(np.repeat(ms, 20), 0.95) * spread[1]),
        cold_starts_ms=(slower * float((80 + 12 * sizes.layers + model / MIB) * spread[2]),),
        peak_rss_mib=float(memory * spread[3]),
        files=files,
    )
