"""The model card of a bundle: what it is, how it was measured, its limits, licences, and the way back."""

from edgekd.bundle.card.origin import Origin, read_licence
from edgekd.bundle.card.write import write_card

__all__ = ["Origin", "read_licence", "write_card"]
