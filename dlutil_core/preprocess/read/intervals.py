"""BED intervals and the sequences that a genome has there.

BED counts from 0 and ends before `end`; the sixth column may give the strand, and '-' makes the
reverse complement.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

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
from dlutil_core.preprocess.read.cells import Row, find_separator
from dlutil_core.preprocess.read.fasta import clean_names
from dlutil_core.preprocess.read.forms import head_of
from dlutil_core.preprocess.read.genome import Genome
from dlutil_core.preprocess.read.tables import find_column
from dlutil_core.preprocess.read.text_files import blocks, shown
from dlutil_core.preprocess.read.windows import NAMED, Windows, named, summit_of
from dlutil_core.preprocess.section import Columns

BLOCKS = re.compile(rb"0*([2-9]|[1-9]\d+)")  # more than one
NARROW_PEAK = b"type=narrowpeak"
ROWS = 4096
"""Rows in memory that make one block."""


@dataclass(frozen=True)
class BedColumns:
    """Columns (from 0) beyond BED's own, -1 where none is asked for, and their names if told."""

    name: int = -1
    group: int = -1
    labels: tuple[int, ...] = ()
    titles: tuple[str, ...] = ()


def bed_columns(path: str, columns: Columns, labelled: bool) -> BedColumns:
    """The columns of a section in a BED file: by number, or by the names in its last comment."""
    comments = [line for _, line in head_of(path) if line.startswith(b"#")]
    line = comments[-1].lstrip(b"#") if comments else b""
    titles = tuple(c.decode("utf-8", "replace") for c in find_separator([line]).try_cells(line))

    def place(column: str | int | None, key: str) -> int:
        if isinstance(column, str) and not comments:
            raise UserError(
                f"{key}: is {column!r}, but {path} is BED without column names; give the column's"
                " number, counted from 1, or write the names in a first line that begins with '#'"
            )
        if isinstance(column, str):
            return find_column(path, titles, column)
        return -1 if column is None else column - 1

    # Beside a table, its name and labels are the table's own.
    own = columns.sequence is None
    return BedColumns(
        place(columns.name, "preprocess.columns.name") if own else -1,
        place(columns.group, "preprocess.split.column"),
        tuple(place(c, "preprocess.columns.labels") for c in columns.labels) if labelled else (),
        titles,
    )


def read_bed(
    path: str,
    genome: Genome,
    windows: Windows,
    columns: BedColumns,
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
        Which columns hold name, labels and groups.
    labels
        Labels of lines, shape (n, K), or None.
    """
    reader = _BedReader(path, genome, windows, columns, labels)
    yield from reader.blocks()
    if reader.count == 0:
        raise UserError(f"{path}: has no interval; give a BED file with at least one")
    windows.tell(path, reader.dropped, reader.dropped_count, reader.count)


def read_rows(where: str, rows: list[Row], genome: Genome, windows: Windows) -> Iterator[Block]:
    """Yield the same of lines that are in memory, columns as in narrowPeak or BED.

    Parameters
    ----------
    where
        What the rows are of, for messages.
    rows
        Number and columns of each.
    """
    reader = _BedReader(where, genome, windows, BedColumns(), None, narrow=True)
    for start in range(0, len(rows), ROWS):
        yield reader.block(rows[start : start + ROWS])


class _BedReader:
    """State of one pass over a file."""

    def __init__(
        self,
        path: str,
        genome: Genome,
        windows: Windows,
        columns: BedColumns,
        labels: Callable[[list[Row]], np.ndarray] | None,
        narrow: bool = False,
    ) -> None:
        self.path = path
        self.genome = genome
        self.windows = windows
        self.labels = labels
        self.count = 0
        self.dropped: list[str] = []
        self.dropped_count = 0
        self._group = columns.group
        self._name = columns.name if columns.name >= 0 else 3
        self._meant = frozenset((columns.name, columns.group, *columns.labels))
        self._narrow = narrow or b".narrowpeak" in path.lower().encode("utf-8", "replace")

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
                yield self.block(rows)

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

    def block(self, rows: list[Row]) -> Block:
        """The next records, of these lines."""
        names, sequences, intervals, chromosomes = [], [], [], []
        for number, fields in rows:
            name, sequence, interval, chromosome = self._record(number, fields)
            names.append(name)
            sequences.append(sequence)
            intervals.append(interval)
            chromosomes.append(chromosome)
        self.count += len(rows)
        return Block(
            self.path,
            self.count - len(rows) + 1,
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
        if len(fields) == 12 and BLOCKS.fullmatch(fields[9].strip()):
            self.windows.tell_blocks(self.path, number)
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
