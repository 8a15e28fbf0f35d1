"""The counted process: builds one subject, answers untimed, then has the instructions of its calls counted.

Started as `python -P -m edgekd.measure.counting.worker` by `count.py`, below valgrind or alone. Before the
subject it imports the standard library only.

Valgrind is spoken to in client requests: a sequence of instructions that does nothing on a CPU and that
valgrind, which translates all code, takes for a call of its own. They are written in valgrind.h as inline
assembly; here they are bytes in an executable page that ctypes calls.
"""

from __future__ import annotations

import ctypes
import errno
import gc
import json
import mmap
import os
import platform
import struct
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, Literal

from edgekd.measure.worker import die_with_parent, load_subject

Counter = Literal["perf", "callgrind", "clock"]
"""What a mark reads; `clock` counts nanoseconds, to tell how slow the others are."""

# The interpreter specialises a function's code over its first calls (PEP 659); they are not counted.
MIN_WARMUP_CALLS = 32
# valgrind.h: RUNNING_ON_VALGRIND; callgrind.h: VG_USERREQ_TOOL_BASE('C', 'T') and the order of its requests.
RUNNING_ON_VALGRIND = 0x1001
DUMP_STATS, START_INSTRUMENTATION, STOP_INSTRUMENTATION = 0x43540000, 0x43540004, 0x43540005

# long request(long otherwise, const long words[6]): VALGRIND_DO_CLIENT_REQUEST_EXPR of valgrind.h, with the
# platform's C calling convention around it.
_REQUEST = {
    "x86_64": bytes.fromhex(
        "4889fa 4889f0"  # mov rdx, rdi; mov rax, rsi
        "48c1c703 48c1c70d 48c1c73d 48c1c733"  # rol rdi by 3, 13, 61, 51
        "4887db 4889d0 c3"  # xchg rbx, rbx; mov rax, rdx; ret
    ),
    "aarch64": struct.pack(
        "<9I",
        *(0xAA0003E3, 0xAA0103E4),  # mov x3, x0; mov x4, x1
        *(0x93CC0D8C, 0x93CC358C, 0x93CCCD8C, 0x93CCF58C),  # ror x12 by 3, 13, 51, 61
        *(0xAA0A014A, 0xAA0303E0, 0xD65F03C0),  # orr x10, x10, x10; mov x0, x3; ret
    ),
}
# void cpuid(unsigned leaf, unsigned subleaf, unsigned registers[4])
_CPUID = bytes.fromhex(
    "53 4989d0 89f8 89f1 0fa2"  # push rbx; mov r8, rdx; mov eax, edi; mov ecx, esi; cpuid
    "418900 41895804 41894808 4189500c"  # mov [r8], eax; and so on with ebx, ecx, edx
    "5b c3"  # pop rbx; ret
)
# Name: leaf, subleaf, register (eax, ebx, ecx, edx), bit. Intel SDM, volume 2A, CPUID.
_X86_SETS = {
    **{"sse4_2": (1, 0, 2, 20), "avx": (1, 0, 2, 28), "avx2": (7, 0, 1, 5), "fma": (1, 0, 2, 12)},
    **{"f16c": (1, 0, 2, 29), "avx_vnni": (7, 1, 0, 4), "avx512f": (7, 0, 1, 16), "avx512bw": (7, 0, 1, 30)},
    **{"avx512vl": (7, 0, 1, 31), "avx512_vnni": (7, 0, 2, 11), "avx512_bf16": (7, 1, 0, 5)},
    **{"avx512_fp16": (7, 0, 3, 23), "amx_tile": (7, 0, 3, 24), "amx_int8": (7, 0, 3, 25)},
    **{"amx_bf16": (7, 0, 3, 22)},
}
# Name: entry of the auxiliary vector (AT_HWCAP, AT_HWCAP2), bit. Linux, arch/arm64/include/uapi/asm/hwcap.h.
_ARM_SETS = {
    **{"asimd": (16, 1), "asimdhp": (16, 10), "asimddp": (16, 20), "i8mm": (26, 13), "bf16": (26, 14)},
    **{"sve": (16, 22), "sve2": (26, 1)},
}
_PERF_EVENT_OPEN = {"x86_64": 298, "aarch64": 241}
# linux/perf_event.h: perf_event_attr, PERF_ATTR_SIZE_VER0; PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS;
# inherit (threads started later count too), pinned (always on the counter, or an error), no kernel, no
# hypervisor.
_PERF_ATTRIBUTES = struct.pack("=IIQQQQQIIQ", 0, 64, 1, 0, 0, 0, 1 << 1 | 1 << 2 | 1 << 5 | 1 << 6, 0, 0, 0)


