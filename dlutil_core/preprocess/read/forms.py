"""What a file of sequences is: FASTA, a name and a sequence a line, BED, a table, or none of them.

The first lines decide, never the file's name.
"""

from __future__ import annotations

import re

from dlutil_core.common.errors import UserError
from dlutil_core.preprocess.read.bed_rows import (
    holds_interval,
    is_aside,
    split_row,
    title_order,
)
from dlutil_core.preprocess.read.cells import (
    BLANK,
    COMMAS,
    TABS,
    Separator,
    check_hint,
    find_separator,
)
from dlutil_core.preprocess.read.foreign import (
    foreign_header,
    foreign_row,
    is_fastq,
    refuse,
    refuse_binary,
)
from dlutil_core.preprocess.read.labels import is_number
from dlutil_core.preprocess.read.tables import SEQUENCE_WORDS
from dlutil_core.preprocess.read.text_files import blocks, check_readable, readable, shown
from dlutil_core.preprocess.section import Options

HEAD_LINES = 50
BASES = re.compile(rb"[ACGTUNacgtun]{4,}")
REGION = re.compile(rb"[^\s:]+:[\d,]+-[\d,]+(\([+.-]\))?")
COLUMNS = "preprocess.columns: {{sequence: {}, labels: [{}]}}"


def form_of(path: str, options: Options) -> str:
    """`fasta`, `pasted`, `bed` or `table`.

    Raises
    ------
    UserError
        A file in another format, by its name; or lines that are none of these, with the cause.
    """
    check_readable(path)
    refuse_binary(path)
    numbered = head_of(path)
    lines = [line for _, line in numbered]
    if not lines:
        raise UserError(f"{path}: holds nothing but blanks; give a file with at least one record")
    check_hint(path, *numbered[0])
    if is_fastq(lines):
        raise refuse(path, numbered[0][0], "FASTQ")
    _refuse_foreign_headers(path, numbered)
    records = [line for line in lines if not line.startswith((b"#", b";"))]
    if records and records[0].startswith(b">"):
        return _with_marks(records)
    named = isinstance(options.columns.sequence, str)
    if options.columns.sequence is not None and not (named and options.genome):
        return "table"
    records = [line for line in lines if not is_aside(line)]
    if not records:
        raise UserError(f"{path}: has nothing but comment lines; give a file with a record")
    number = next(n for n, line in numbered if line is records[0])
    return _of_lines(path, number, records, lines, options)


def head_of(path: str) -> list[tuple[int, bytes]]:
    """The first lines that are not blank, with their numbers."""
    found: list[tuple[int, bytes]] = []
    for text, first in blocks(path):
        for number, line in enumerate(text.split(b"\n"), first):
            if line.strip():
                found.append((number, line.strip(b"\n")))
            if len(found) == HEAD_LINES:
                return found
    return found


def _refuse_foreign_headers(path: str, numbered: list[tuple[int, bytes]]) -> None:
    """Headers stand in comments, or before the first line that may be a record."""
    for number, line in numbered:
        aside = line.startswith((b"#", b"track", b"browser"))
        if not aside and (line.startswith(b">") or holds_interval(split_row(line))):
            return
        name = foreign_header(line)
        if name:
            raise refuse(path, number, name)
        if not aside:
            return


def _with_marks(records: list[bytes]) -> str:
    """Lines that begin with '>': FASTA, or names and sequences that `paste` put side by side."""
    marked = [line for line in records if line.startswith(b">")]
    alone = len(marked) == len(records)
    return "pasted" if alone and all(len(line.split()) > 1 for line in marked) else "fasta"


