"""`ssh://[user@]host[:port][?python=PATH]`: where a device is and which Python measures there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from edgekd.errors import BadInputError

_FORM = "ssh://[user@]host[:port][?python=/path/to/python]"
# Neither a user nor a host may start with a dash: ssh would read an option.
_URL = re.compile(
    r"ssh://(?:(?P<user>[^\s@:/?#-][^\s@:/?#]*)@)?"
    r"(?P<host>\w[\w.-]*|\[[0-9A-Fa-f:.]+(?:%\w+)?\])"
    r"(?::(?P<port>\d{1,5}))?/?"
    r"(?:\?python=(?P<python>[^?#&]+))?"
)


@dataclass(frozen=True)
class SshUrl:
    """A device that ssh reaches.

    Attributes:
        text: the URL as given, for messages.
        host: a name, an address, or an alias of ssh's own configuration.
        port: None leaves it to ssh's configuration.
        python: what runs there; a relative path counts from the home folder.
    """

    text: str
    host: str
    user: str | None = None
    port: int | None = None
    python: str = "python3"


def parse_ssh_url(text: str) -> SshUrl:
    """Read a URL.

    Raises:
        BadInputError: one line that says what is wrong with it.

    >>> parse_ssh_url("ssh://pi@board:2222?python=~/venv/bin/python").python
    'venv/bin/python'
    """
    shown = re.sub(r"(://[^@/:]*):[^@/]*@", r"\1:...@", text)
    if shown != text:
        raise BadInputError(f"{shown}: a password does not belong in a URL; use a key (ssh-copy-id) instead")
    match = _URL.fullmatch(text)
    if match is None:
        raise BadInputError(f"{text!r} is no device; expected {_FORM}")
    port = int(match["port"]) if match["port"] else None
    if port is not None and not 0 < port < 1 << 16:
        raise BadInputError(f"{text}: port must be between 1 and 65535, got {port}")
    user = unquote(match["user"]) if match["user"] else None
    python = unquote(match["python"] or "python3").removeprefix("~/")
    for part in (user or "", python):
        if part.startswith("-") or not part.isprintable():
            raise BadInputError(f"{text!r}: {part!r} is no name; expected {_FORM}")
    return SshUrl(text, match["host"].strip("[]"), user, port, python)
