"""A decision bias that changes some answers of a sample student."""

from pathlib import Path

import numpy as np

from edgekd.compile import Artifact
from edgekd.compile.policy import set_policy
from edgekd.serving import load


def add_bias(artifact: Artifact, folder: Path, texts, policy=None, share=0.3) -> Artifact:
    """Copy an artifact with a bias for the label that comes second most often, and one against a rare label.

    The first changes that share of the answers to texts that have another label.
    """
    model = load(artifact.path)
    scores = model.outputs(texts) / model.calibration.temperature
    second = np.bincount(np.argsort(scores, axis=1)[:, -2], minlength=scores.shape[1]).argmax()
    others = scores.argmax(axis=1) != second
    gaps = (scores.max(axis=1) - scores[:, second])[others]
    rare = int(np.bincount(scores.argmax(axis=1), minlength=scores.shape[1]).argmin())
    bias = {model.labels[int(second)]: round(float(np.quantile(gaps, share)), 6)}
    bias.setdefault(model.labels[rare], -0.25)
    return set_policy(artifact, policy or {}, folder, bias)


def changed_texts(model, texts) -> list[str]:
    """Return the texts whose answer is another one than the largest logit's."""
    return [text for text in texts if model(text).label_index != int(model.outputs([text])[0].argmax())]
