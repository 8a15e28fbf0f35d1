"""Callables for processes of another interpreter; imported by them through PYTHONPATH."""

import importlib.util
import sys


def interpreter():
    """Answer which environment the process runs in, and whether it holds more than the standard library."""
    found = (sys.prefix, importlib.util.find_spec("numpy") is not None)
    return lambda text: found
