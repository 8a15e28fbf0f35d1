"""What travels inside an artifact: text in, answer out.

Depends on numpy and one runtime, and on tokenizers where the tokenizer is not WordPiece. Copied into every
artifact, so it imports nothing of the package around it; the package itself loads artifacts through the very
same code.

    from serving import load          # in an artifact's folder
    answer = load(".")("where is my order?")
"""

from .errors import ServingError
from .loader import Model, load

__all__ = ["Model", "ServingError", "load"]
