"""The splitter of one input: what is read of it beforehand, and which record goes to which set."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dlutil_core.common.logs import log
from dlutil_core.preprocess.encode.folding import FoldSplit, dealt, parts_of, told
from dlutil_core.preprocess.encode.grouping import Groups, GroupSplit, groups_of
from dlutil_core.preprocess.encode.places import places_of
from dlutil_core.preprocess.encode.splitting import (
    ChromosomeSplit,
    FractionSplit,
    Strata,
    chromosomes_of,
)
from dlutil_core.preprocess.read.blocks import Block
from dlutil_core.preprocess.read.sources import SourceReader
from dlutil_core.preprocess.section import SHUFFLE, Source
from dlutil_core.preprocess.split import Folds, Split

Splitter = ChromosomeSplit | FractionSplit | GroupSplit | FoldSplit


def splitter_of(reader: SourceReader, whole: Source, split: Split, seed: int) -> Splitter:
    """What tells the set of each record; all but a split by chromosome reads the input once before.

    Parameters
    ----------
    reader
        Opens the input.
    whole
        The input.
    seed
        The run's seed.
    """
    repeats = 1 + reader.options.negatives_per_positive if whole.negatives == SHUFFLE else 1
    if split.folds is not None:
        return _folded(reader, whole, split, split.folds, repeats, seed)
    if split.by == "chromosome":
        return ChromosomeSplit(split)
    if split.by == "fraction":
        return FractionSplit(split, _strata(reader, whole), repeats, seed)
    groups = Groups()
    for block in reader.read(whole):
        groups.add(block)
    return GroupSplit(split, groups.members(), seed)


def _units(reader: SourceReader, whole: Source) -> Iterator[Block]:
    """Blocks with one record for each that stays with its shuffles, which are not made yet."""
    if whole.negatives == SHUFFLE:
        return reader.sequences(whole.positives)
    return reader.read(whole)


def _strata(reader: SourceReader, whole: Source) -> np.ndarray:
    """Stratum of each unit, shape (N,)."""
    strata = Strata()
    for block in _units(reader, whole):
        strata.add(None if whole.negatives == SHUFFLE else block.labels, len(block))
    return strata.strata()


def _folded(
    reader: SourceReader, whole: Source, split: Split, folds: Folds, repeats: int, seed: int
) -> FoldSplit:
    by = split.by or _by(reader, whole)
    if by == "fraction":
        return FoldSplit(folds, dealt(_strata(reader, whole), folds.count, seed), repeats)
    groups = Groups(chromosomes_of if by == "chromosome" else groups_of)
    for block in _units(reader, whole):
        groups.add(block)
    parts = parts_of(groups, by, folds, seed)
    log.info(told(groups, parts, folds))
    return FoldSplit(folds, parts, repeats)


def _by(reader: SourceReader, whole: Source) -> str:
    """How an input is divided where the config does not say: the first record decides."""
    first = next(_units(reader, whole), None)
    if first is None:
        return "fraction"
    known = first.chromosomes is not None or bool(places_of(first.names[0]))
    return "chromosome" if known else "fraction"
