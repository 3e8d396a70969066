"""TSV and CSV tables: a column of sequences, labels, perhaps names and a second sequence.

A table has a first line of column names unless `columns` counts its columns by number.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dlutil_core.common.errors import UserError
from dlutil_core.preprocess.read.blocks import Block
from dlutil_core.preprocess.read.fasta import clean_names
from dlutil_core.preprocess.read.numbers import is_number
from dlutil_core.preprocess.read.text_files import blocks, readable, shown
from dlutil_core.preprocess.section import Columns

LABEL_WORDS = ("label", "labels", "target", "targets")
LABEL_STARTS = ("label_", "target_")


@dataclass(frozen=True)
class Layout:
    """Which column (from 0) holds what; -1 where none does."""

    width: int
    sequence: int
    name: int
    paired: int
    labels: tuple[int, ...]
    titles: tuple[str, ...]
    header: bool
    group: int = -1


def delimiter_of(line: bytes) -> str:
    """A tab where the line has one, else a comma."""
    return "\t" if b"\t" in line else ","


def read_table(path: str, columns: Columns) -> Iterator[Block]:
    """Yield the records of a table with these columns.

    Raises
    ------
    UserError
        A column that the table does not have, a line with too many or too few fields, an empty
        sequence, a label that is not a number.
    """
    layout: Layout | None = None
    delimiter = ","
    first = 1
    for text, line in blocks(path):
        lines = text.split(b"\n")[:-1]
        if layout is None:
            delimiter = delimiter_of(lines[0])
            layout = _layout(path, _fields(path, lines[0], delimiter, line), columns)
        rows = _rows(path, lines, line, delimiter, layout)
        if rows:
            yield _block(path, first, rows, layout)
        first += len(rows)
    if first == 1:
        raise UserError(f"{path}: has no record; give a table with at least one")


def _fields(path: str, line: bytes, delimiter: str, number: int) -> list[bytes]:
    """One line's fields; quotes are looked at only where there are some."""
    if b'"' not in line:
        return [field.strip() for field in line.split(delimiter.encode())]
    try:
        row = next(csv.reader([line.decode("utf-8", "surrogateescape")], delimiter=delimiter))
    except (csv.Error, StopIteration) as error:
        raise UserError(f"{path}: line {number} cannot be read ({error}); correct it") from None
    return [field.strip().encode("utf-8", "surrogateescape") for field in row]


def _rows(
    path: str, lines: list[bytes], line: int, delimiter: str, layout: Layout
) -> list[tuple[int, list[bytes]]]:
    rows = []
    for number, text in enumerate(lines, line):
        if not text.strip() or (layout.header and number == 1):
            continue
        fields = _fields(path, text, delimiter, number)
        if len(fields) != layout.width:
            raise UserError(
                f"{path}: line {number} has {len(fields)} columns, but the first line has"
                f" {layout.width}; make them equal"
            )
        rows.append((number, fields))
    return rows


def _block(path: str, first: int, rows: list[tuple[int, list[bytes]]], layout: Layout) -> Block:
    def column(index: int) -> list[bytes]:
        return [fields[index] for _, fields in rows]

    names = [b"line %d" % number for number, _ in rows]
    if layout.name >= 0:
        names = clean_names(column(layout.name))
    for index in (layout.sequence, layout.paired):
        for number, fields in rows if index >= 0 else []:
            if not fields[index]:
                raise UserError(f"{path}: line {number} has an empty sequence; remove the line")
    paired = column(layout.paired) if layout.paired >= 0 else None
    labels = _labels(path, rows, layout) if layout.labels else None
    groups = _groups(path, rows, layout) if layout.group >= 0 else None
    return Block(
        path, first, names, column(layout.sequence), paired=paired, labels=labels, groups=groups
    )


def _groups(path: str, rows: list[tuple[int, list[bytes]]], layout: Layout) -> list[bytes]:
    for number, fields in rows:
        if not fields[layout.group]:
            raise UserError(
                f"{path}: line {number} has nothing in the column {layout.titles[layout.group]} of"
                " preprocess.split.column; fill it in"
            )
    return [fields[layout.group] for _, fields in rows]


def _labels(path: str, rows: list[tuple[int, list[bytes]]], layout: Layout) -> np.ndarray:
    for number, fields in rows:
        for index in layout.labels:
            if not is_number(fields[index]):
                title = readable(layout.titles[index], 30)
                raise UserError(
                    f"{path}: line {number} has the label {shown(fields[index])} in column"
                    f" {title}, which is not a finite number; correct it"
                )
    return np.array([[float(fields[i]) for i in layout.labels] for _, fields in rows])


def _layout(path: str, fields: list[bytes], columns: Columns) -> Layout:
    """Find the columns in the first line (names) or by number."""
    wanted = [columns.sequence, columns.name, columns.paired, columns.group, *columns.labels]
    given = [column for column in wanted if column is not None]
    if given and all(isinstance(column, int) for column in given):
        titles = tuple(str(number + 1) for number in range(len(fields)))
        header = False
    else:
        titles = tuple(field.decode("utf-8", "replace") for field in fields)
        header = True

    def index(column: str | int | None, default: str = "") -> int:
        if column is None:
            return titles.index(default) if header and default in titles else -1
        if isinstance(column, int) and column <= len(titles):
            return column - 1
        if column in titles:
            return titles.index(str(column))
        raise UserError(
            f"{path}: has no column {column!r}, but {_list(titles)}; correct preprocess.columns"
        )

    sequence = index(columns.sequence, "sequence")
    if sequence < 0:
        raise UserError(
            f"{path}: has no column 'sequence', but {_list(titles)}; name the column in"
            " preprocess.columns.sequence"
        )
    labels = tuple(index(column) for column in columns.labels)
    if not labels and header:
        labels = tuple(i for i, title in enumerate(titles) if _is_label(title))
    return Layout(
        len(fields),
        sequence,
        index(columns.name, "name"),
        index(columns.paired),
        labels,
        titles,
        header,
        index(columns.group),
    )


def _is_label(title: str) -> bool:
    return title.lower() in LABEL_WORDS or title.lower().startswith(LABEL_STARTS)


def _list(titles: tuple[str, ...]) -> str:
    shown_titles = ", ".join(readable(title, 30) for title in titles[:8])
    return (shown_titles or "only blanks") + (", ..." if len(titles) > 8 else "")
