"""What the raw files hold: letters, lengths, labels, chromosomes; as preprocessing reads them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from dlutil_core.common.errors import UserError
from dlutil_core.preprocess.encode.places import places_of
from dlutil_core.preprocess.read.blocks import Block
from dlutil_core.preprocess.read.sources import SourceReader
from dlutil_core.preprocess.section import SHUFFLE, Options, Source

DNA = frozenset(b"ACGTN")
RNA = frozenset(b"ACGUN")
IUPAC = frozenset(b"ACGTUNRYSWKMBDHV")


@dataclass
class Records:
    """What was seen of all labelled records."""

    letters: set[int] = field(default_factory=set)
    lengths: set[int] = field(default_factory=set)
    chromosomes: Counter[str] | None = field(default_factory=Counter)
    """Records by chromosome; None where a record tells none, or several."""
    labels: np.ndarray | None = None
    """Shape (N, K); classes by number."""
    classes: list[list[str] | None] = field(default_factory=list)
    columns: int = 0
    """Columns of a table of numbers."""


def look(sources: list[Source], options: Options) -> Records:
    """Read labelled files once.

    Raises
    ------
    UserError
        What preprocessing would refuse, too.
    """
    found = Records()
    labels: list[np.ndarray] = []
    with SourceReader(options, seed=0) as reader:
        for source in sources:
            for block in _blocks(reader, source):
                _add(found, block)
                if block.labels is not None:
                    labels.append(block.labels)
        found.classes = reader.labels.classes()
    if len({part.shape[1] for part in labels}) > 1:
        raise UserError("the files have labels of different numbers of columns; make them equal")
    found.labels = np.concatenate(labels) if labels else None
    return found


def _blocks(reader: SourceReader, source: Source) -> Iterator[Block]:
    """The records; shuffles are like what they were made of, so nobody makes them here."""
    if source.positives and source.negatives == SHUFFLE:
        yield from reader.sequences(source.positives)
    else:
        yield from reader.read(source)


def _add(found: Records, block: Block) -> None:
    if block.features is not None:
        found.columns = block.features.shape[1]
        found.chromosomes = None
        return
    for sequence in block.sequences:
        found.letters |= set(sequence.upper())
        found.lengths.add(len(sequence))
    if found.chromosomes is None:
        return
    if block.chromosomes is not None:
        found.chromosomes.update(name.decode("utf-8", "replace") for name in block.chromosomes)
        return
    for name in block.names:
        places = places_of(name)
        if len(places) != 1:
            found.chromosomes = None
            return
        found.chromosomes[places[0].chromosome.decode("utf-8", "replace")] += 1


def alphabet_of(found: Records) -> str:
    """`dna`, `rna` or `protein`, by the letters of all records.

    Raises
    ------
    UserError
        They may be two of these.
    """
    letters = found.letters
    if letters <= DNA:
        return "dna"
    if letters <= RNA:
        return "rna"
    if letters <= IUPAC:
        told = "".join(sorted(map(chr, letters)))
        raise UserError(
            f"the sequences have the letters {told}, which may be bases, some of them ambiguous, or"
            " residues of proteins; say which with --alphabet dna, rna or protein"
        )
    return "protein"


def column(text: str) -> str | int:
    """A column's name, or its number counted from 1."""
    return int(text) if text.isascii() and text.isdigit() else text
