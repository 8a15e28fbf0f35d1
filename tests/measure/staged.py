"""Holds memory from each stage on: 64 MiB more once imported, built, asked once, and asked for long."""

SIZE = 64 << 20
HELD = [bytearray(b"\x01") * SIZE]


def grows():
    HELD.append(bytearray(b"\x01") * SIZE)
    calls = 0

    def answer(text):
        nonlocal calls
        calls += 1
        if calls in (1, 30):
            HELD.append(bytearray(b"\x01") * SIZE)
        return text

    return answer


def in_small_pages(mebibytes):
    """Hold memory in pages of 4 KiB, each of which a reading of /proc/self/smaps_rollup visits."""
    import mmap

    kept = mmap.mmap(-1, int(mebibytes) << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    kept.madvise(mmap.MADV_NOHUGEPAGE)
    kept[:: mmap.PAGESIZE] = b"\x01" * (len(kept) // mmap.PAGESIZE)
    return lambda text: kept[0]
