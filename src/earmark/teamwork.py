"""Several processes that train one model, as torchrun starts them: the first leads, the others help in every step."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from earmark.errors import UserError

PATIENCE = timedelta(days=30)
"""How long a helper waits for word: the leader may compute features, judge and write reports in between."""


@dataclass(frozen=True)
class Team:
    """The processes that train together; one alone is a team too."""

    rank: int = 0
    """Which one this is; 0 leads."""
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process decides and writes."""
        return self.rank == 0

    def agree(self, word: Any = None) -> Any:
        """The leader's word, on every process; by way of the CPU, so that helpers wait without work."""
        if self.size == 1:
            return word
        import torch
        from torch import distributed

        words = [word]
        distributed.broadcast_object_list(words, device=torch.device("cpu"))
        return words[0]


ALONE = Team()


def team() -> Team:
    """The team that this process belongs to."""
    from torch import distributed

    if distributed.is_available() and distributed.is_initialized():
        return Team(distributed.get_rank(), distributed.get_world_size())
    return ALONE


def is_started_by_torchrun() -> bool:
    """Whether torchrun started this process, and more than one."""
    return "TORCHELASTIC_RUN_ID" in os.environ and int(os.environ.get("WORLD_SIZE", "1")) > 1


@contextmanager
def joined() -> Iterator[Team]:
    """Meet the other processes, each on a GPU of its own where there are any; at the end, tell helpers that it is over.

    Raises:
        UserError: more processes than GPUs.
    """
    import torch

    # torch imports it as DistributedDataParallel is made, and its functions hold the group of that moment: the threads
    # of a group that is held run on as the process ends, which may abort it. Imported here, they hold none.
    import torch.distributed.nn
    from torch import distributed

    on_gpus = torch.cuda.is_available()
    if on_gpus:
        place, n_gpus = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
        if place >= n_gpus:
            started = os.environ["LOCAL_WORLD_SIZE"]
            raise UserError(
                "torchrun",
                f"{started} processes for GPUs, of which there are {n_gpus}",
                f"--nproc-per-node {n_gpus}",
            )
        torch.cuda.set_device(place)
    distributed.init_process_group("cpu:gloo,cuda:nccl" if on_gpus else "gloo", timeout=PATIENCE)
    here = team()
    error = None
    try:
        yield here
    except UserError as raised:
        error = raised
    if here.leads:
        here.agree(None)
    distributed.destroy_process_group()
    if error is not None:
        raise error
