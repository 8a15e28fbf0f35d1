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
Classes = Int[np.ndarray, "class"]
"""Indices of some of the labels."""
Biases = Float[np.ndarray, "label"]
"""What is added to the logit of each label where one is chosen."""
Table = Float[np.ndarray, "example place"]
"""A number for each of an example's places, such as its candidates."""
Served = Int[np.ndarray, "example"] | Float[np.ndarray, "example"] | Table
"""What is answered to each example: the index of a label, a number, or a number for each of its places, of
which those that it does not have hold NaN."""
Truth = Served
"""What is right for each example; of its places those that it does not have hold -1, unknown ones NaN."""
Numbers = Float[np.ndarray, "row"]
"""A number for each row of one slice."""
Values = Hits | Numbers
"""How good each answer to the rows of one slice is: a hit or not, or a number from 0 to 1."""
Weights = Float[np.ndarray, "example"]
"""How much each example counts."""
