"""Text to numbers at the speed of C: targets and feature tables."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dlutil_core.common.errors import UserError
from dlutil_core.preprocess.read.cells import (
    ALONE,
    BLANK,
    COMMAS,
    SEMICOLONS,
    TABS,
    CellReader,
    Row,
    Separator,
    check_commas,
    row_blocks,
)
from dlutil_core.preprocess.read.labels import (
    LIKE_NUMBER,
    Counting,
    LabelColumns,
    Told,
    is_number,
    numbers,
    problem,
)
from dlutil_core.preprocess.read.text_files import readable, shown

MARKS = {b"": ALONE, b" ": BLANK, b"\t": TABS, b",": COMMAS, b";": SEMICOLONS}
TITLES = (b"label", b"labels", b"target", b"targets", b"class", b"y", b"value", b"score")


class NumberReader:
    """Reads a table of numbers by rows; every line must have as many columns as the first.

    Columns are separated by tabs, semicolons, commas or blanks, one of them in a file. Lines that
    start with '#' and empty lines are left out. Features may have a first line of names, which
    become `titles`.

    Parameters
    ----------
    path
        Plain or gzip file.
    what
        What a line holds, for messages: ``target`` or ``feature``.
    labels
        The run's columns of labels, where a line holds targets: these may be texts and missing.
    told
        Where to say what is told once.
    """

    def __init__(
        self,
        path: str,
        what: str,
        labels: LabelColumns | None = None,
        told: Told | None = None,
    ) -> None:
        self.path = path
        self.what = what
        self.columns = 0
        self.rows = 0
        self.titles: list[str] = []
        self._labels = labels or LabelColumns(texts=False)
        self._told = told or Told()
        self._cells = CellReader(path, "row" if b"" in self._labels.missing else "refuse")
        self._counting = Counting()
        self._arrays = self._read()
        self._held: list[np.ndarray] = []

    def take(self, count: int) -> np.ndarray:
        """The next `count` rows, or what is left: float64 or uint8, shape (<= count, K)."""
        have = sum(map(len, self._held))
        while have < count:
            array = next(self._arrays, None)
            if array is None:
                break
            self._held.append(array)
            have += len(array)
        if not self._held:
            return np.empty((0, self.columns))
        joined = np.concatenate(self._held) if len(self._held) > 1 else self._held[0]
        self._held = [joined[count:]] if len(joined) > count else []
        return joined[:count]

    def __iter__(self) -> Iterator[np.ndarray]:
        return self._arrays

    def rest(self) -> int:
        """How many rows are left; they are read and dropped."""
        return sum(map(len, self._held)) + sum(map(len, self._arrays))

    def _read(self) -> Iterator[np.ndarray]:
        plain = not self._labels.missing
        for text, line in row_blocks(self.path):
            array = self._digits(text) if plain else None
            if array is None:
                array = self._general(text, line)
            self.columns = self.columns or array.shape[1]
            self.rows += len(array)
            if len(array):
                self._counting.add(array[:, 0])
                yield array
            if self._labels.is_text(0):
                self._counting.end()
        if not self.rows:
            raise UserError(f"{self.path}: holds no {self.what}; give one line for each record")
        if self._counting.found():
            self._told.once(self._counts())

    def _digits(self, text: bytes) -> np.ndarray | None:
        found = _single_digits(text, self.columns)
        if found is None or self._cells.separator not in (None, found[1]):
            return None
        self._cells.separator = found[1]
        return found[0]

    def _counts(self) -> str:
        return (
            f"warning: {self.path}: the first column only counts"
            f" ({'is it' if self.columns > 1 else 'it is the only one; is it'} an index? then"
            f" remove it), and is taken for a {self.what} like any other"
        )

    def _quick(self, text: bytes) -> np.ndarray | None:
        """Numbers of a block in which nothing but numbers and separators stands, or None."""
        separator = self._cells.separator
        known = self.columns and separator is not None and self._labels.are_numbers(self.columns)
        if not known or b'"' in text or b"#" in text or b"\n\n" in text or text[:1] == b"\n":
            return None
        assert separator is not None
        mark = separator.mark or None
        cells = [row.split(mark) for row in text.split(b"\n")[:-1]]
        if set(map(len, cells)) != {self.columns} or (mark is None and b"\t" in text):
            return None
        values = numbers([cell for row in cells for cell in row])
        return None if values is None else values.reshape(-1, self.columns)

    def _general(self, text: bytes, line: int) -> np.ndarray:
        quick = self._quick(text)
        if quick is not None:
            return quick
        rows = self._cells.rows(text, line)
        if not rows:
            return np.empty((0, self.columns))
        if not self.columns:
            self._cells.check_row_names(rows)
            self.columns = len(rows[0][1])
            rows = self._begun(rows)
        for number, row in rows:
            if len(row) != self.columns:
                self._cells.check_width([(number, row)], self.columns, f"{self.what}s")
        if not rows:
            return np.empty((0, self.columns))
        flat = None if self._labels.texts else numbers([cell for _, row in rows for cell in row])
        if flat is not None:
            return flat.reshape(-1, self.columns)
        return self._labels.values(
            self.path, rows, [(k, f"{self.what} {{}}") for k in range(self.columns)]
        )

    def _begun(self, rows: list[Row]) -> list[Row]:
        """The first rows without a header line, once their separator is known to be one."""
        header = self._is_header(rows)
        self.titles = [readable(cell, 1000) for cell in rows[0][1]] if header else []
        body = rows[1:] if header else rows
        separator = self._cells.separator
        if self.what == "feature" and self._names_records(body):
            number, first = body[0]
            raise UserError(
                f"{self.path}: line {number} starts with {shown(first[0])}, and the lines below it"
                " with other texts: are they names? features are numbers alone; remove that column"
            )
        if separator is BLANK:
            self._check_texts(body)
        if separator in (COMMAS, BLANK) and not header and not self._cells.titles:
            check_commas(self.path, body, separator, self.what)
        return body

    def _check_texts(self, rows: list[Row]) -> None:
        """Refuse texts that may be one text with blanks, or several columns."""
        number, first = rows[0]
        if not any(is_number(cell) for _, row in rows for cell in row):
            raise UserError(
                f"{self.path}: line {number} is {shown(b' '.join(first))}, which may be columns or"
                " a text with blanks; put texts in quotation marks, or separate columns by tabs"
            )

    def _is_header(self, rows: list[Row]) -> bool:
        first = rows[0][1]
        if self.what != "feature":
            self._refuse_header(rows)
            return False
        if any(map(is_number, first)) or len(rows) < 2 or not any(map(_like_number, rows[1][1])):
            return False
        return not any(problem(cell) for cell in first if cell)

    def _names_records(self, rows: list[Row]) -> bool:
        """Whether the first column holds a text of its own in each row, beside numbers."""
        if any(len(row) < 2 for _, row in rows):
            return False
        names = [row[0] for _, row in rows]
        texts = all(not is_number(name) and problem(name) is None for name in names)
        beside = all(is_number(cell) for _, row in rows for cell in row[1:])
        return texts and beside and len(set(names)) == len(names) > 1

    def _refuse_header(self, rows: list[Row]) -> None:
        """Targets have no line of names, since a name may be a class."""
        number, first = rows[0]
        texts = all(cell not in self._labels.missing and problem(cell) is None for cell in first)
        below = rows[1][1] if len(rows) > 1 else []
        if len(first) > 1 and self._names_records(rows):
            raise UserError(
                f"{self.path}: line {number} starts with {shown(first[0])}, and the lines below it"
                " with other texts: are they names? targets are labels alone; remove that column"
            )
        named = any(cell.lower() in TITLES for cell in first)
        header = texts and not any(map(is_number, first)) and (named or any(map(is_number, below)))
        unnamed = len(first) > 1 and not first[0] and b"" not in self._labels.missing
        if header or (unnamed and below and below[0]):  # of an index there is often no name
            raise UserError(
                f"{self.path}: line {number} is {shown(b' '.join(first))}, which looks like a"
                " header line (column names), but targets have none; remove it, or let it start"
                " with '#'"
            )


def _like_number(cell: bytes) -> bool:
    """Whether a cell is a number or meant to be one, with a decimal comma, say."""
    return is_number(cell) or LIKE_NUMBER.fullmatch(cell) is not None


def _single_digits(text: bytes, columns: int) -> tuple[np.ndarray, Separator] | None:
    """Rows of single digits as uint8, where all lines are such; no look at each field.

    Two columns with a comma are left to a closer look, unless they are flags.
    """
    width = text.find(b"\n") + 1
    if width < 2 or width % 2 or len(text) % width:
        return None
    table = np.frombuffer(text, np.uint8).reshape(-1, width)
    digits, separators = table[:, 0::2], table[:, 1::2]
    if columns and digits.shape[1] != columns:
        return None
    mark = MARKS.get(bytes(set(separators[0, :-1].tolist())))
    if mark is None or not (separators == separators[0]).all():
        return None
    values = digits - np.uint8(ord("0"))  # what is below "0" wraps round
    most = 1 if mark is COMMAS and digits.shape[1] == 2 else 9
    return (values, mark) if (values <= most).all() else None
