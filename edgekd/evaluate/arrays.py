"""Array types of this package: dtype and axes, as jaxtyping writes them."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int

Scores = Float[np.ndarray, "example label"]
"""Logits or probabilities, one row an example."""
Labels = Int[np.ndarray, "example"]
"""Index of a label, one an example."""
Flags = Bool[np.ndarray, "example"]
"""Whether an example is in a slice."""
Hits = Bool[np.ndarray, "row"]
"""Whether a row of one slice is a hit."""
Values = Float[np.ndarray, "row"]
"""What each row of one slice is worth by a metric, from 0 to 1."""
Classes = Int[np.ndarray, "class"]
"""Indices of some of the labels."""
Biases = Float[np.ndarray, "label"]
"""What is added to the logit of each label where one is chosen."""
