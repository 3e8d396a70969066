"""Lines of a text table as rows of cells: one separator a file, comments left out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from dlutil_core.common.errors import UserError
from dlutil_core.preprocess.read.foreign import NUMBER
from dlutil_core.preprocess.read.text_files import blocks, shown

Row = tuple[int, list[bytes]]
"""The number of a line in its file, and its cells without the white space around them."""

COMMENT = b"#"
# What spreadsheets write where a formula fails; at a line's start it is a cell, not a comment.
FAILED = re.compile(
    rb"#(N/A|DIV/0!|VALUE!|REF!|NAME\?|NUM!|NULL!|SPILL!|CALC!|GETTING_DATA)(?![^\s,;\"])",
    re.IGNORECASE,
)
HINT = re.compile(rb"sep=(\S|\t)\s*", re.IGNORECASE)
BLANKS = b" \v\f"
SAMPLE = 50
SAMPLE_BYTES = 1 << 16
MAX_THOUSANDS = 4
TWO_WHOLE = re.compile(rb"[-+]?\d+,\d+([eE][-+]?\d+)?")
THOUSANDS = re.compile(rb"[-+]?\d{1,3}((,\d{3})+(\.\d*)?|(\.\d{3})+,\d+)")
BLANK_THOUSANDS = re.compile(rb"[-+]?\d{1,3}( \d{3})+(\.\d*)?")
LEADING_ZERO = re.compile(rb"[ ,]0\d")


@dataclass(frozen=True)
class Separator:
    """What stands between the cells of a line; `mark` is empty for blanks of any number."""

    mark: bytes
    words: str

    def cells(self, line: bytes) -> list[bytes]:
        """The cells of a line; a quoted one may hold the separator.

        Raises
        ------
        ValueError
            Quotation marks that are not closed.
        """
        if b'"' in line:
            return self._quoted(line)
        parts = line.split(self.mark or b" ")
        return [part.strip() for part in parts if self.mark or part]

    def try_cells(self, line: bytes) -> list[bytes]:
        """The cells, or the whole line as one where its quotation marks are not closed."""
        try:
            return self.cells(line)
        except ValueError:
            return [line.strip()]

    def _quoted(self, line: bytes) -> list[bytes]:
        cells, place, ended = [], 0, False
        while not ended:
            found = self._cell.match(line, place)
            assert found is not None  # the second way takes anything
            quoted, _, plain, end = found.groups()
            if plain is not None and plain.lstrip().startswith(b'"'):
                raise ValueError("a cell begins with a quotation mark and does not end with one")
            cell = plain if quoted is None else quoted.replace(b'""', b'"')
            if self.mark or cell:
                cells.append(cell.strip())
            place, ended = found.end(), not end
        return cells

    @cached_property
    def _cell(self) -> re.Pattern[bytes]:
        """A quoted cell or any other, and the separator or the end behind it."""
        mark = self.mark or b" "
        space = b"[" + b" \t\v\f".replace(mark, b"") + b"]*"
        quoted = space + rb'"((?:[^"]|"")*)"' + space
        ends = b"(" + re.escape(mark) + b"|$)"
        return re.compile(b"(?:" + quoted + b"(?=" + ends + b")|([^" + mark + b"]*))" + ends)


TABS = Separator(b"\t", "tabs")
SEMICOLONS = Separator(b";", "semicolons")
COMMAS = Separator(b",", "commas")
BLANK = Separator(b"", "blanks")
ALONE = Separator(b"\n", "one column")
SEPARATORS = (TABS, SEMICOLONS, COMMAS, BLANK)


def find_separator(lines: Sequence[bytes]) -> Separator:
    """The separator of a table's first lines: one that gives each of them the same columns.

    Tabs come before semicolons, commas and blanks, since these may stand inside a cell.
    """
    present = [s for s in SEPARATORS if _count(s, lines[0]) > 1]
    for separator in present:
        if len({_count(separator, line) for line in lines}) == 1:
            return separator
    if not present:
        return next((s for s in SEPARATORS if _has_row_names(s, lines)), ALONE)
    return present[0]


def _has_row_names(separator: Separator, lines: Sequence[bytes]) -> bool:
    """Whether one column name stands above a name and a number a row, as R writes a vector."""
    rows = [separator.try_cells(line) for line in lines[1:]]
    pairs = bool(rows) and all(len(row) == 2 and NUMBER.fullmatch(row[1]) for row in rows)
    return pairs and not NUMBER.fullmatch(lines[0].strip(b' "'))


def _count(separator: Separator, line: bytes) -> int:
    return len(separator.try_cells(line))


class CellReader:
    """Splits the blocks of one file into rows.

    Parameters
    ----------
    path
        The file, for messages.
    blank
        What a line without anything is between others, where there is one column: ``skip`` leaves
        it out, ``row`` takes it for a row with an empty cell, ``refuse`` makes it an error.
    """

    def __init__(self, path: str, blank: str = "skip") -> None:
        self.path = path
        self.separator: Separator | None = None
        self.titles: list[bytes] = []
        self.first_line = 0
        self._blank_is = blank
        self._comment = b""
        self._blank = 0

    def rows(self, text: bytes, line: int) -> list[Row]:
        """The rows of a block whose first line has this number.

        After the first of them, `separator` is known, and `titles` holds the cells of the comment
        line right above it, if there are as many as columns.
        """
        lines: list[tuple[int, bytes]] = []
        for number, row in enumerate(text.split(b"\n")[:-1], line):
            if is_comment(row):
                self._comment = self._comment if self.separator or lines else row
            elif row.strip(BLANKS) or self._is_blank_row(number, bool(lines)):
                lines.append((number, row))
        if not lines:
            return []
        if self.separator is None:
            self._start(lines)
        separator = self.separator
        assert separator is not None
        if separator is not ALONE:
            blanks = BLANKS if separator is TABS else None  # a lone tab is two empty cells
            lines = [(number, row) for number, row in lines if row.strip(blanks)]
        if separator is ALONE and self._blank and self._blank_is == "refuse":
            self._check_blank(lines[-1][0])
        return [(number, self._cells(separator, number, row)) for number, row in lines]

    def _is_blank_row(self, number: int, begun: bool) -> bool:
        if self._blank_is == "row":
            return self.separator in (None, ALONE)
        if begun or self.separator is not None:
            self._blank = self._blank or number
        return False

    def _check_blank(self, last: int) -> None:
        if self._blank < last:
            raise UserError(
                f"{self.path}: line {self._blank} is empty, but lines below it are not; write its"
                " value, or name '' in preprocess.columns.missing if its label is missing"
            )

    def _start(self, lines: list[tuple[int, bytes]]) -> None:
        check_hint(self.path, *lines[0])
        sample = [row for _, row in lines[:SAMPLE] if row.strip()]
        self.separator = find_separator(sample) if sample else ALONE
        self.first_line = lines[0][0]
        if self._comment:
            cells = self.separator.try_cells(self._comment.lstrip(COMMENT))
            alike = len(cells) == len(self.separator.try_cells(lines[0][1]))
            self.titles = cells if alike else []

    def _cells(self, separator: Separator, number: int, row: bytes) -> list[bytes]:
        try:
            return separator.cells(row) or [b""]
        except ValueError as error:
            raise UserError(
                f"{self.path}: line {number} cannot be read ({error}); correct its quotation marks"
            ) from None

    def check_width(self, rows: list[Row], width: int, what: str) -> None:
        """Refuse a row that has not `width` cells."""
        self.check_row_names(rows)
        for number, cells in rows:
            if len(cells) != width:
                raise UserError(
                    f"{self.path}: line {number} has {len(cells)} {what}, but the first line has"
                    f" {width}{self._mixed(b' '.join(cells))}; make them equal"
                )

    def check_row_names(self, rows: list[Row]) -> None:
        """Refuse names of rows without a name of their column, as R writes them."""
        number, first = rows[0]
        few = len(rows) < 3  # one row below the first is no pattern
        if few or number != self.first_line or any(map(NUMBER.fullmatch, first)):
            return
        width = len(first)
        if {len(cells) for _, cells in rows[1:]} == {width + 1}:
            raise UserError(
                f"{self.path}: line {number} is {shown(b' '.join(first))}, of fewer cells than the"
                f" lines below it ({width}, {width + 1}): a header line (column names) above names"
                " of rows, as R writes them? write the table again with row.names=FALSE"
            )

    def _mixed(self, text: bytes) -> str:
        """What the separators of an unequal line suggest."""
        separator = self.separator
        if separator is None:
            return ""
        others = [s.words for s in SEPARATORS[:3] if s is not separator and s.mark in text]
        if others:
            told = "alone in its line" if separator is ALONE else f"separated by {separator.words}"
            return f" (cells are {told} there, and this line has {others[0]})"
        if separator is COMMAS:
            return " (is a comma a decimal or thousands comma?)"
        return f" (columns are separated by {separator.words})" if separator is not ALONE else ""


def is_comment(line: bytes) -> bool:
    """Whether a line begins with ``#`` and not with a spreadsheet's error such as ``#N/A``."""
    return line.startswith(COMMENT) and FAILED.match(line) is None


