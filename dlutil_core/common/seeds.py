"""Seeds: derived by `numpy.random.SeedSequence`, so that no two purposes share a stream."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

# Purposes, as the first word of a spawn key. Trials keep the plain key (j,) of the design.
_EPOCH = 1
_LOADERS = 2
_MEMBERS = 3
_POOL = 4
_SAMPLER = 5


def trial_seed(seed: int, trial: int) -> int:
    """The seed of trial `trial` of a search with this seed: 63 bits."""
    return _bits(np.random.SeedSequence(seed, spawn_key=(trial,)))


def epoch_seed(seed: int, epoch: int) -> int:
    """The seed of everything random in an epoch of a trial with this seed (shuffling, dropout)."""
    return _bits(np.random.SeedSequence(seed, spawn_key=(_EPOCH, epoch)))


def member_seed(seed: int, member: int) -> int:
    """The seed of a member of a trial with this seed: 63 bits; member 0 is the trial itself."""
    if member == 0:
        return seed
    return _bits(np.random.SeedSequence(seed, spawn_key=(_MEMBERS, member)))


def pool_seed(seed: int, stage: int, draw: int) -> int:
    """The seed of a draw that a stage of a staged search may pick."""
    return _bits(np.random.SeedSequence(seed, spawn_key=(_POOL, stage, draw)))


def sampler_seed(seed: int, stage: int) -> int:
    """The seed of the model that a stage draws by."""
    return _bits(np.random.SeedSequence(seed, spawn_key=(_SAMPLER, stage)))


def loader_seed(seed: int) -> int:
    """The seed under which a run calls the loaders of `def.py`."""
    return _bits(np.random.SeedSequence(seed, spawn_key=(_LOADERS, 0)))


def seed_everything(seed: int) -> None:
    """Seed `random`, `numpy.random` and, where it is loaded, torch (all devices)."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch = sys.modules.get("torch")
    if torch is None:
        return
    if torch.cuda.is_available():
        torch.manual_seed(seed)
    else:  # the same for the CPU's generator; 0.2 ms less than asking every kind of device
        torch.default_generator.manual_seed(seed)


@contextmanager
def kept_random_state() -> Iterator[None]:
    """Put back the state of `random`, `numpy.random` and torch's CPU generator at the end."""
    import torch

    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])


def _bits(sequence: np.random.SeedSequence) -> int:
    return int(sequence.generate_state(1, np.uint64)[0]) >> 1
