"""Values, documents and texts that are nearly right; everything is drawn from one `random.Random`."""

from __future__ import annotations

import copy
from random import Random
from typing import Any

_DEEP: Any = 1
for _ in range(60):
    _DEEP = [_DEEP]

PLAIN: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2, 7, 2**31, 2**53 + 1, 2**63 - 1, 2**63, 10**6, 10**9, 10**30, -(10**30)),
    *(0.0, -0.5, 0.5, 1.5, 1e-9, 1e308, -1e308, 5e-324),
    *("", " ", "a", "order", "\t", "x" * 3000, "../x", "/etc/passwd", "/dev/zero", "~", ".", "..", "a/b"),
    *(
        "{}",
        "[]",
        "null",
        "true",
        "1",
        "1e3",
        "0x10",
        "NaN",
        "漫画",
        "e\u0301",
        "\u202e",
        "a\nb",
        "%s%n",
        "'",
        '"',
    ),
    *("hub:nobody/none", "hf:nobody/none", "package:nothing/x", "2020-13-45", "2020-01-01", "random()"),
    *([], {}, [[]], [None], [1, "a"], {"a": None}, {"": 1}, {"text": 1}, ["a", "a"], [True], [{}]),
)
"""Values that JSON, YAML and Arrow can hold."""
HARD: tuple[Any, ...] = (10**400, float("nan"), float("inf"), -float("inf"), "\0", "a\0b", "\ud83d", _DEEP)
"""Values that some formats cannot hold."""


def choose_value(rng: Random) -> Any:
    """Return any value, mostly a plain one."""
    return copy.deepcopy(rng.choice(HARD if rng.random() < 0.15 else PLAIN))


def list_places(value: Any) -> list[tuple[Any, Any]]:
    """List every container of a document with each of its keys."""
    places, waiting = [], [value]
    while waiting:
        one = waiting.pop()
        keys = list(one) if isinstance(one, dict) else range(len(one)) if isinstance(one, list) else ()
        for key in keys:
            places.append((one, key))
            waiting.append(one[key])
    return places


def mutate(rng: Random, document: Any, times: int | None = None) -> Any:
    """Return a copy of a document with a few values replaced, removed, repeated or moved."""
    document = copy.deepcopy(document)
    for _ in range(rng.choice((1, 1, 1, 2, 3)) if times is None else times):
        places = list_places(document)
        if not places:
            return choose_value(rng)
        container, key = rng.choice(places)
        act = rng.random()
        if act < 0.6:
            container[key] = choose_value(rng)
        elif act < 0.7:
            del container[key]
        elif act < 0.8:
            other, name = rng.choice(places)
            if name in other if isinstance(other, dict) else name < len(other):
                container[key] = copy.deepcopy(other[name])
        elif act < 0.9:
            container[key] = rng.choice(([container[key]], {"a": container[key]}, [container[key]] * 2))
        elif isinstance(container, dict):
            container[rng.choice(("", "x", "text", "label", f"{key} ", str(key).upper()))] = choose_value(rng)
        else:
            container.append(choose_value(rng))
    return document


def damage(rng: Random, data: bytes) -> bytes:
    """Return bytes with a few of them cut, changed, repeated or added."""
    for _ in range(rng.choice((1, 1, 2, 4))):
        place = rng.randrange(len(data) + 1)
        end = min(len(data), place + rng.choice((1, 2, 8, 64)))
        act = rng.random()
        if act < 0.25:
            data = data[:place]
        elif act < 0.5:
            data = data[:place] + bytes(rng.randrange(256) for _ in range(end - place)) + data[end:]
        elif act < 0.6:
            data = data[:place] + data[end:]
        elif act < 0.75:
            data = data[:place] + data[place:end] * rng.choice((2, 3, 50)) + data[place:]
        else:
            data = data[:place] + rng.choice(_PIECES) + data[place:]
    return data


_PIECES = (
    *(b"\0", b"\xff", b"\xef\xbb\xbf", b"\r", b"\n", b"\n\n", b'"', b"'", b",", b":", b"{", b"}", b"[", b"]"),
    *(b"9" * 5000, b"1" * 400, b"[" * 2000, b'{"a":' * 500, b"NaN", b"-Infinity", b"\\ud800", b"\\u0000"),
    *(
        b"1e999",
        b"null",
        b"true",
        b"\xed\xa0\x80",
        b"x" * 70_000,
        b"\t",
        b"#",
        b"&a ",
        b"*a",
        b"!!int z",
        b"- ",
    ),
)


YAML = (
    *(
        "!!int z",
        "2020-13-45",
        "!!timestamp 2020-13-45",
        "!!float z",
        "!!bool maybe",
        "!!binary z",
        "!!set {a}",
    ),
    *(
        "!!python/object/apply:os.system [id]",
        "!!omap [a]",
        "!!pairs [a: 1]",
        "!!null x",
        "&a [*a]",
        "*nobody",
    ),
    *("[" * 3000, "{a: " * 500, "- " * 300, "9" * 5000, "-" + "1" * 4400, '"\\0"', '"\\ud83d"', "? [a]\n: 1"),
    *(
        ".nan",
        ".inf",
        "-.inf",
        "1:1:1",
        "0b1",
        "0o7",
        "0x",
        "on",
        "yes",
        "~",
        "1_0",
        "1e3",
        "<<",
        "'",
        '"',
        "|",
        ">",
    ),
    *(
        "{<<: [1]}",
        "{<<: {a: 1}}",
        "{a: 1, a: 2}",
        "[a, b",
        "{a: b",
        "%YAML 9.9",
        "---",
        "...",
        "!",
        "!<>",
        "@",
        "`",
    ),
    *(
        "&a {x: &b [*a]}",
        "2020-01-01",
        "2020-01-01 99:99:99",
        "{? {a: 1} : 2}",
        "!!str",
        "!!map []",
        "!!seq {}",
    ),
    "[&a [x, x, x, x, x, x], &b [*a, *a, *a, *a, *a, *a, *a], &c [*b, *b, *b, *b, *b, *b, *b], "
    "&d [*c, *c, *c, *c, *c, *c, *c], &e [*d, *d, *d, *d, *d, *d, *d], &f [*e, *e, *e, *e, *e], "
    "[*f, *f, *f, *f, *f]]",
)
"""Values that YAML has words of its own for."""
