"""A split that keeps groups together: seeded, with shares as near as the groups allow."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dlutil_core.common.errors import UserError
from dlutil_core.preprocess.read.blocks import Block
from dlutil_core.preprocess.split import Split

IMPROVED_GROUPS = 2_000
"""Up to so many groups, exchanges of two are tried too; with more the shares are near enough."""


TRIED_WAYS = 1 << 16


def groups_of(block: Block) -> list[bytes]:
    """The group of each record, from the column that the split names."""
    if block.groups is None:
        raise UserError(
            f"{block.path}: has no columns, so preprocess.split.by: group cannot be read from"
            " it; give a table or BED, or split by fraction or chromosome"
        )
    return block.groups


class Groups:
    """Collects the group of each record, four bytes a record, and each group's name once.

    Parameters
    ----------
    of
        Gives the group, or the chromosome, of each record of a block.
    """

    def __init__(self, of: Callable[[Block], list[bytes]] = groups_of) -> None:
        self._of = of
        self._numbers: dict[bytes, int] = {}
        self._members: list[np.ndarray] = []

    def add(self, block: Block) -> None:
        """Add the records of a block."""
        numbers = [self._numbers.setdefault(g, len(self._numbers)) for g in self._of(block)]
        self._members.append(np.array(numbers, np.int32))

    def members(self) -> np.ndarray:
        """Number of each record's group, from 0 in the order of the file, shape (N,)."""
        return np.concatenate(self._members)

    def names(self) -> list[bytes]:
        """What each group is called, by its number."""
        return list(self._numbers)


class GroupSplit:
    """All records of a group are in one set.

    Parameters
    ----------
    split
        The shares.
    members
        Group of each record, shape (N,).
    seed
        The run's seed.
    """

    def __init__(self, split: Split, members: np.ndarray, seed: int) -> None:
        self.sets = split.sets()
        sizes = np.bincount(members)
        if len(sizes) < len(self.sets):
            raise UserError(
                f"preprocess.split: column {split.column} has {len(sizes)} different values, too"
                f" few for the sets {', '.join(self.sets)}; choose another column"
            )
        shares = [float(getattr(split, name)) for name in self.sets[1:]]  # type: ignore[arg-type]
        targets = np.array([1 - sum(shares), *shares]) * len(members)
        self._records = assigned(sizes, targets, seed)[members]
        self._position = 0

    def assign(self, block: Block) -> np.ndarray:
        """Number of each record's set (in `sets`), shape (n,); blocks come in file order."""
        start = self._position
        self._position += len(block)
        return self._records[start : self._position]


def assigned(sizes: np.ndarray, targets: np.ndarray, seed: int) -> np.ndarray:
    """A set for each group such that the sets' sizes are near their targets, none of them empty.

    A few groups are tried in all ways. More come in a random order, each to the set that is
    relatively the emptiest; then they are moved and exchanged as long as the sizes come nearer.

    Parameters
    ----------
    sizes
        Records of each group, shape (G,).
    targets
        Wanted records of each set, shape (S,), S <= G.
    seed
        Decides among equals.

    Returns
    -------
    uint8, shape (G,).
    """
    generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed)))
    if len(targets) ** len(sizes) <= TRIED_WAYS:
        return _nearest(sizes, targets, generator)
    order = generator.permutation(len(sizes))
    chosen = np.zeros(len(sizes), np.uint8)
    filled = np.zeros(len(targets))
    members = np.zeros(len(targets), int)
    for place, group in enumerate(order):
        empty = np.flatnonzero(members == 0)
        forced = len(order) - place <= len(empty)
        emptiest = empty if forced else np.arange(len(targets))
        ratio = (filled[emptiest] + sizes[group] / 2) / np.maximum(targets[emptiest], 1e-9)
        to = emptiest[np.argmin(ratio)]
        chosen[group], filled[to], members[to] = to, filled[to] + sizes[group], members[to] + 1
    while _moved(sizes, targets, chosen, order) or _exchanged(sizes, targets, chosen, order):
        pass
    return chosen


def _nearest(sizes: np.ndarray, targets: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """The best of all ways, one of them at random where several are."""
    sets = len(targets)
    ways = np.arange(sets ** len(sizes))[:, None] // sets ** np.arange(len(sizes)) % sets
    full = np.ones(len(ways), bool)
    distance = np.zeros(len(ways))
    for number, target in enumerate(targets):
        inside = ways == number
        full &= inside.any(axis=1)
        distance += np.abs(inside @ sizes - target)
    distance[~full] = np.inf
    best = np.flatnonzero(distance <= distance.min() + 1e-9)
    return ways[generator.choice(best)].astype(np.uint8)


def _excess(sizes: np.ndarray, targets: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    return np.bincount(chosen, weights=sizes, minlength=len(targets)) - targets


def _moved(sizes: np.ndarray, targets: np.ndarray, chosen: np.ndarray, order: np.ndarray) -> bool:
    """Move the group whose move helps most; False where none does."""
    excess = _excess(sizes, targets, chosen)
    counts = np.bincount(chosen, minlength=len(targets))
    best, move = 1e-9, None
    for to in range(len(targets)):
        own = excess[chosen[order]]
        size = sizes[order]
        gain = np.abs(own) + abs(excess[to]) - np.abs(own - size) - np.abs(excess[to] + size)
        gain[(chosen[order] == to) | (counts[chosen[order]] < 2)] = 0
        at = int(np.argmax(gain))
        if gain[at] > best:
            best, move = float(gain[at]), (order[at], to)
    if move is not None:
        chosen[move[0]] = move[1]
    return move is not None


def _exchanged(
    sizes: np.ndarray, targets: np.ndarray, chosen: np.ndarray, order: np.ndarray
) -> bool:
    """Exchange two groups of different sets where that helps most; False where it never does."""
    if len(sizes) > IMPROVED_GROUPS:
        return False
    excess = _excess(sizes, targets, chosen)
    best, pair = 1e-9, None
    for first in range(len(targets)):
        for second in range(first):
            ours, theirs = (order[chosen[order] == s] for s in (first, second))
            # How many records would go from the first set to the second.
            gone = sizes[ours][:, None] - sizes[theirs][None, :]
            after = np.abs(excess[first] - gone) + np.abs(excess[second] + gone)
            gain = abs(excess[first]) + abs(excess[second]) - after
            if gain.size and gain.max() > best:
                at = np.unravel_index(int(np.argmax(gain)), gain.shape)
                best, pair = float(gain.max()), (ours[at[0]], theirs[at[1]])
    if pair is not None:
        chosen[pair[0]], chosen[pair[1]] = chosen[pair[1]], chosen[pair[0]]
    return pair is not None
