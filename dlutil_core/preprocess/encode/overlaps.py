"""Records of two sets that share letters of the genome, by the intervals that the files tell."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from dlutil_core.preprocess.encode.places import places_of
from dlutil_core.preprocess.encode.row_hashes import Repeats

ROWS = 1 << 16
TRIED_NAMES = 50
SPAN = 1 << 40
"""More letters than any chromosome has, so that one number holds a chromosome and a place."""


@dataclass(frozen=True)
class Intervals:
    """Those of a set: numbers of records, first letters and ends on one line of all chromosomes."""

    records: np.ndarray
    starts: np.ndarray
    ends: np.ndarray


def find_overlaps(paths: dict[str, Path]) -> dict[tuple[str, str], Repeats]:
    """Records of each later set that overlap one of each earlier set, with the first pair.

    Parameters
    ----------
    paths
        Finished files; sets without intervals, in their own dataset or in their names, are left
        out.
    """
    chromosomes: dict[bytes, int] = {}
    read = {name: _read(path, chromosomes) for name, path in paths.items()}
    known = {name: intervals for name, intervals in read.items() if intervals is not None}
    names = list(known)
    return {
        (earlier, later): overlapping(known[earlier], known[later])
        for place, later in enumerate(names)
        for earlier in names[:place]
    }


def overlapping(earlier: Intervals, later: Intervals) -> Repeats:
    """How many of the later intervals overlap an earlier one, and the first that does with one."""
    order = np.argsort(earlier.starts, kind="stable")
    starts, ends = earlier.starts[order], earlier.ends[order]
    reach = np.maximum.accumulate(ends)
    # Of those that begin before an interval's end, does the one that reaches farthest reach it?
    before = np.searchsorted(starts, later.ends, side="left") - 1
    found = np.flatnonzero((before >= 0) & (reach[before] > later.starts))
    if not len(found):
        return Repeats()
    at = found[np.argmin(later.records[found])]
    farthest = int(np.argmax(ends[: before[at] + 1]))
    return Repeats(len(found), (int(earlier.records[order[farthest]]), int(later.records[at])))


def _read(path: Path, chromosomes: dict[bytes, int]) -> Intervals | None:
    with h5py.File(path, "r") as file:
        dataset = file["interval"] if "interval" in file else file["name"]
        if "interval" not in file:
            tried = [places_of(bytes(name)) for name in dataset[:TRIED_NAMES]]
            if not any(tried):
                return None
        parts = [
            _placed(dataset[row : row + ROWS], row, chromosomes)
            for row in range(0, len(dataset), ROWS)
        ]
    if not parts:
        return None
    return Intervals(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def _placed(
    names: np.ndarray, first: int, chromosomes: dict[bytes, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rows = []
    for record, name in enumerate(names.tolist(), first):
        places = places_of(name)
        if len(places) == 1:
            chromosome, start, end = places[0]
            offset = chromosomes.setdefault(chromosome, len(chromosomes)) * SPAN
            rows.append((record, offset + min(start, SPAN // 2), offset + min(end, SPAN // 2)))
    table = np.array(rows, np.int64).reshape(-1, 3)
    return table[:, 0], table[:, 1], table[:, 2]
