"""Optimizers and schedulers of the learning rate: what may be one, and when one is stepped."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import torch
from torch.nn.parameter import UninitializedParameter
from torch.optim.lr_scheduler import CyclicLR, OneCycleLR, ReduceLROnPlateau

from dlutil_core.common.errors import UserError
from dlutil_core.common.wording import shortened

BY_BATCH = (OneCycleLR, CyclicLR)
"""Schedulers that torch says to step after every batch."""


def check_scheduler(scheduler: Any, optimizer: torch.optim.Optimizer) -> None:
    """Refuse a scheduler that cannot be stepped, or that would change nothing."""
    if scheduler is None:
        return
    needed = ("step", "state_dict", "load_state_dict")
    if isinstance(scheduler, (type, torch.optim.Optimizer)) or not all(
        hasattr(scheduler, name) for name in needed
    ):
        raise UserError(
            f"scheduler is {shortened(repr(scheduler), 60)}, but must be a scheduler of the "
            "learning rate, for example StepLR(optimizer, 10)"
        )
    if getattr(scheduler, "optimizer", optimizer) is not optimizer:
        raise UserError(
            f"the scheduler {type(scheduler).__name__} is over another optimizer than the model's: "
            "give both the same one"
        )


def interval_of(scheduler: Any, interval: str | None) -> str:
    """When a scheduler is stepped: `epoch` or `batch`; unless it is said, as it is made for.

    Parameters
    ----------
    interval
        `"epoch"`, `"batch"` or `None`.
    """
    if interval not in (None, "epoch", "batch"):
        raise UserError(f"scheduler_interval is {interval!r}, but must be 'epoch' or 'batch'")
    if interval == "batch" and isinstance(scheduler, ReduceLROnPlateau):
        raise UserError(
            "scheduler_interval is 'batch', but ReduceLROnPlateau steps by an epoch's reward: "
            "leave it out"
        )
    if interval is not None:
        return interval
    return "batch" if any(isinstance(s, BY_BATCH) for s in _parts(scheduler)) else "epoch"


def _parts(scheduler: Any) -> Iterator[Any]:
    """A scheduler and those that it puts together."""
    yield scheduler
    for part in getattr(scheduler, "_schedulers", ()):
        yield from _parts(part)


def step_scheduler(scheduler: Any, reward: float) -> None:
    """Step a scheduler at the end of an epoch that earned this reward."""
    if isinstance(scheduler, ReduceLROnPlateau):
        scheduler.step(reward if scheduler.mode == "max" else -reward)
    else:
        scheduler.step()


def check_optimizer(optimizer: Any, network: torch.nn.Module, own_step: bool) -> None:
    """Refuse an optimizer that the training step cannot use, or that trains something else.

    Parameters
    ----------
    own_step
        Whether the model has a training step of its own.
    """
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise UserError(
            f"optimizer is {shortened(repr(optimizer), 60)}, but must be one of torch.optim over "
            "network.parameters()"
        )
    name = type(optimizer).__name__
    closure = inspect.signature(optimizer.step).parameters.get("closure")
    needs = closure is not None and closure.default is inspect.Parameter.empty
    if not own_step and (needs or isinstance(optimizer, torch.optim.LBFGS)):
        raise UserError(
            f"the optimizer {name} computes the loss several times a step (a closure), which the "
            "training step does not do: use Adam or SGD, or override fit_batch"
        )
    trained = {id(p) for group in optimizer.param_groups for p in group["params"]}
    trainable = [p for p in network.parameters() if p.requires_grad]
    if not own_step and trainable and not any(id(p) in trained for p in trainable):
        raise UserError(
            f"the optimizer {name} is over other weights than the network's, which would not be "
            "trained: make it over network.parameters()"
        )


def check_materialised(network: torch.nn.Module) -> None:
    """Refuse lazy modules, whose weights have no size until the first batch."""
    for name, parameter in network.named_parameters():
        if isinstance(parameter, UninitializedParameter):
            raise UserError(
                f"the weight {name!r} of a lazy module has no size yet: give the module its sizes "
                "(nn.Linear(64, 1) for nn.LazyLinear(1)), or call the network once on a batch, "
                "such as network(torch.zeros(2, 4, 1, 100)), before the optimizer is made"
            )
