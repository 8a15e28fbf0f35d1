"""What is measured: how a fresh process gets the callable."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from edgekd.errors import BadInputError

_FACTORY = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


@dataclass(frozen=True)
class Subject:
    """A callable from text to answer, named by the function that builds it.

    Attributes:
        name: what results call it; unique within a measurement.
        factory: "package.module:function"; a fresh process calls it with `args` and times what it returns, a
            callable that takes one text and returns an answer that is not None. An argument is a path or a
            name; nothing else crosses over from this process.
        args: the factory's arguments.
        python: the interpreter of its process, for a subject of another environment; empty is this one. The
            worker needs nothing there but the standard library.

    >>> Subject("upper", "operator:methodcaller", ("upper",)).name
    'upper'
    """

    name: str
    factory: str
    args: tuple[str, ...] = ()
    python: str = ""

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise BadInputError("a subject's name is empty; give it one that results can show")
        if not _FACTORY.fullmatch(self.factory):
            raise BadInputError(
                f"subject {self.name}: factory must read 'package.module:function', got {self.factory!r}"
            )
        if any("\0" in argument for argument in self.args):
            raise BadInputError(f"subject {self.name}: an argument holds a NUL character")
        if self.python and not os.access(self.python, os.X_OK):
            raise BadInputError(
                f"subject {self.name}: {self.python!r} is no interpreter that runs; make its environment"
            )

    @property
    def file_stem(self) -> str:
        """The name as it stands in file names."""
        return re.sub(r"[^A-Za-z0-9._]+", "-", self.name).strip("-.") or "subject"
