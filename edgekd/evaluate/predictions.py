"""What a model answered, example by example."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgekd.errors import DataError
from edgekd.evaluate.arrays import Biases, Flags, Labels, Scores
from edgekd.store import digest_file, digest_json, parse_json, write_atomic


@dataclass(frozen=True, eq=False)
class Predictions:
    """Outputs of one artifact (`subject` is its digest), in the order of the rows.

    `bias` [output] is added to the outputs where one is chosen, and nowhere else: probabilities stay as
    the model gives them. Where rows have different numbers of outputs, a row ends in NaN for those that it
    does not have.

    Raises:
        DataError: on making one that is empty, not a table, or holds a number that is not finite before the
            end of a row's outputs.
    """

    subject: str
    outputs: Scores
    bias: Biases | None = None

    def __post_init__(self) -> None:
        if self.outputs.ndim != 2 or 0 in self.outputs.shape:
            raise DataError(
                f"predictions of {self.subject[:12]}: expected outputs of [rows, outputs], "
                f"got shape {list(self.outputs.shape)}"
            )
        if self.bias is not None and self.bias.shape != self.outputs.shape[1:]:
            raise DataError(
                f"predictions of {self.subject[:12]}: expected a bias for each of "
                f"{self.outputs.shape[1]} outputs, got {list(self.bias.shape)}"
            )
        known = np.isfinite(self.outputs)
        places = np.arange(known.shape[1])
        owned = places < known.sum(axis=1, keepdims=True)
        finite = known[:, 0] & (known == owned).all(axis=1) & ~np.isinf(self.outputs).any(axis=1)
        self._refuse(finite)

    @property
    def labels(self) -> Labels:
        """Index of the label that is answered: the likeliest once the bias is added, the first of equals."""
        whole = self._whole()
        return np.asarray(np.argmax(whole if self.bias is None else whole + self.bias, axis=1))

    def probabilities(self, temperature: float = 1.0) -> Scores:
        """Softmax of the outputs over `temperature`, in double precision."""
        if not temperature > 0:
            raise DataError(f"temperature must be > 0, got {temperature}")
        scaled = self._whole().astype(np.float64) / temperature
        powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))

    def _whole(self) -> Scores:
        """Return the outputs where every row has all of them: an answer is one of them."""
        finite = np.isfinite(self.outputs[:, -1])
        self._refuse(finite)
        return self.outputs

    def _refuse(self, finite: Flags) -> None:
        """Refuse rows [row] that are not."""
        if not finite.all():
            raise DataError(
                f"predictions of {self.subject[:12]}: {int((~finite).sum())} of {len(finite)} rows hold a "
                f"logit that is not finite, first row {int(np.argmin(finite))}; "
                "the model is broken for these inputs"
            )


def save_predictions(predictions: Predictions, ids: Sequence[str], path: Path) -> None:
    """Write `path` (.npy) and, beside it, `path`.json: whose answers, to which rows, its digest.

    The table is in place before the note that vouches for it, so a kill leaves nothing that loads.
    """
    if len(ids) != len(predictions.outputs):
        raise DataError(f"{path}: {len(predictions.outputs)} predictions for {len(ids)} rows")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            np.save(file, predictions.outputs, allow_pickle=False)
            file.flush()
            os.fsync(file.fileno())
        digest = digest_file(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    note = {"subject": predictions.subject, "rows": len(ids), "ids": digest_json(list(ids)), "sha256": digest}
    if predictions.bias is not None:
        note["bias"] = predictions.bias.tolist()
    write_atomic(_note(path), json.dumps(note, indent=1, sort_keys=True))


def load_predictions(path: Path, ids: Sequence[str]) -> Predictions:
    """Read predictions that were made for exactly these rows, in this order.

    Raises:
        DataError: if the files are missing, damaged, or of other rows.
    """
    try:
        note = parse_json(_note(path).read_text(encoding="utf-8"))
        subject, rows, digest, sha256 = (note[key] for key in ("subject", "rows", "ids", "sha256"))
        if digest_file(path) != sha256:
            raise DataError(f"{path}: is not the file that {_note(path).name} describes; evaluate again")
        outputs = np.load(path, allow_pickle=False)
        bias = np.array(note["bias"], np.float64) if "bias" in note else None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: cannot be read as predictions ({error}); evaluate again") from None
    if digest != digest_json(list(ids)):
        raise DataError(
            f"{path}: holds predictions for {rows} other rows than these {len(ids)}; evaluate again"
        )
    return Predictions(subject, outputs, bias)


def _note(path: Path) -> Path:
    return path.with_name(path.name + ".json")
