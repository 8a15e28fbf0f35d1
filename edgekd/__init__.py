"""edgekd: distil, compile, measure, gate and promote small language models per hardware target."""

__version__ = "0.1.0"

__all__ = ["__version__"]
