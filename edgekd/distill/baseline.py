"""A linear bag of words: what any student must beat to be worth its weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy.typing as npt

from edgekd.distill.examples import Examples
from edgekd.distill.learner import Learner
from edgekd.errors import MissingExtraError

_STRENGTHS = (0.1, 0.3, 1.0, 3.0)


def bag_of_words_answers(
    learner: Learner, train: Examples, validation: Examples, texts: Sequence[str]
) -> npt.NDArray[Any]:
    """Answer texts by TF-IDF of words and word pairs and the learner's linear model, in the form of targets.

    Train and validation rows all have targets; the regularization is the best of four on validation rows.
    """
    try:
        from sklearn.feature_extraction.text import TfidfVectorizer
    except ImportError:
        raise MissingExtraError("scikit-learn", "train") from None
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"(?u)\b\w+\b|[?!]")
    seen = words.fit_transform(train.texts)
    judged, asked = words.transform(validation.texts), words.transform(texts)
    models = [learner.linear_model(strength).fit(seen, train.targets) for strength in _STRENGTHS]
    best = max(models, key=lambda model: learner.closeness(model.predict(judged), validation.targets))
    return best.predict(asked).astype(train.targets.dtype)
