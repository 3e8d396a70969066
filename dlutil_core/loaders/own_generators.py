"""Loaders with random generators of their own: seeded anew for each epoch, like everything else.

torch's recipe for reproducible loaders, `DataLoader(..., generator=torch.Generator())`, gives each
pass other numbers, so that an epoch would depend on what its process has trained before it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader

_PARTS = ("sampler", "batch_sampler", "dataset", "data_source", "collate_fn")
"""Attributes of a loader whose own attributes may be generators."""

DEEPEST = 4
"""How far parts of parts are followed: a `Subset` of a dataset, a sampler of a batch sampler."""


def reseed_epoch(train: Any, val: Any, seed: int) -> None:
    """Seed the generators of both loaders for the epoch that `seed` stands for."""
    for number, loader in enumerate((train, val)):
        reseed(loader, seed + number)


def reseed(loader: Any, seed: int) -> None:
    """Seed the generators that a loader holds, each with a stream of its own.

    Found are torch's, numpy's and Python's generators among the attributes of the loader, its
    samplers and its data set. The workers of a `DataLoader` end with each pass, since those that
    persist keep the state of their copy.
    """
    if isinstance(loader, DataLoader) and loader.persistent_workers:
        # Its own __setattr__ refuses this after the loader was made.
        loader.__dict__["persistent_workers"] = False
    for number, generator in enumerate(generators_of(loader)):
        sequence = np.random.SeedSequence(seed, spawn_key=(number,))
        _seed(generator, int(sequence.generate_state(1, np.uint64)[0]) >> 1)


def generators_of(loader: Any) -> list[Any]:
    """The generators that a loader holds, in an order that is always the same."""
    found: dict[int, Any] = {}
    for part in _parts(loader, DEEPEST):
        for value in _attributes(part).values():
            if isinstance(value, (torch.Generator, np.random.Generator)) or type(value) in (
                np.random.RandomState,
                random.Random,
            ):
                found.setdefault(id(value), value)
    return list(found.values())


def _parts(loader: Any, deep: int) -> Iterator[Any]:
    yield loader
    if deep:
        attributes = _attributes(loader)
        for name in _PARTS:
            if attributes.get(name) is not None:
                yield from _parts(attributes[name], deep - 1)


def _attributes(part: Any) -> dict[str, Any]:
    return getattr(part, "__dict__", {})


def _seed(generator: Any, seed: int) -> None:
    if isinstance(generator, torch.Generator):
        generator.manual_seed(seed)
    elif isinstance(generator, np.random.Generator):
        kind = type(generator.bit_generator)
        generator.bit_generator.state = kind(seed).state
    elif isinstance(generator, np.random.RandomState):
        generator.seed(seed % 2**32)
    else:
        generator.seed(seed)
