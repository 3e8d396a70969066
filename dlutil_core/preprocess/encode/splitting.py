"""Which set each record of one input belongs to: by shares of the records, or by chromosome."""

from __future__ import annotations

import numpy as np

from dlutil_core.common.errors import UserError
from dlutil_core.preprocess.encode.places import places_of
from dlutil_core.preprocess.encode.row_hashes import hash_rows
from dlutil_core.preprocess.read.blocks import Block
from dlutil_core.preprocess.read.text_files import readable
from dlutil_core.preprocess.split import Split

MAX_CLASSES = 50
QUANTILES = 10


def chromosomes_of(block: Block) -> list[bytes]:
    """The chromosome of each record, from BED or from names such as chr1:100-200."""
    if block.chromosomes is not None:
        return block.chromosomes
    found = []
    for index, name in enumerate(block.names):
        places = places_of(name)
        if not places:
            raise UserError(
                f"{block.where(index)} names no chromosome; write names such as chr1:100-200, or"
                " set preprocess.split.by to fraction"
            )
        if len(places) > 1:
            raise UserError(
                f"{block.where(index)} names several intervals, {readable(str(places[0]))} and"
                f" {readable(str(places[1]))}; write the one that the sequence came from after"
                " '::', as in name::chr1:100-200, or remove the others"
            )
        found.append(places[0].chromosome)
    return found


class ChromosomeSplit:
    """Records of the listed chromosomes go to valid and test, all others to train."""

    def __init__(self, split: Split) -> None:
        self.sets = split.sets()
        self.wanted: dict[bytes, int] = {}
        self.seen: dict[bytes, int] = {}
        for number, name in enumerate(self.sets):
            listed = () if name == "train" else getattr(split, name)
            self.wanted |= {chromosome.encode(): number for chromosome in listed}

    def assign(self, block: Block) -> np.ndarray:
        """Number of each record's set (in `sets`), shape (n,)."""
        found = chromosomes_of(block)
        for chromosome in set(found) - self.seen.keys():
            self.seen[chromosome] = 1
        return np.array([self.wanted.get(chromosome, 0) for chromosome in found], np.uint8)

    def known(self) -> str:
        """The chromosomes that occurred, for a message."""
        names = [readable(name) for name in list(self.seen)[:30]]
        return ", ".join(names) + (", ..." if len(self.seen) > 30 else "")

    def absent(self) -> list[str]:
        """Chromosomes of the split that no record is on."""
        return [name.decode() for name in self.wanted if name not in self.seen]


class FractionSplit:
    """Seeded shares of the records, drawn apart in each stratum of equal labels.

    Strata are the distinct rows of labels where there are at most `MAX_CLASSES` of them, otherwise
    tenths of the first label column by rank; without labels all records are one stratum.

    Parameters
    ----------
    split
        The shares.
    strata
        Stratum of each unit, shape (N,). A unit is a record, or a positive with its shuffles.
    repeats
        Records in a unit.
    seed
        The run's seed.
    """

    def __init__(self, split: Split, strata: np.ndarray, repeats: int, seed: int) -> None:
        self.sets = split.sets()
        units = np.zeros(len(strata), np.uint8)
        shares = [(self.sets.index(n), float(getattr(split, n))) for n in self.sets[1:]]  # type: ignore[arg-type]
        generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed)))
        for stratum in np.unique(strata):
            members = generator.permutation(np.flatnonzero(strata == stratum))
            # Rounded cumulative shares: the sizes of all sets together are off by less than one.
            edges = np.cumsum([share for _, share in shares]) * len(members)
            parts = np.split(members, np.floor(edges + 0.5).astype(int))
            for (number, _), part in zip(shares, parts, strict=False):
                units[part] = number
        self._records = np.repeat(units, repeats)
        self._position = 0

    def assign(self, block: Block) -> np.ndarray:
        """Number of each record's set (in `sets`), shape (n,); blocks come in file order."""
        start = self._position
        self._position += len(block)
        return self._records[start : self._position]


class Strata:
    """Collects the labels of all records, 12 bytes a record, and makes strata of them."""

    def __init__(self) -> None:
        self._rows: list[np.ndarray] = []
        self._first: list[np.ndarray] = []
        self.count = 0

    def add(self, labels: np.ndarray | None, count: int) -> None:
        """Add the labels of `count` records, shape (count, K), or None."""
        self.count += count
        values = np.zeros((count, 1)) if labels is None else labels.astype(np.float64)
        self._rows.append(hash_rows(values))
        self._first.append(values[:, 0].astype(np.float32))

    def strata(self) -> np.ndarray:
        """Stratum of each record, shape (N,)."""
        rows = np.concatenate(self._rows)
        distinct, strata = np.unique(rows, return_inverse=True)
        if len(distinct) <= MAX_CLASSES:
            return strata.ravel()
        ranks = np.argsort(np.argsort(np.concatenate(self._first), kind="stable"), kind="stable")
        return ranks * QUANTILES // len(ranks)
