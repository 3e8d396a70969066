"""Cells to numbers: labels are numbers, or texts that are classes with names, or missing.

A column of labels is one or the other in all files of a run. Classes are numbered in the sorted
order of their names (by Unicode code points) when all files have been read; until then in the
order in which they appear.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from contextlib import suppress
from decimal import Decimal

import numpy as np

from dlutil_core.common.errors import UserError
from dlutil_core.common.logs import log
from dlutil_core.preprocess.read.cells import Row
from dlutil_core.preprocess.read.text_files import readable, shown

LARGEST = float(np.finfo(np.float32).max)
EXACT = 2.0**53
"""Below it each whole number is a number of double precision."""
MAX_CLASSES = 1000
MAX_CLASS_BYTES = 100
NAMES_FROM = 20
LIKE_MISSING = frozenset(
    b"|na|n/a|n.a.|nan|+nan|-nan|<na>|null|nil|none|missing|-|--|.|?|#n/a|#div/0!|#value!|#ref!"
    b"|#name?|#num!|#null!|#spill!|#calc!|#getting_data".split(b"|")
)
LIKE_NUMBER = re.compile(rb"[-+]?[\d.,' _\xa0\xc2%]*\d[\d.,' _\xa0\xc2%]*([eE][-+]?\d+)?%?")
WHOLE = re.compile(rb"[-+]?\d+")
HEXADECIMAL = re.compile(rb"[-+]?0[xX][0-9a-fA-F]+")
COUNTED_FROM = 3


class Told:
    """Says each message once, however often a file is read."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def once(self, message: str) -> None:
        """Say it unless it was said; what begins with ``warning:`` is a warning."""
        if message not in self._said:
            self._said.add(message)
            (log.warning if message.startswith("warning:") else log.info)(message)


class Counting:
    """Whether a column only counts: 0, 1, 2, … or 1, 2, 3, …."""

    def __init__(self) -> None:
        self._rows = 0
        self._start = 0.0
        self._counts = True

    def add(self, values: np.ndarray) -> None:
        """Look at the next values, shape (n,)."""
        if not self._counts or not len(values):
            return
        if not self._rows:
            self._start = float(values[0])
        expected = np.arange(self._rows, self._rows + len(values)) + self._start
        self._rows += len(values)
        self._counts = self._start in (0.0, 1.0) and np.array_equal(values, expected)

    def end(self) -> None:
        """Stop looking: the values are no numbers."""
        self._counts = False

    def found(self) -> bool:
        """Whether all values counted, and were more than two."""
        return self._counts and self._rows >= COUNTED_FROM


class Column:
    """One column of labels: a number or a text in each cell, never both."""

    def __init__(self) -> None:
        self.codes: dict[bytes, int] = {}
        self.known = 0
        self.first = ""  # where its first value stands, and the value
        self.text = False

    def names(self) -> list[bytes]:
        """The classes in sorted order; empty for numbers."""
        return sorted(self.codes)

    def order(self) -> np.ndarray | None:
        """The number of each class by the number it had while files were read."""
        if not self.text:
            return None
        names = {name: number for number, name in enumerate(self.names())}
        return np.array([names[name] for name in self.codes])


