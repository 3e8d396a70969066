"""A table of numbers with columns of labels, taken apart: preprocessing wants them in two files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from dlutil_core.common.errors import UserError
from dlutil_core.common.files import atomic_path
from dlutil_core.preprocess.read.cells import CellReader, Row, check_commas, row_blocks
from dlutil_core.preprocess.read.labels import is_number
from dlutil_core.preprocess.read.tables import find_column, is_label_title, listed
from dlutil_core.preprocess.read.text_files import readable, shown


class Table:
    """The rows of a table with a first line of column names.

    Parameters
    ----------
    path
        Plain or gzip file.
    labels, left_out
        Names of columns, or their numbers counted from 1; without labels, columns called `label`
        or `target`, or beginning so.

    Raises
    ------
    UserError
        There are no names, no such column, or a column of inputs with texts.
    """

    def __init__(self, path: str, labels: list[str], left_out: list[str]) -> None:
        self.path = path
        self.titles, self.rows = _read(path)
        taken = [self._place(name) for name in labels]
        if not taken:
            taken = [k for k, title in enumerate(self.titles) if is_label_title(title)]
            if len(taken) != 1:
                raise UserError(
                    f"{path}: {'none' if not taken else 'more than one'} of its columns is called"
                    f" label or target; name those to predict with --labels (there are"
                    f" {listed(self.titles)})"
                )
        out = {self._place(name) for name in left_out}
        self.labels = taken
        self.inputs = [k for k in range(len(self.titles)) if k not in out and k not in taken]
        if not self.inputs:
            raise UserError(f"{path}: has no columns beside labels; give those to predict from")
        self._check_inputs()

    @property
    def label_names(self) -> list[str]:
        """What the columns of labels are called."""
        return [self.titles[k] for k in self.labels]

    @property
    def input_names(self) -> list[str]:
        """What the other columns are called."""
        return [self.titles[k] for k in self.inputs]

    def write(self, features: Path, targets: Path) -> None:
        """Write two files with as many lines."""
        names = [title.encode() for title in self.input_names]
        _write(features, [names, *([row[k] for k in self.inputs] for _, row in self.rows)])
        _write(targets, [[row[k] for k in self.labels] for _, row in self.rows])

    def _place(self, name: str) -> int:
        if name.isascii() and name.isdigit() and name not in self.titles:
            if not 0 < int(name) <= len(self.titles):
                raise UserError(f"{self.path}: has no column {name}, but {len(self.titles)}")
            return int(name) - 1
        return find_column(self.path, self.titles, name)

    def _check_inputs(self) -> None:
        for k in self.inputs:
            wrong = next(((n, row[k]) for n, row in self.rows if not is_number(row[k])), None)
            if wrong is not None:
                title = readable(self.titles[k].encode(), 30)
                raise UserError(
                    f"{self.path}: line {wrong[0]} has {shown(wrong[1])} in column {title}, which"
                    f" is no number; leave a column out with --leave-out '{title}', predict it with"
                    " --labels, or correct the file"
                )


def _read(path: str) -> tuple[tuple[str, ...], list[Row]]:
    reader = CellReader(path)
    rows: list[Row] = []
    for text, line in row_blocks(path):
        found = reader.rows(text, line)
        if found and not rows and reader.separator is not None:
            check_commas(path, found, reader.separator, "feature")
        rows += found
    if not rows:
        raise UserError(f"{path}: holds no rows; give a table with a first line of column names")
    titles = [cell.decode("utf-8", "replace") for cell in rows[0][1]]
    if reader.titles:
        titles = [title.decode("utf-8", "replace") for title in reader.titles]
    elif any(is_number(cell) for cell in rows[0][1]):
        raise UserError(
            f"{path}: line {rows[0][0]} has numbers, but the first line must hold the names of the"
            " columns; write them there"
        )
    else:
        rows = rows[1:]
    reader.check_width(rows, len(titles), "column names")
    return tuple(titles), rows


def _write(path: Path, rows: Iterable[list[bytes]]) -> None:
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        for row in rows:
            file.write(b"\t".join(map(_cell, row)) + b"\n")


def _cell(cell: bytes) -> bytes:
    """In quotation marks where it would be taken for several."""
    plain = b" ".join(cell.split())
    return b'"' + plain.replace(b'"', b"'") + b'"' if set(plain) & set(b" ,;") else plain
