"""The parts of one input that folds are made of: chromosomes, groups or shares of the records."""

from __future__ import annotations

import heapq

import numpy as np

from dlutil_core.common.errors import UserError
from dlutil_core.common.paths import natural_key
from dlutil_core.preprocess.encode.grouping import Groups
from dlutil_core.preprocess.read.blocks import Block
from dlutil_core.preprocess.read.text_files import readable
from dlutil_core.preprocess.split import Folds

SHOWN_NAMES = 30


class FoldSplit:
    """The set of each record in one fold: a part is tested, the next one validates.

    Parameters
    ----------
    folds
        The fold.
    parts
        Part of each unit, shape (N,). A unit is a record, or a positive with its shuffles.
    repeats
        Records in a unit.
    """

    sets = ("train", "valid", "test")

    def __init__(self, folds: Folds, parts: np.ndarray, repeats: int) -> None:
        units = np.zeros(len(parts), np.uint8)
        units[parts == folds.validated] = self.sets.index("valid")
        units[parts == folds.fold] = self.sets.index("test")
        self._records = np.repeat(units, repeats)
        self._position = 0

    def assign(self, block: Block) -> np.ndarray:
        """Number of each record's set (in `sets`), shape (n,); blocks come in file order."""
        start = self._position
        self._position += len(block)
        return self._records[start : self._position]


def dealt(strata: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Seeded parts of equal size, in which each stratum has an equal share.

    The strata come one after the other, each in a random order, and are dealt out like cards; so
    sizes of parts, and of a stratum's shares, differ by one at most.

    Parameters
    ----------
    strata
        Stratum of each unit, shape (N,).
    count
        Parts.

    Returns
    -------
    Part of each unit, uint8, shape (N,).
    """
    if len(strata) < count:
        raise UserError(
            f"repeat.folds: is {count} folds, but there are {len(strata)} records, a positive with"
            " its shuffles counted once; ask for fewer folds"
        )
    generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed)))
    shuffled = generator.permutation(len(strata))
    order = shuffled[np.argsort(strata[shuffled], kind="stable")]
    parts = np.empty(len(strata), np.uint8)
    parts[order] = np.arange(len(strata)) % count
    return parts


def packed(sizes: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Parts of chromosomes or groups, as equal as comes of giving the largest away first.

    Each goes to the part that is the smallest so far (Graham 1969, SIAM J. Appl. Math. 17(2): the
    largest part has at most a third more records than it must have); the seed decides among equals.

    Parameters
    ----------
    sizes
        Records of each chromosome or group, shape (G,), G >= count.

    Returns
    -------
    Part of each, uint8, shape (G,).
    """
    generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed)))
    order = np.lexsort((generator.permutation(len(sizes)), -sizes))
    parts = np.zeros(len(sizes), np.uint8)
    filled = [(0, part) for part in range(count)]
    for member in order.tolist():
        records, part = heapq.heappop(filled)
        parts[member] = part
        heapq.heappush(filled, (records + int(sizes[member]), part))
    return parts


def parts_of(groups: Groups, by: str, folds: Folds, seed: int) -> np.ndarray:
    """Part of each unit, of whole chromosomes or groups, uint8, shape (N,).

    Raises
    ------
    UserError
        There are fewer than folds, or the lists leave some out.
    """
    names, members = groups.names(), groups.members()
    if folds.lists:
        return _listed(names, by, folds)[members]
    if len(names) < folds.count:
        raise UserError(
            f"repeat.folds: is {folds.count} folds, but the records have {len(names)} different"
            f" {by}s ({_shown(names)}), each of which stays whole; ask for fewer folds, or set"
            " preprocess.split.by to fraction"
        )
    return packed(np.bincount(members), folds.count, seed)[members]


def _listed(names: list[bytes], by: str, folds: Folds) -> np.ndarray:
    """Part of each chromosome or group by the lists, which name them all."""
    part_of = {name.encode(): part for part, listed in enumerate(folds.lists) for name in listed}
    unknown = [name for name in names if name not in part_of]
    if unknown:
        raise UserError(
            f"repeat.folds: no fold tests the {by} {_shown(unknown)}, which records have; put each"
            " into one of the lists"
        )
    parts = np.array([part_of[name] for name in names], np.uint8)
    for part in range(folds.count):
        if part not in parts:
            raise UserError(
                f"repeat.folds: no record has the {by} {', '.join(folds.lists[part])}, which fold"
                f" {part} tests; there are {_shown(names)}"
            )
    return parts


def _shown(names: list[bytes]) -> str:
    texts = sorted(map(readable, names), key=natural_key)
    return ", ".join(texts[:SHOWN_NAMES]) + (", ..." if len(texts) > SHOWN_NAMES else "")


def told(groups: Groups, parts: np.ndarray, folds: Folds) -> str:
    """What the fold tests and validates on, for a message."""
    names, members = groups.names(), groups.members()
    _, first = np.unique(members, return_index=True)
    of = {
        part: [n for n, p in zip(names, parts[first], strict=True) if p == part]
        for part in (folds.fold, folds.validated)
    }
    tested, validated = (_shown(of[part]) for part in (folds.fold, folds.validated))
    return f"fold {folds.fold} of {folds.count}: tests {tested}; validates on {validated}"
