import json
import subprocess
import sys

import pytest

from edgekd.distill.training.memory import kept_memory

FAULTS = """
import json, resource, torch
from edgekd.distill.training.memory import kept_memory
def faults(numbers=2**24):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(9):
        torch.zeros(numbers)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
with kept_memory():
    pass
faults(2**21)  # until free blocks lie side by side
small = faults(2**21)
usual = faults()
with kept_memory():
    for _ in range(4):  # until free blocks lie side by side and the next one fits
        kept = faults()
print(json.dumps([usual, kept, faults(), small]))
"""


def test_a_large_block_comes_again_without_new_pages():
    """Pages that the system had to give for nine blocks of 64 MB: before, inside and afterwards.

    Blocks of 8 MB, as a student's step has them, stay in the process afterwards.
    """
    done = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, text=True, check=True)
    usual, kept, afterwards, small = json.loads(done.stdout)
    assert kept < usual / 4
    assert afterwards > usual / 10  # given back: what comes then is new again
    assert small < 9 * 2**23 / 4096 / 4


def test_a_failure_inside_comes_out():
    with pytest.raises(ZeroDivisionError), kept_memory():
        _ = 1 / 0
