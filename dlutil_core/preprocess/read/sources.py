"""One stream of blocks for each set, whatever form its raw files have."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace

import numpy as np

from dlutil_core.common.errors import UserError
from dlutil_core.preprocess.encode.shuffle import shuffle_sequences
from dlutil_core.preprocess.read.blocks import Block
from dlutil_core.preprocess.read.cells import Row
from dlutil_core.preprocess.read.fasta import read_fasta, read_pasted
from dlutil_core.preprocess.read.feature_columns import FeatureColumns
from dlutil_core.preprocess.read.forms import form_of
from dlutil_core.preprocess.read.genome import Genome
from dlutil_core.preprocess.read.intervals import BedColumns, bed_columns, read_bed, read_rows
from dlutil_core.preprocess.read.labels import LabelColumns, Told
from dlutil_core.preprocess.read.numbers import NumberReader
from dlutil_core.preprocess.read.tables import TableReader, label_places
from dlutil_core.preprocess.read.windows import Windows, kept
from dlutil_core.preprocess.section import SHUFFLE, Options, Source

SHUFFLE_SUFFIX = b"_shuf"
MADE = "have one label, which is made"


class SourceReader:
    """Opens sources under the options of a section; one genome serves them all."""

    def __init__(self, options: Options, seed: int) -> None:
        self.options = options
        self.seed = seed
        self.labels = LabelColumns(options.columns.missing)
        self.told = Told()
        self.features = FeatureColumns()
        self._windows = Windows(options.window, options.center, options.outside)
        self._stack = ExitStack()
        self._genome: Genome | None = None

    def __enter__(self) -> SourceReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def read(self, source: Source, labelled: bool = True) -> Iterator[Block]:
        """Yield the blocks of a set, with labels where it is `labelled` and the source has them."""
        if source.positives:
            yield from self._positives_and_negatives(source.positives, str(source.negatives))
            return
        stream = (
            read_features(source.features, self.told, self.features)
            if source.features
            else self._records(source.sequences, labelled)
        )
        if source.paired:
            stream = _pair(stream, self._records(source.paired), source.paired)
        if source.targets:
            targets = NumberReader(source.targets, "target", self.labels, self.told)
            stream = _attach(stream, targets)
        for block in kept(stream):
            self._check_columns(block, labelled)
            yield block

    def _check_columns(self, block: Block, labelled: bool) -> None:
        """Refuse columns that are asked for where a file has none."""
        columns = self.options.columns
        absent = columns.paired is not None and block.paired is None
        if absent or (columns.labels and labelled and block.labels is None):
            raise UserError(
                f"{block.path}: is no table with columns, so preprocess.columns."
                f"{'paired' if absent else 'labels'} does not apply to it; give"
                f" {'paired' if absent else 'targets'} beside it, or remove that key"
            )

    def sequences(self, path: str | None, labelled: bool = False) -> Iterator[Block]:
        """Yield the records of a file of sequences, whose form its content tells."""
        return kept(self._records(path, labelled))

    def intervals(self, where: str, rows: list[Row]) -> Iterator[Block]:
        """Yield the intervals of rows in memory; one whose window is dropped has no sequence."""
        return read_rows(where, rows, self._open_genome(where), self._windows)

    def _records(
        self, path: str | None, labelled: bool = False, instead: str = ""
    ) -> Iterator[Block]:
        """All records; windows that are dropped have an empty sequence, for targets count them."""
        assert path is not None
        labels = self.labels if labelled else None
        columns = self.options.columns
        form = form_of(path, self.options)
        if form == "fasta":
            return read_fasta(path)
        if form == "pasted":
            return read_pasted(path)
        if form == "bed":
            genome = self._open_genome(path)
            places = bed_columns(path, columns, labelled)
            read = self._bed_labels(path, labels, places) if labels and places.labels else None
            return read_bed(path, genome, self._windows, places, read)
        return TableReader(path, columns, labels, self.told, instead).read()

    def _bed_labels(
        self, path: str, labels: LabelColumns, columns: BedColumns
    ) -> Callable[[list[Row]], np.ndarray]:
        """What reads the labels of BED lines, shape (n, K)."""
        last = max(columns.labels)
        titles = columns.titles + tuple(str(k + 1) for k in range(len(columns.titles), last + 1))

        def read(rows: list[Row]) -> np.ndarray:
            for number, cells in rows:
                if len(cells) <= last:
                    raise UserError(
                        f"{path}: line {number} has {len(cells)} columns, so there is no label in"
                        f" column {last + 1}; write it, or correct preprocess.columns"
                    )
            stripped = [(number, [cell.strip() for cell in cells]) for number, cells in rows]
            return labels.values(path, stripped, label_places(columns.labels, titles))

        return read

    def _open_genome(self, path: str) -> Genome:
        if self.options.genome is None:
            raise UserError(
                f"{path}: looks like BED, whose sequences are cut from a genome; set"
                " preprocess.genome to its FASTA file"
            )
        if self._genome is None:
            self._genome = Genome(self.options.genome)
            self._stack.callback(self._genome.close)
        return self._genome

    def _positives_and_negatives(self, positives: str, negatives: str) -> Iterator[Block]:
        for block in kept(self._records(positives, instead=f"since positives {MADE}")):
            if negatives != SHUFFLE:
                yield _labelled(block, 1)
                continue
            yield self._with_shuffles(block)
        if negatives != SHUFFLE:
            for block in kept(self._records(negatives, instead=f"since negatives {MADE}")):
                yield _labelled(block, 0)

    def _with_shuffles(self, block: Block) -> Block:
        """Each record, label 1, followed by its shuffles, label 0."""
        copies = self.options.negatives_per_positive
        columns = [block.sequences]
        for copy in range(copies):
            # A seed of its own for each copy; the shuffle then mixes in the record's number.
            seed = int(np.random.SeedSequence(self.seed, spawn_key=(copy,)).generate_state(1)[0])
            columns.append(shuffle_sequences(block.sequences, seed, block.first))
        suffixes = [b""] + [
            SHUFFLE_SUFFIX + (b"%d" % (copy + 1) if copies > 1 else b"") for copy in range(copies)
        ]
        count, repeats = len(block), copies + 1
        labels = np.zeros((count, repeats))
        labels[:, 0] = 1
        return Block(
            block.path,
            block.first,
            [name + suffix for name in block.names for suffix in suffixes],
            [column[i] for i in range(count) for column in columns],
            labels=labels.reshape(-1, 1),
            intervals=_repeated(block.intervals, repeats),
            chromosomes=_repeated(block.chromosomes, repeats),
            groups=_repeated(block.groups, repeats),
        )


def _repeated(values: list[bytes] | None, repeats: int) -> list[bytes] | None:
    return None if values is None else [value for value in values for _ in range(repeats)]


def _labelled(block: Block, label: int) -> Block:
    return replace(block, labels=np.full((len(block), 1), float(label)))


def read_features(path: str, told: Told, columns: FeatureColumns) -> Iterator[Block]:
    """Yield the rows of a numeric table as records called by their number."""
    first = 1
    reader = NumberReader(path, "feature", told=told)
    for array in reader:
        columns.check(path, reader.titles, array.shape[1])
        names = [b"row %d" % number for number in range(first, first + len(array))]
        yield Block(path, first, names, [], features=array)
        first += len(array)


def _attach(stream: Iterator[Block], targets: NumberReader) -> Iterator[Block]:
    """Give each record its line of targets; the numbers of both must be equal."""
    records = 0
    path = ""
    for block in stream:
        path = block.path
        labels = targets.take(len(block))
        if len(labels) < len(block):
            total = records + len(block) + sum(map(len, stream))
            raise UserError(_unequal(targets.path, targets.rows, "targets", path, total))
        if block.labels is not None:
            raise UserError(
                f"{path}: has label columns, and {targets.path} gives targets too; keep one"
            )
        records += len(block)
        yield block.with_labels(labels)
    rest = targets.rest()
    if rest:
        raise UserError(_unequal(targets.path, records + rest, "targets", path, records))


def _unequal(path: str, found: int, what: str, other: str, expected: int) -> str:
    header = " (is its first line a header line?)" if found == expected + 1 else ""
    return (
        f"{path}: has {found} {what}, but {other} has {expected} records{header}; give one for each"
        " record, in the same order"
    )


def _pair(stream: Iterator[Block], others: Iterator[Block], other_path: str) -> Iterator[Block]:
    """Give each record the sequence of the same place in the paired file."""
    held: list[bytes] = []
    records, path = 0, ""
    for block in stream:
        path = block.path
        while len(held) < len(block):
            more = next(others, None)
            if more is None:
                found = records + len(held)
                total = records + len(block) + sum(map(len, stream))
                raise UserError(_unequal(other_path, found, "records", path, total))
            held.extend(more.sequences)
        yield replace(block, paired=held[: len(block)])
        held = held[len(block) :]
        records += len(block)
    found = records + len(held) + sum(map(len, others))
    if found != records:
        raise UserError(_unequal(other_path, found, "records", path, records))
