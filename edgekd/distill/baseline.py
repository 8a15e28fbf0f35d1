"""A linear bag of words: what any student must beat to be worth its weights."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edgekd.data.taskdata import TaskData
from edgekd.errors import MissingExtraError

_STRENGTHS = (0.1, 0.3, 1.0, 3.0)


def bag_of_words_answers(data: TaskData) -> npt.NDArray[np.int64]:
    """Class index of each test row by TF-IDF of words and word pairs and a linear SVM.

    Learns from the labelled train rows; the regularization is the best of four on validation rows.
    """
    try:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.svm import LinearSVC
    except ImportError:
        raise MissingExtraError("scikit-learn", "train") from None
    train, validation, test = (data.split(name) for name in ("train", "validation", "test"))
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"(?u)\b\w+\b|[?!]")
    seen = words.fit_transform(train.texts)
    judged, asked = words.transform(validation.texts), words.transform(test.texts)
    models = [LinearSVC(C=c, random_state=0).fit(seen, train.classes) for c in _STRENGTHS]
    best = max(models, key=lambda model: (model.predict(judged) == validation.classes).mean())
    answers: npt.NDArray[np.int64] = best.predict(asked).astype(np.int64)
    return answers