def check_hint(path: str, number: int, line: bytes) -> None:
    """Refuse the line ``sep=;`` by which spreadsheets tell each other the separator."""
    if HINT.fullmatch(line):
        raise UserError(
            f"{path}: line {number} is {shown(line)}, a hint for spreadsheets and no row; remove"
            " that line"
        )


def row_blocks(path: str) -> Iterator[tuple[bytes, int]]:
    """Blocks of a file as `blocks` yields them, the first with enough rows to tell their form."""
    held, first, rows = b"", 0, 0
    for text, line in blocks(path):
        if first < 0:
            yield text, line
            continue
        held, first = held + text, first or line
        lines = text.split(b"\n", SAMPLE_BYTES >> 4)[:-1]
        rows += sum(not is_comment(row) for row in lines if row.strip())
        if rows >= SAMPLE or (rows > 1 and len(held) >= SAMPLE_BYTES):
            yield held, first
            first = -1
    if first > 0:
        yield held, first


def check_commas(path: str, rows: list[Row], separator: Separator, what: str) -> None:
    """Refuse numbers that may be columns or be written with decimal or thousands commas.

    `what` says what a line holds: only ``feature`` may have a first line of names.
    """
    texts = [(number, separator.mark.join(cells)) for number, cells in rows if len(cells) > 1]
    if separator is BLANK:
        texts = [(number, b" ".join(cells)) for number, cells in rows]
        if all(BLANK_THOUSANDS.fullmatch(t) for _, t in texts):
            _refuse_zeros(path, texts, what)
        return
    if separator is not COMMAS or not texts:
        return
    few = max(len(cells) for _, cells in rows) <= MAX_THOUSANDS
    if few and all(THOUSANDS.fullmatch(text) for _, text in texts):
        raise UserError(_ambiguous(path, *texts[0], what))
    if all(TWO_WHOLE.fullmatch(text) for _, text in texts) and not _surely_columns(rows):
        raise UserError(_ambiguous(path, *texts[0], what))


