"""The processes of one training, through Accelerate: one, or those that `torchrun` started."""

from __future__ import annotations

import atexit
import gc
import os
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor, nn

from edgekd.errors import MissingExtraError

# The first process may label or load for long while the others wait.
_PATIENCE = timedelta(days=2)
_LONGEST = 1 << 13  # bytes, twice the longest path


class Processes:
    """How many there are, which one this is, and what they do together; alone it costs nothing.

    A model `has_idle_parts` if some steps give some of its parameters no gradient.
    """

    def __init__(self, has_idle_parts: bool = False) -> None:
        self._accelerator: Any = None
        if int(os.environ.get("WORLD_SIZE", "1")) > 1:
            try:
                from accelerate import Accelerator, DistributedDataParallelKwargs, InitProcessGroupKwargs
            except ImportError:
                raise MissingExtraError("accelerate", "train") from None
            # gloo sums sparse gradients, too.
            group = InitProcessGroupKwargs(backend="gloo", timeout=_PATIENCE)
            idle = DistributedDataParallelKwargs(find_unused_parameters=has_idle_parts)
            self._accelerator = Accelerator(cpu=True, kwargs_handlers=[group, idle])
            atexit.register(_leave)
        self.count = 1 if self._accelerator is None else int(self._accelerator.num_processes)
        self.number = 0 if self._accelerator is None else int(self._accelerator.process_index)

    @property
    def is_first(self) -> bool:
        """Whether this is the one that writes."""
        return self.number == 0

    def wrap(self, model: nn.Module) -> nn.Module:
        """Return the model whose gradients are averaged over the processes; it shares its weights."""
        if self._accelerator is None:
            return model
        wrapped: nn.Module = self._accelerator.prepare_model(model)
        return wrapped

    def own_gradient(self, model: nn.Module, is_last: bool) -> AbstractContextManager[Any]:
        """Keep a gradient to this process, but for the last of a step's."""
        if self._accelerator is None or is_last:
            return nullcontext()
        context: AbstractContextManager[Any] = self._accelerator.no_sync(model)
        return context

    def sum(self, value: Tensor) -> Tensor:
        """Add up a tensor over all processes."""
        if self._accelerator is None:
            return value
        with torch.no_grad():
            summed: Tensor = self._accelerator.reduce(value, reduction="sum")
        return summed

    def tell(self, words: str | None) -> str:
        """Return on all processes what the first one says."""
        # Not torch's broadcast of objects, which unpickles what it receives.
        said = torch.zeros(_LONGEST, dtype=torch.uint8)
        if self.is_first and words:
            said[: len(words.encode())] = torch.tensor(list(words.encode()), dtype=torch.uint8)
        if self._accelerator is not None:
            torch.distributed.broadcast(said, src=0)
        return bytes(said.tolist()).rstrip(b"\0").decode()

    def wait(self) -> None:
        """Wait until all are here."""
        if self._accelerator is not None:
            self._accelerator.wait_for_everyone()


def _leave() -> None:
    """End the group before the interpreter goes: gloo's threads that outlive it can crash the process.

    They end with the last that holds the group, so a wrapped model that waits to be collected goes first.
    """
    if torch.distributed.is_initialized():
        gc.collect()
        torch.distributed.destroy_process_group()
