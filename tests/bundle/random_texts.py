"""Texts of many scripts, with special tokens between, the same for the same seed."""

import random

# First and last code points to draw from, each script as often.
SCRIPTS = [
    (0x20, 0x7E), (0x00, 0x1F), (0x7F, 0xFF), (0x100, 0x24F), (0x300, 0x36F), (0x370, 0x3FF), (0x400, 0x4FF),
    (0x590, 0x5F4), (0x600, 0x6FF), (0x900, 0x97F), (0xE00, 0xE7F), (0x1100, 0x11FF), (0x1E00, 0x1EFF),
    (0x2000, 0x206F), (0x20A0, 0x20BF), (0x2100, 0x214F), (0x3000, 0x30FF), (0x4E00, 0x9FFF),
    (0xAC00, 0xD7A3),
    (0xE000, 0xF8FF), (0xF900, 0xFAFF), (0xFB00, 0xFDFF), (0xFE00, 0xFFFF), (0x10400, 0x1044F),
    (0x1D400, 0x1D7FF), (0x1F300, 0x1FAFF), (0x20000, 0x2A6DF), (0x2F800, 0x2FA1F), (0xE0000, 0xE01EF),
    (0x10FF00, 0x10FFFF),
]  # fmt: skip
WORDS = [
    "[CLS]",
    "[SEP]",
    "[MASK]",
    "[UNK]",
    "[PAD]",
    "[",
    "]",
    " ",
    " ",
    " ",
    "where",
    "unbelievably",
    "##ing",
    "é",
]


def random_texts(count, seed):
    rng = random.Random(seed)
    texts = []
    for _ in range(count):
        scripts = rng.sample(SCRIPTS, rng.randint(1, 3))
        pieces = [
            rng.choice(WORDS) if rng.random() < 0.3 else chr(rng.randint(*rng.choice(scripts)))
            for _ in range(rng.randint(0, 60))
        ]
        texts.append("".join(piece for piece in pieces if not "\ud800" <= piece <= "\udfff"))
    return texts