def main(argv: list[str]) -> None:
    """Count what one subject's calls take and tell it, as `counting` asks."""
    reply, lifeline, threads = (int(part) for part in argv[:3])
    die_with_parent(lifeline)
    counter, texts_path, factory, *arguments = argv[3:]
    # Runtimes that size their pools by the cores they may use then do the same on every machine.
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    mark, begin, end = _open_counter(counter)
    with open(texts_path, encoding="utf-8") as file:  # noqa: PTH123
        texts: list[str] = json.load(file)
    answer, _ = load_subject(factory, arguments, texts[0])
    warmup = (texts * (MIN_WARMUP_CALLS // len(texts) + 1))[: max(MIN_WARMUP_CALLS, len(texts))]
    mark_calls(answer, warmup, _nothing)
    gc.collect()
    gc.freeze()
    gc.disable()
    begin()
    marks = mark_calls(answer, texts, mark)
    idle_marks = mark_calls(_do_nothing, warmup, mark)
    end()
    document = {
        **{"stage": "counted", "marks": marks, "idle_marks": idle_marks},
        **{"isa": list_sets(), "python": platform.python_version()},
    }
    os.write(reply, json.dumps(document).encode() + b"\n")


def mark_calls(answer: Callable[[str], object], texts: Sequence[str], mark: Callable[[], int]) -> list[int]:
    """Answer text after text; return the mark before the first and the one after each."""
    marks = [0] * (len(texts) + 1)
    marks[0] = mark()
    for index, text in enumerate(texts, start=1):
        if answer(text) is None:
            raise TypeError(f"the callable answered None to text {index - 1}")
        marks[index] = mark()
    return marks


def list_sets() -> list[str]:
    """List the instruction sets that this process is told to have, by their names in /proc/cpuinfo.

    Asks as a runtime does that picks its kernels: x86's cpuid instruction, arm64's auxiliary vector. The
    file is no help: it tells what the CPU has, below valgrind too.
    """
    if platform.machine() == "x86_64":
        cpuid = _function(_CPUID, None, ctypes.c_uint32, ctypes.c_uint32, ctypes.c_void_p)
        registers = (ctypes.c_uint32 * 4)()

        def has(leaf: int, subleaf: int, register: int, bit: int) -> bool:
            cpuid(leaf, 0, registers)
            # A leaf tells in eax how many subleaves it has; beyond that the registers mean nothing.
            if subleaf and registers[0] < subleaf:
                return False
            cpuid(leaf, subleaf, registers)
            return bool(registers[register] >> bit & 1)

        cpuid(0, 0, registers)
        highest = registers[0]
        return [name for name, place in _X86_SETS.items() if place[0] <= highest and has(*place)]
    if platform.machine() == "aarch64":
        read = ctypes.CDLL(None).getauxval
        read.restype, read.argtypes = ctypes.c_ulong, [ctypes.c_ulong]
        return [name for name, (entry, bit) in _ARM_SETS.items() if read(entry) >> bit & 1]
    return []


def open_perf() -> int:
    """Open the kernel's count of this process's instructions in user mode, its later threads included.

    What `perf stat -e instructions:u` reads, but from inside, so that calls can be told from the rest.

    Raises:
        OSError: if the kernel or the machine has no such counter, or does not let this user read it.
    """
    number = _PERF_EVENT_OPEN.get(platform.machine())
    if number is None:
        raise OSError(errno.ENOSYS, f"not known how on {platform.machine()}")
    call = ctypes.CDLL(None, use_errno=True).syscall
    call.restype = ctypes.c_long
    words = (ctypes.c_long(word) for word in (0, -1, -1, 0))
    file: int = call(ctypes.c_long(number), ctypes.c_char_p(_PERF_ATTRIBUTES), *words)
    if file < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    read_perf(file)
    return file


def read_perf(file: int) -> int:
    """Return how many instructions ran since `open_perf`."""
    word = os.read(file, 8)
    if len(word) < 8:
        raise OSError(errno.EBUSY, "the CPU's counter is taken by someone else")
    return int.from_bytes(word, sys.byteorder)


def _open_counter(counter: str) -> tuple[Callable[[], int], Callable[[], int], Callable[[], int]]:
    """Return what makes a mark, and what is to be called before the first and after the last."""
    if counter == "perf":
        file = open_perf()
        return (lambda: read_perf(file)), _nothing, _nothing
    if counter == "callgrind":
        request = _function(_REQUEST[platform.machine()], ctypes.c_long, ctypes.c_long, ctypes.c_void_p)

        def make(number: int) -> Callable[[], int]:
            words = (ctypes.c_ulong * 6)(number)
            return lambda: int(request(0, words))

        if not make(RUNNING_ON_VALGRIND)():
            raise RuntimeError("valgrind does not answer from inside the process")
        # A mark is a file with the counts since the last one.
        return make(DUMP_STATS), make(START_INSTRUMENTATION), make(STOP_INSTRUMENTATION)
    return time.perf_counter_ns, _nothing, _nothing


def _function(code: bytes, result: Any, *arguments: Any) -> Callable[..., Any]:
    """Make machine code callable; its page stays for the life of the process."""
    page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(code)
    start = ctypes.c_char.from_buffer(page)
    function = ctypes.CFUNCTYPE(result, *arguments)(ctypes.addressof(start))
    function.page = start  # type: ignore[attr-defined]
    return function


def _nothing() -> int:
    return 0


def _do_nothing(text: str) -> str:
    return text


if __name__ == "__main__":
    main(sys.argv[1:])