def check_decimal_commas(
    path: str, rows: list[Row], separator: Separator | None, labels: Sequence[int]
) -> None:
    """Refuse a label by number, in lines without names, that a comma may have cut in two.

    Parameters
    ----------
    labels
        Columns of the labels, from 0.
    """
    last = min(len(cells) for _, cells in rows) - 1
    for label in labels if separator is COMMAS else ():
        if label >= last or label + 1 in labels:
            continue
        pairs = [(number, cells[label : label + 2]) for number, cells in rows]
        joined = [(number, b",".join(pair)) for number, pair in pairs]
        flags = {cell for _, pair in pairs for cell in pair} <= {b"0", b"1"}
        if not flags and all(TWO_WHOLE.fullmatch(text) for _, text in joined):
            raise UserError(_ambiguous(path, *joined[0], "feature"))


def _refuse_zeros(path: str, texts: list[tuple[int, bytes]], what: str) -> None:
    for number, text in texts:
        if LEADING_ZERO.search(text):
            raise UserError(_ambiguous(path, number, text, what))


def _surely_columns(rows: list[Row]) -> bool:
    """Whether two columns of whole numbers are flags, or an index and what it counts."""
    cells = Counter(cell for _, row in rows for cell in row)
    first = [row[0] for _, row in rows]
    counts = any(first == [b"%d" % (k + i) for i in range(len(first))] for k in (0, 1))
    return set(cells) <= {b"0", b"1"} or (counts and len(first) > 1)


def _ambiguous(path: str, number: int, text: bytes, what: str) -> str:
    names = "a first line" if what == "feature" else "a first line that begins with '#'"
    return (
        f"{path}: line {number} is {shown(text)}, which may be columns or a number with a decimal"
        " or thousands comma; write numbers with a decimal point alone, and separate columns by"
        f" tabs or name them in {names}"
    )
