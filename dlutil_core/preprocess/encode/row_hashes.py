"""64-bit hashes of many rows at once, to find equal ones in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO

import numpy as np

BUCKET_RECORDS = 1 << 19
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(29)


def hash_rows(matrix: np.ndarray) -> np.ndarray:
    """Hash of each row's bytes, uint64, shape (n,), for a matrix of any dtype, shape (n, W).

    Two different rows share a hash with a probability of about 2**-64: among four million rows
    any two of them do with a probability below one in a million.
    """
    rows = np.ascontiguousarray(matrix)
    octets = rows.view(np.uint8).reshape(len(rows), -1)
    missing = -octets.shape[1] % 8
    if missing:
        octets = np.pad(octets, ((0, 0), (0, missing)))
    words = octets.view(np.uint64)
    state = np.full(len(rows), octets.shape[1], np.uint64)
    with np.errstate(over="ignore"):
        for column in range(words.shape[1]):
            state ^= words[:, column]
            state *= _MULTIPLIER
            state ^= state >> _SHIFT
        state *= _MULTIPLIER
    state ^= state >> np.uint64(32)
    return state


@dataclass
class Repeats:
    """Equal rows: how many beyond the first, and the numbers of two of them."""

    count: int = 0
    example: tuple[int, int] | None = None

    def add(self, count: int, example: tuple[int, int] | None) -> None:
        """Add what one bucket of hashes holds; the earliest second record is the example."""
        self.count += count
        if example and (self.example is None or example[1] < self.example[1]):
            self.example = example


@dataclass
class Duplicates:
    """Equal rows within each set, and across each pair of sets (the earlier named first)."""

    within: dict[str, Repeats] = field(default_factory=dict)
    across: dict[tuple[str, str], Repeats] = field(default_factory=dict)


def find_duplicates(spools: dict[str, IO[bytes]]) -> Duplicates:
    """Compare the hashes of all sets, a bucket of half a million at a time.

    Parameters
    ----------
    spools
        For each set a binary file of uint64 hashes in record order.
    """
    total = sum(spool.seek(0, 2) // 8 for spool in spools.values())
    buckets = 1 + total // BUCKET_RECORDS
    found = Duplicates(within={name: Repeats() for name in spools})
    if buckets == 1 and not _any_equal(spools):
        return found
    for bucket in range(buckets):
        loaded = {name: _load(spool, bucket, buckets) for name, spool in spools.items()}
        names = list(loaded)
        for place, name in enumerate(names):
            found.within[name].add(*_within(*loaded[name]))
            for other in names[:place]:
                repeats = found.across.setdefault((other, name), Repeats())
                repeats.add(*_across(*loaded[other], *loaded[name]))
    return found


def find_turned(
    strands: dict[str, tuple[IO[bytes], IO[bytes]]],
) -> dict[tuple[str, str], Repeats]:
    """Records of each later set whose other strand is in an earlier one.

    Parameters
    ----------
    strands
        For each set two binary files of uint64 hashes in record order: of records, and of their
        reverse complements.
    """
    names = list(strands)
    total = sum(spool.seek(0, 2) // 8 for pair in strands.values() for spool in pair)
    buckets = 1 + total // BUCKET_RECORDS
    found = {(a, b): Repeats() for place, b in enumerate(names) for a in names[:place]}
    for bucket in range(buckets if found else 0):
        forward = {name: _load(pair[0], bucket, buckets) for name, pair in strands.items()}
        for place, later in enumerate(names[1:], 1):
            turned = _load(strands[later][1], bucket, buckets)
            for earlier in names[:place]:
                found[earlier, later].add(*_across(*forward[earlier], *turned))
    return found


def _load(spool: IO[bytes], bucket: int, buckets: int) -> tuple[np.ndarray, np.ndarray]:
    """Hashes of a bucket, sorted, and their record numbers from 0."""
    hashes, numbers = [], []
    for start, block in _hash_blocks(spool):
        chosen = np.flatnonzero(block % np.uint64(buckets) == bucket) if buckets > 1 else None
        hashes.append(block if chosen is None else block[chosen])
        numbers.append(np.arange(len(block)) + start if chosen is None else chosen + start)
    if not hashes:
        return np.empty(0, np.uint64), np.empty(0, np.int64)
    joined = np.concatenate(hashes)
    order = np.argsort(joined, kind="stable")
    return joined[order], np.concatenate(numbers)[order]


def _any_equal(spools: dict[str, IO[bytes]]) -> bool:
    """Whether any two hashes of all sets are equal; sorting without an order is far quicker."""
    every = np.concatenate([block for s in spools.values() for _, block in _hash_blocks(s)])
    every.sort()
    return bool((every[1:] == every[:-1]).any())


def _hash_blocks(spool: IO[bytes]) -> Iterator[tuple[int, np.ndarray]]:
    spool.seek(0)
    start = 0
    while raw := spool.read(1 << 21):
        block = np.frombuffer(raw, np.uint64)
        yield start, block
        start += len(block)


def _within(hashes: np.ndarray, numbers: np.ndarray) -> tuple[int, tuple[int, int] | None]:
    again = np.flatnonzero(hashes[1:] == hashes[:-1]) + 1
    if not len(again):
        return 0, None
    at = again[np.argmin(numbers[again])]
    return len(again), (int(numbers[at - 1]), int(numbers[at]))


def _across(
    hashes: np.ndarray, numbers: np.ndarray, others: np.ndarray, other_numbers: np.ndarray
) -> tuple[int, tuple[int, int] | None]:
    if not len(hashes) or not len(others):
        return 0, None
    place = np.minimum(np.searchsorted(hashes, others), len(hashes) - 1)
    shared = np.flatnonzero(hashes[place] == others)
    if not len(shared):
        return 0, None
    at = shared[np.argmin(other_numbers[shared])]
    return len(shared), (int(numbers[place[at]]), int(other_numbers[at]))
