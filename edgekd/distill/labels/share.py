"""A part of all texts, for several processes or machines to label at once."""

from __future__ import annotations

from typing import NamedTuple

from edgekd.errors import ConfigError


class Share(NamedTuple):
    """The part of all texts that is labelled here: number `number`, from 1, of `of`."""

    number: int
    of: int


WHOLE = Share(1, 1)


def parse_share(text: str) -> Share:
    """Read `2/4`: the second of four shares.

    Raises:
        ConfigError: if it is not of this form.
    """
    number, slash, of = text.partition("/")
    if not (slash and number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of)):
        raise ConfigError(
            f"--shard must be i/n with 1 <= i <= n, as 2/4 for the second of four, got '{text}'"
        )
    return Share(int(number), int(of))
