"""The one error of the loader."""

from __future__ import annotations


class ServingError(ValueError):
    """An artifact that cannot be used, or a model that gave no usable answer; one line."""