class LabelColumns:
    """The columns of labels of all files of a run.

    Parameters
    ----------
    missing
        Cells that stand for a missing label, which becomes NaN.
    texts
        Whether texts are classes; otherwise they are refused.
    """

    def __init__(self, missing: Sequence[str] = (), texts: bool = True) -> None:
        self.missing = frozenset(text.encode() for text in missing)
        self.texts = texts
        self.columns: list[Column] = []
        self._quick = not any(map(is_number, self.missing))

    def start(self) -> None:
        """Begin to count labels anew, before files are read once more."""
        for column in self.columns:
            column.known = 0

    def values(self, path: str, rows: list[Row], places: list[tuple[int, str]]) -> np.ndarray:
        """Numbers of these cells, float64, shape (n, K).

        Parameters
        ----------
        path
            The file, for messages.
        rows
            Rows of cells.
        places
            Place of each label in a row, and what to call it, as in ``label 'x' in column y``,
            with ``{}`` for the cell.

        Raises
        ------
        UserError
            A cell that is empty, not a number, or not of its column's kind.
        """
        while len(self.columns) < len(places):
            self.columns.append(Column())
        values = np.empty((len(rows), len(places)))
        for k, (place, what) in enumerate(places):
            cells = [row[place] for _, row in rows]
            quick = numbers(cells) if self._quick and not self.columns[k].text else None
            if quick is None or not self.columns[k].first:
                self._decide(path, rows, place, what, self.columns[k])
            values[:, k] = (
                self._slow(path, rows, place, what, self.columns[k]) if quick is None else quick
            )
        return values

    def _decide(self, path: str, rows: list[Row], place: int, what: str, column: Column) -> None:
        """Let the first cell that is not missing say what the column holds."""
        if column.first:
            return
        for number, row in rows:
            cell = row[place]
            if cell in self.missing:
                continue
            column.text = self.texts and not is_number(cell) and problem(cell) is None
            column.first = f"{path}: line {number} has the {what.format(shown(cell))}"
            return

    def _slow(
        self, path: str, rows: list[Row], place: int, what: str, column: Column
    ) -> np.ndarray:
        codes = [column.codes.get(row[place]) for _, row in rows]
        if None not in codes:
            column.known += len(codes)
            return np.array(codes, np.float64)
        values = np.empty(len(rows))
        for index, (number, row) in enumerate(rows):
            cell = row[place]
            if cell in self.missing:
                values[index] = np.nan
                continue
            column.known += 1
            code = column.codes.get(cell)
            if code is None:
                where = f"{path}: line {number} has the {what.format(shown(cell))}"
                values[index] = self._value(where, cell, column)
            else:
                values[index] = code
        return values

    def _value(self, where: str, cell: bytes, column: Column) -> float:
        if is_number(cell):
            if column.text:
                raise UserError(
                    f"{where}, a number, but {column.first}, a text; are those texts a header"
                    " line (column names)? remove it, or write labels of one kind"
                )
            return self._number(where, cell)
        told = problem(cell, gaps=self.texts)
        if told is not None or not column.text:
            raise UserError(f"{where}, which is {told or 'not a finite number; correct it'}")
        if b"\t" in cell:
            raise UserError(
                f"{where}, with a tab inside, but the first line has no tab; are these several"
                " columns? write the same columns in each line"
            )
        if len(cell) > MAX_CLASS_BYTES or len(column.codes) == MAX_CLASSES:
            raise UserError(
                f"{where}, but labels that are texts are classes, at most {MAX_CLASSES} of names"
                f" of {MAX_CLASS_BYTES} bytes; is this a column of labels?"
            )
        return column.codes.setdefault(cell, len(column.codes))

    def _number(self, where: str, cell: bytes) -> float:
        value = float(cell)
        large = self.texts and abs(value) >= EXACT and WHOLE.fullmatch(cell)
        if large and Decimal(cell.decode()) != Decimal(value):
            raise UserError(
                f"{where}, a whole number of more than 53 bits, which is not exact as a number; is"
                " it an identifier? then leave that column out"
            )
        return value

    def are_numbers(self, count: int) -> bool:
        """Whether `count` columns are known to hold numbers, of which none stands for a gap."""
        if not self.texts:
            return self._quick
        decided = [column.first and not column.text for column in self.columns]
        return self._quick and len(decided) >= count and all(decided)

    def is_text(self, k: int) -> bool:
        """Whether the k-th column holds classes."""
        return k < len(self.columns) and self.columns[k].text

    def classes(self) -> list[list[str] | None]:
        """Names of each column's classes in sorted order; None for a column of numbers."""
        return [
            [readable(name, MAX_CLASS_BYTES) for name in column.names()] if column.text else None
            for column in self.columns
        ]

    def orders(self) -> list[np.ndarray | None]:
        """For each column the final number of each class, or None for numbers."""
        return [column.order() for column in self.columns]

    def check(self) -> None:
        """Refuse texts that name records, and warn of names that differ in case alone.

        Raises
        ------
        UserError
            Each of many records has a text of its own, or every label is missing.
        """
        for column in self.columns:
            if not column.first:
                raise UserError(
                    "preprocess.columns.missing: every label of a column is missing; correct that"
                    " key, or leave the column out"
                )
            if column.text and NAMES_FROM < column.known == len(column.codes):
                raise UserError(
                    f"{column.first}, and every record has another text there; texts are classes:"
                    " is this a column of names?"
                )
            folded: dict[bytes, bytes] = {}
            for name in column.names():
                other = folded.setdefault(name.lower(), name)
                if other != name:
                    log.warning(
                        f"warning: {column.first.partition(': line ')[0]}: the classes"
                        f" {shown(other)} and {shown(name)} differ in case alone"
                    )


def numbers(cells: list[bytes]) -> np.ndarray | None:
    """Cells as float64, or None unless all are finite decimal numbers that float32 holds.

    None also where one is so large that a whole number may not be exact.
    """
    try:
        values = np.fromiter(map(float, cells), np.float64, len(cells))
    except ValueError:
        return None
    fine = bool((np.abs(values) < EXACT).all()) and b"_" not in b"".join(cells)
    return values if fine else None


def is_number(cell: bytes) -> bool:
    """Whether a cell is a finite decimal number that float32 holds, as users write them."""
    try:
        return b"_" not in cell and abs(float(cell)) <= LARGEST
    except ValueError:
        return False


def problem(cell: bytes, gaps: bool = True) -> str | None:
    """Why a cell is neither a number nor the name of a class, and what to do; None if it may be.

    With `gaps` it may be told how missing labels are named.
    """
    named = "preprocess.columns.missing if the label is missing"
    missing = f", or name it in {named}"
    empty = f", or name '' in {named}"
    if not cell:
        return f"an empty cell; write its value{empty if gaps else ''}"
    value: float | None = None
    with suppress(ValueError):
        value = float(cell)
    if cell.lower() in LIKE_MISSING or (value is not None and math.isnan(value)):
        return f"not a finite number; correct it{missing if gaps else ''}"
    if value is not None and b"_" not in cell:
        return (
            "not a finite number; correct it"
            if math.isinf(value)
            else f"larger than float32 holds, {LARGEST:.8g}; scale or correct it"
        )
    return _damaged(cell)


def _damaged(cell: bytes) -> str | None:
    """What is wrong with a cell that looks like a number but is none; None for a text."""
    if LIKE_NUMBER.fullmatch(cell) and b" " in cell:
        return (
            "not a finite number; are there two separators, or decimal commas? write one separator"
            " in the whole file, and decimal points"
        )
    if LIKE_NUMBER.fullmatch(cell) and b"," in cell:
        return "not a finite number; write a decimal point, without decimal and thousands commas"
    text = cell.decode("utf-8", "replace")
    digits = any(letter.isdigit() for letter in text)
    plain = digits and not any(letter.isalpha() for letter in text)
    if plain or LIKE_NUMBER.fullmatch(cell) or HEXADECIMAL.fullmatch(cell):
        return "not a finite number; correct it"
    return None