def _of_lines(
    path: str, number: int, records: list[bytes], lines: list[bytes], options: Options
) -> str:
    first = records[0]
    fields = split_row(first)
    separator = find_separator(records)
    if holds_interval(fields) and (options.genome or separator is not COMMAS):
        return "bed"
    columns = options.columns
    if columns.sequence is not None or columns.paired is not None:
        return "table"
    if _names_sequence(lines, first, separator):
        return "table"
    name = foreign_row(fields)
    if name:
        raise refuse(path, number, name)
    region = REGION.fullmatch(first.split()[0]) is not None
    two = len(first.split()) == 2 and len(split_row(first.strip())) == 2
    if two and separator in (TABS, BLANK) and not region:
        _check_pasted(path, number, records)
        return "pasted"
    cells = separator.try_cells(first)
    # With a genome the reader of BED says what keeps the line from being an interval.
    mixed = holds_interval(first.split())
    if options.genome and (len(fields) > 2 or mixed) and not _bases_in(cells):
        return "bed"
    raise UserError(_unknown(path, number, first, cells))


def _names_sequence(lines: list[bytes], first: bytes, separator: Separator) -> bool:
    """Whether the first row, or the comment above it, has a column called `sequence`."""
    place = lines.index(first)
    above = lines[place - 1].lstrip(b"#") if place else b""
    rows = (first, above)
    return any(b"sequence" in [c.lower() for c in separator.try_cells(row)] for row in rows)


def _unknown(path: str, number: int, first: bytes, cells: list[bytes]) -> str:
    """What is wrong with a file of no known form, by what its first line looks like."""
    start = f"{path}: line {number} is {shown(first)}, which is neither FASTA nor BED nor a name"
    start += " and a sequence;"
    at = _bases_in(cells)
    values = [place for place, cell in enumerate(cells, 1) if is_number(cell)]
    if at and len(cells) > 1:
        columns = COLUMNS.format(at, values[0] if values else 2 if at == 1 else 1)
        return f"{start} for a table without column names set {columns}"
    titles = [cell.decode("utf-8", "replace") for cell in cells]
    near = [title for title in titles if title.lower() in SEQUENCE_WORDS]
    if near:
        return (
            f"{start} it looks like a header line (column names), so name the sequences' column,"
            f" as in preprocess.columns: {{sequence: {readable(near[0], 30)}}}, and those of labels"
        )
    if title_order(cells):
        return (
            f"{start} it holds column names: for BED remove the line, for a table set"
            " preprocess.columns"
        )
    if REGION.fullmatch(first.split()[0]):
        return f"{start} write intervals as BED: chromosome, start (from 0) and end in columns"
    if holds_interval(cells):
        return f"{start} it looks like BED, but BED has tabs between its columns; write tabs"
    return f"{start} for a table, name its columns in preprocess.columns"


def _bases_in(fields: list[bytes]) -> int:
    """The column, from 1, that holds nothing but bases; 0 where none does."""
    found = (i for i, field in enumerate(fields, 1) if BASES.fullmatch(field.strip(b" \"'")))
    return next(found, 0)


def _check_pasted(path: str, number: int, records: list[bytes]) -> None:
    """Refuse a sequence and a label where a name and a sequence are wanted, in either order."""
    rows = [line.split() for line in records if len(line.split()) == 2]
    firsts, seconds = [row[0] for row in rows], [row[1] for row in rows]
    if rows[0][0].isdigit() and rows[0][1].isdigit() and not all(map(is_number, seconds)):
        raise refuse(path, number, "PHYLIP")
    if all(map(is_number, seconds)) and not any(map(is_number, firsts)):
        raise UserError(
            f"{path}: line {number} is {shown(records[0])}, whose second column is a number and no"
            f" sequence; set {COLUMNS.format(1, 2)} if the sequence stands first"
        )
    if all(map(BASES.fullmatch, firsts)) and not any(map(BASES.fullmatch, seconds)):
        raise UserError(
            f"{path}: line {number} is {shown(records[0])}, whose columns are in another order: a"
            " name and then a sequence are wanted; set preprocess.columns: {sequence: 1, name: 2}"
        )
    counts = any(firsts == [b"%d" % (k + i) for i in range(len(firsts))] for k in (0, 1))
    if all(map(is_number, firsts)) and not counts:
        raise UserError(
            f"{path}: line {number} is {shown(records[0])}, whose first column is a number: a"
            f" label, or a name? set {COLUMNS.format(2, 1)} if it is a label, or"
            " preprocess.columns: {sequence: 2, name: 1} if it is a name"
        )
