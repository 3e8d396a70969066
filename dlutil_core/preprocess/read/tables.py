"""Tables: a column of sequences, labels, perhaps names and a second sequence.

Cells are separated by tabs, semicolons, commas or blanks, one of them in a file. A table has a
first line of column names (or a comment line right above its first row) unless `columns` counts
its columns by number. The case of column names does not matter.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dlutil_core.common.errors import UserError
from dlutil_core.preprocess.read.blocks import Block
from dlutil_core.preprocess.read.cells import (
    CellReader,
    Row,
    check_decimal_commas,
    row_blocks,
)
from dlutil_core.preprocess.read.fasta import clean_names
from dlutil_core.preprocess.read.labels import Counting, LabelColumns, Told
from dlutil_core.preprocess.read.text_files import readable
from dlutil_core.preprocess.section import Columns

SEQUENCE_WORDS = ("sequence", "sequences", "seq", "seqs", "dna", "rna", "protein")
LABEL_WORDS = ("label", "labels", "target", "targets")
LABEL_STARTS = ("label_", "target_")


@dataclass(frozen=True)
class Layout:
    """Which column (from 0) holds what; -1 where none does."""

    titles: tuple[str, ...]
    header: int  # the line of column names, or 0
    sequence: int
    name: int
    paired: int
    labels: tuple[int, ...]
    guessed: bool
    group: int = -1

    def label_places(self) -> list[tuple[int, str]]:
        """Place of each label, and what to call it in a message."""
        return label_places(self.labels, self.titles)


def label_places(labels: tuple[int, ...], titles: tuple[str, ...]) -> list[tuple[int, str]]:
    """Places of labels in a row, and what to call each in a message."""
    titled = [readable(titles[i], 30).replace("{", "(").replace("}", ")") for i in labels]
    return [
        (place, f"label {{}} in column {title}")
        for place, title in zip(labels, titled, strict=True)
    ]


class TableReader:
    """Reads one table.

    Parameters
    ----------
    path
        Plain or gzip file.
    columns
        Where the section says that things stand.
    labels
        The run's columns of labels; None leaves labels out.
    told
        Where to say what is told once.
    instead
        Why columns called like labels are not read, for a warning.
    """

    def __init__(
        self,
        path: str,
        columns: Columns,
        labels: LabelColumns | None,
        told: Told,
        instead: str = "",
    ) -> None:
        self.path = path
        self.columns = columns
        self._labels = labels
        self._told = told
        self._cells = CellReader(path)
        self._counting = Counting()
        self._instead = instead

    def read(self) -> Iterator[Block]:
        """Yield the records.

        Raises
        ------
        UserError
            A column that the table does not have, a line with too many or too few fields, an empty
            sequence, a label that is neither a number nor a class.
        """
        layout: Layout | None = None
        first = 1
        for text, line in row_blocks(self.path):
            rows = self._cells.rows(text, line)
            if not rows:
                continue
            if layout is None:
                layout = layout_of(self.path, rows, self._cells, self.columns)
                if self._labels is not None and _numbered(layout.titles):
                    check_decimal_commas(self.path, rows, self._cells.separator, layout.labels)
                self._tell(layout)
            self._cells.check_width(rows, len(layout.titles), "columns")
            rows = [row for row in rows if row[0] != layout.header]
            if rows:
                yield self._block(first, rows, layout)
            first += len(rows)
        if first == 1:
            raise UserError(f"{self.path}: has no record; give a table with at least one")
        if self._counting.found():
            self._told.once(
                f"warning: {self.path}: the first column of labels only counts; is it an index?"
            )

    def _tell(self, layout: Layout) -> None:
        """Say which columns were taken for labels without being named."""
        if not layout.guessed or (self._labels is None and not self._instead):
            return
        names = ", ".join(readable(layout.titles[i], 30) for i in layout.labels)
        if self._labels is None:
            self._told.once(
                f"warning: {self.path}: the labels in column {names} are not read, {self._instead}"
            )
        elif len(layout.labels) > 1:
            self._told.once(
                f"warning: {self.path}: {len(layout.labels)} columns are taken for labels by their"
                f" names, {names}; name those that are in preprocess.columns.labels"
            )
        else:
            self._told.once(f"{self.path}: the labels are in column {names}")

    def _block(self, first: int, rows: list[Row], layout: Layout) -> Block:
        def column(index: int) -> list[bytes]:
            return [cells[index] for _, cells in rows]

        names = [b"line %d" % number for number, _ in rows]
        if layout.name >= 0:
            names = clean_names(column(layout.name))
        for index in (layout.sequence, layout.paired):
            for number, cells in rows if index >= 0 else []:
                if not cells[index]:
                    raise UserError(
                        f"{self.path}: line {number} has an empty sequence; remove the line"
                    )
        paired = column(layout.paired) if layout.paired >= 0 else None
        labels = None
        if layout.labels and self._labels is not None:
            labels = self._labels.values(self.path, rows, layout.label_places())
            if not self._labels.is_text(0):
                self._counting.add(labels[:, 0])
        groups = self._groups(rows, layout) if layout.group >= 0 else None
        sequences = column(layout.sequence)
        return Block(
            self.path, first, names, sequences, paired=paired, labels=labels, groups=groups
        )

    def _groups(self, rows: list[Row], layout: Layout) -> list[bytes]:
        for number, cells in rows:
            if not cells[layout.group]:
                raise UserError(
                    f"{self.path}: line {number} has nothing in the column"
                    f" {readable(layout.titles[layout.group], 30)} of preprocess.split.column; fill"
                    " it in"
                )
        return [cells[layout.group] for _, cells in rows]


def layout_of(path: str, rows: list[Row], cells: CellReader, columns: Columns) -> Layout:
    """Find the columns in the line of names, or by number."""
    number, first = rows[0]
    wanted = [columns.sequence, columns.name, columns.paired, columns.group, *columns.labels]
    given = [column for column in wanted if column is not None]
    if given and all(isinstance(column, int) for column in given):
        titles = tuple(str(place + 1) for place in range(len(first)))
        layout = _placed(path, titles, 0, columns)
        if first[layout.sequence].decode("latin-1").lower() in SEQUENCE_WORDS:
            raise UserError(
                f"{path}: line {number} is a header line (column names), but preprocess.columns"
                " counts the columns by number, as in a table without one; give names there, or"
                " remove the line"
            )
        return layout
    header = [cell.decode("utf-8", "replace") for cell in first]
    comment = [cell.decode("utf-8", "replace") for cell in cells.titles]
    sought = columns.sequence if isinstance(columns.sequence, str) else "sequence"
    if comment and place_of(path, header, sought) < 0 <= place_of(path, comment, sought):
        return _placed(path, tuple(comment), 0, columns)
    return _placed(path, tuple(header), number, columns)


def _placed(path: str, titles: tuple[str, ...], header: int, columns: Columns) -> Layout:
    def index(column: str | int | None, default: str = "") -> int:
        if column is None:
            return _guessed(path, titles, default) if header or not _numbered(titles) else -1
        return find_column(path, titles, column)

    sequence = index(columns.sequence, "sequence")
    if sequence < 0:
        raise UserError(
            f"{path}: has no column 'sequence', but {listed(titles)}; name the column in"
            " preprocess.columns.sequence"
        )
    labels = tuple(index(column) for column in columns.labels)
    guessed = not labels and not _numbered(titles)
    if guessed:
        labels = tuple(place_of(path, titles, title) for title in titles if is_label_title(title))
    name, paired = index(columns.name, "name"), index(columns.paired)
    group = index(columns.group)
    return Layout(titles, header, sequence, name, paired, labels, guessed and bool(labels), group)


def _guessed(path: str, titles: tuple[str, ...], name: str) -> int:
    """Place of a column that the section does not name; there may be but one in any case."""
    alike = [title for title in titles if name and title.lower() == name]
    if len(set(alike)) > 1:
        raise UserError(
            f"{path}: has the columns {alike[0]!r} and {alike[1]!r}, which differ in case alone;"
            f" name the one that is meant in preprocess.columns.{name}"
        )
    return place_of(path, titles, name)


def _numbered(titles: tuple[str, ...]) -> bool:
    return titles == tuple(str(place + 1) for place in range(len(titles)))


def find_column(path: str, titles: tuple[str, ...], column: str | int) -> int:
    """Place of a column by name, in any case, or by its number from 1."""
    if isinstance(column, int):
        if column <= len(titles):
            return column - 1
        raise UserError(
            f"{path}: has {len(titles)} columns, so there is no column {column}; correct"
            " preprocess.columns"
        )
    place = place_of(path, titles, column)
    if place < 0:
        raise UserError(
            f"{path}: has no column {column!r}, but {listed(titles)}; correct preprocess.columns"
        )
    return place


def place_of(path: str, titles: tuple[str, ...] | list[str], name: str) -> int:
    """Place of a column name: as it is written, else in another case; -1 where it is not there."""
    for same in (lambda title: title == name, lambda title: title.lower() == name.lower()):
        places = [place for place, title in enumerate(titles) if name and same(title)]
        if len(places) > 1:
            raise UserError(
                f"{path}: has {len(places)} columns called {titles[places[0]]!r}; give each its"
                " own name"
            )
        if places:
            return places[0]
    return -1


def is_label_title(title: str) -> bool:
    """Whether a column of this name is one of labels."""
    return title.lower() in LABEL_WORDS or title.lower().startswith(LABEL_STARTS)


def listed(titles: tuple[str, ...] | list[str]) -> str:
    """The first column names, for a message."""
    shown_titles = ", ".join(readable(title, 30) for title in titles[:8])
    return (shown_titles or "only blanks") + (", ..." if len(titles) > 8 else "")
