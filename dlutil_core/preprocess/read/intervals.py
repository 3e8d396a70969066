"""BED intervals and the sequences that a genome has there.

BED counts from 0 and ends before `end`; the sixth column may give the strand, and '-' makes the
reverse complement.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from dlutil_core.common.errors import UserError
from dlutil_core.preprocess.encode.alphabet import reverse_complement
from dlutil_core.preprocess.read.bed_rows import (
    is_aside,
    parse_row,
    split_row,
    title_order,
)
from dlutil_core.preprocess.read.blocks import Block
from dlutil_core.preprocess.read.fasta import clean_names
from dlutil_core.preprocess.read.genome import Genome
from dlutil_core.preprocess.read.text_files import blocks, shown
from dlutil_core.preprocess.read.windows import NAMED, Windows, named, summit_of
from dlutil_core.preprocess.section import Columns

Row = tuple[int, list[bytes]]
NO_COLUMNS = Columns()
NARROW_PEAK = b"type=narrowpeak"


def read_bed(
    path: str,
    genome: Genome,
    windows: Windows,
    columns: Columns = NO_COLUMNS,
    labels: Callable[[list[Row]], np.ndarray] | None = None,
) -> Iterator[Block]:
    """Yield the intervals of a BED file with their sequences; those to be dropped have none.

    Parameters
    ----------
    path
        BED, three columns or more, plain or gzip.
    genome
        Where the sequences are cut.
    windows
        How intervals are resized, and what becomes of those past a chromosome's end.
    columns
        Which columns, counted from 1, hold name, labels and groups.
    labels
        Labels of lines, shape (n, K), or None.
    """
    reader = _BedReader(path, genome, windows, columns, labels)
    yield from reader.blocks()
    if reader.count == 0:
        raise UserError(f"{path}: has no interval; give a BED file with at least one")
    windows.tell(path, reader.dropped, reader.dropped_count, reader.count)


def column_of(path: str, column: str | int | None, key: str) -> int:
    """A column of BED from 0, or -1; BED has no column names."""
    if column is None:
        return -1
    if isinstance(column, int):
        return column - 1
    raise UserError(
        f"{key}: is {column!r}, but {path} is BED, which has no column names; give the column's"
        " number, counted from 1"
    )


class _BedReader:
    """State of one pass over a file."""

    def __init__(
        self,
        path: str,
        genome: Genome,
        windows: Windows,
        columns: Columns,
        labels: Callable[[list[Row]], np.ndarray] | None,
    ) -> None:
        self.path = path
        self.genome = genome
        self.windows = windows
        self.labels = labels
        self.count = 0
        self.dropped: list[str] = []
        self.dropped_count = 0
        self._name = column_of(path, columns.name, "preprocess.columns.name")
        self._group = column_of(path, columns.group, "preprocess.split.column")
        labelled = [column_of(path, c, "preprocess.columns.labels") for c in columns.labels]
        self._meant = frozenset(c for c in (self._name, self._group, *labelled) if c >= 0)
        if self._name < 0:
            self._name = 3
        self._narrow = b".narrowpeak" in path.lower().encode("utf-8", "replace")

    def blocks(self) -> Iterator[Block]:
        for text, line in blocks(self.path):
            rows: list[Row] = []
            for number, row in enumerate(text.split(b"\n"), line):
                if not row.strip():
                    continue
                if row.startswith((b"#", b"track", b"browser")) and is_aside(row):
                    self._aside(number, row)
                else:
                    rows.append((number, split_row(row)))
            if rows:
                yield self._block(rows)
                self.count += len(rows)

    def _aside(self, number: int, row: bytes) -> None:
        """A comment or track line: it may tell the format, and the order of the columns."""
        if row.startswith(b"#"):
            order = title_order(split_row(row)) if not self.count else None
            if order is not None and order != (0, 1, 2):
                raise UserError(
                    f"{self.path}: line {number} is {shown(row)}, so the columns are in another"
                    " order than BED's; write chromosome, start, end, name, score and strand"
                )
        elif NARROW_PEAK in row.lower().replace(b'"', b""):
            self._narrow = True

    def _block(self, rows: list[Row]) -> Block:
        names, sequences, intervals, chromosomes = [], [], [], []
        for number, fields in rows:
            name, sequence, interval, chromosome = self._record(number, fields)
            names.append(name)
            sequences.append(sequence)
            intervals.append(interval)
            chromosomes.append(chromosome)
        return Block(
            self.path,
            self.count + 1,
            clean_names(names),
            sequences,
            labels=None if self.labels is None else self.labels(rows),
            intervals=intervals,
            chromosomes=chromosomes,
            groups=self._groups(rows) if self._group >= 0 else None,
        )

    def _record(self, number: int, fields: list[bytes]) -> tuple[bytes, bytes, bytes, bytes]:
        """Name, sequence (none where it is dropped), interval and chromosome of a line."""
        lengths, path = self.genome.lengths, self.genome.path
        row = parse_row(self.path, number, fields, lengths, path, self._meant)
        where = f"{self.path}: line {number}"
        original = f"{row.chromosome}:{row.start}-{row.end}".encode()
        name = fields[self._name].strip() if len(fields) > self._name else b""
        if name in (b"", b"."):
            name = original
        if self.windows.center == "summit" and len(fields) >= 10:
            summit = summit_of(where, fields, row.start, row.end, self._narrow)
            row = replace(row, summit=summit)
        place = self.windows.place(where, row, lengths[row.chromosome], path)
        if place is None:
            self.dropped_count += 1
            if len(self.dropped) < NAMED:
                self.dropped.append(named(name, number))
            return name, b"", original, row.chromosome.encode()
        sequence = self.genome.fetch(row.chromosome, *place)
        if row.strand == "-":
            sequence = reverse_complement(sequence)
        interval = f"{row.chromosome}:{place[0]}-{place[1]}({row.strand})".encode()
        return name, sequence, interval, row.chromosome.encode()

    def _groups(self, rows: list[Row]) -> list[bytes]:
        found = []
        for number, fields in rows:
            group = fields[self._group].strip() if len(fields) > self._group else b""
            if not group:
                raise UserError(
                    f"{self.path}: line {number} has nothing in column {self._group + 1}, the"
                    " groups of preprocess.split.column; fill it in"
                )
            found.append(group)
        return found
