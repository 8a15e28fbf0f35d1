"""The one error of the loader."""

from __future__ import annotations

_LONGEST = 1200  # characters: a name in a file can be megabytes long


class ServingError(ValueError):
    """An artifact that cannot be used, or a model that gave no usable answer; one line."""

    def __str__(self) -> str:
        """Return the message; of a very long one the beginning and the end."""
        words = super().__str__()
        half = _LONGEST // 2
        return words if len(words) <= _LONGEST else f"{words[:half]} ... {words[-half:]}"
