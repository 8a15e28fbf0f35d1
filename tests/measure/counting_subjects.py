"""Callables whose instructions are counted; imported by counted processes through PYTHONPATH."""

import ctypes
import mmap
import os
import platform
import signal
import struct
import time
from itertools import repeat
from pathlib import Path


def loop(steps):
    """Take a fixed number of steps, each of the same instructions: an integer that grows would not do."""
    count = int(steps)

    def answer(text):
        for _ in repeat(None, count):
            pass
        return text

    return answer


def loop_after_heavy_work(steps, heavy_steps):
    """Be `loop`, after building that takes longer than all calls."""
    loop(heavy_steps)("")
    return loop(steps)


def loop_per_letter(steps):
    """Take a number of steps for each letter of the text."""
    count = int(steps)

    def answer(text):
        for _ in repeat(None, count * len(text)):
            pass
        return text

    return answer


def packed_decimal():
    """Store a number as packed decimal: every x86 CPU can (FBSTP), and valgrind cannot."""
    page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(bytes.fromhex("d9e8 df37 c3"))  # fld1; fbstp [rdi]; ret
    start = ctypes.c_char.from_buffer(page)
    store = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(ctypes.addressof(start))
    place = ctypes.create_string_buffer(10)

    def answer(text):
        store(place)
        return start is not None and place.raw[0]

    return answer


def raises_at_build():
    raise ValueError("the file is broken")


def none_later():
    """Answer None to the third text and after, first answers and warm-up left out."""
    answered = 0

    def answer(text):
        nonlocal answered
        answered += 1
        return None if answered > 3 else text

    return answer


def dies():
    return lambda text: os.kill(os.getpid(), signal.SIGSEGV)


def hangs(pid_file):
    """Sleep for longer than anybody waits, its process number told first."""
    temporary = Path(pid_file + ".tmp")
    temporary.write_text(str(os.getpid()))
    temporary.rename(pid_file)
    time.sleep(100)


def hangs_below_valgrind(pid_file):
    """Hang where valgrind imitates the CPU only."""
    if "valgrind" in Path("/proc/self/maps").read_text():
        hangs(pid_file)
    return lambda text: text


def machine_loop(turns):
    """Take exactly two instructions a turn, beside those of the call."""
    codes = {
        "x86_64": bytes.fromhex("48ffcf 75fb c3"),  # dec rdi; jnz -5; ret
        "aarch64": struct.pack("<3I", 0xF1000400, 0x54FFFFE1, 0xD65F03C0),  # subs x0, x0, #1; b.ne -4; ret
    }
    page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(codes[platform.machine()])
    start = ctypes.c_char.from_buffer(page)
    run = ctypes.CFUNCTYPE(None, ctypes.c_long)(ctypes.addressof(start))
    count = int(turns)

    def answer(text):
        run(count)
        return start is not None

    return answer
