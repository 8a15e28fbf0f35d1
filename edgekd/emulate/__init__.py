"""Answers on instruction sets that this machine does not have, by QEMU; never a time."""

from edgekd.emulate.answers import emulated_outputs
from edgekd.emulate.machine import NAMES, Machine, find_machine

__all__ = ["NAMES", "Machine", "emulated_outputs", "find_machine"]
