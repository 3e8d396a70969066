"""Schedulers of the learning rate: what may be one, and what an epoch's end tells it."""

from __future__ import annotations

from typing import Any

import torch
from torch.optim.lr_scheduler import ReduceLROnPlateau

from dlutil_core.common.errors import UserError


def check_scheduler(scheduler: Any, optimizer: torch.optim.Optimizer) -> None:
    """Refuse a scheduler that cannot be stepped, or that would change nothing."""
    if scheduler is None:
        return
    needed = ("step", "state_dict", "load_state_dict")
    if isinstance(scheduler, (type, torch.optim.Optimizer)) or not all(
        hasattr(scheduler, name) for name in needed
    ):
        shown = " ".join(repr(scheduler).split())[:60]
        raise UserError(
            f"scheduler is {shown}, but must be a scheduler of the "
            "learning rate, for example StepLR(optimizer, 10)"
        )
    if getattr(scheduler, "optimizer", optimizer) is not optimizer:
        raise UserError(
            f"the scheduler {type(scheduler).__name__} is over another optimizer than the model's: "
            "give both the same one"
        )


def step_scheduler(scheduler: Any, reward: float) -> None:
    """Step a scheduler, if there is one, at the end of an epoch that earned this reward."""
    if isinstance(scheduler, ReduceLROnPlateau):
        scheduler.step(reward if scheduler.mode == "max" else -reward)
    elif scheduler is not None:
        scheduler.step()
