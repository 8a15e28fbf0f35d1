"""Every reader that is given inputs."""

from __future__ import annotations

from fuzzing import artifacts, command_line, registry, rows, settings
from fuzzing.reader import Reader

READERS: tuple[Reader, ...] = (
    *settings.READERS,
    *rows.READERS,
    *artifacts.READERS,
    *registry.READERS,
    *command_line.READERS,
)
