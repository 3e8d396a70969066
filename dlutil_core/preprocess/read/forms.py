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
from dlutil_core.preprocess.read.foreign import (
    NUMBER,
    foreign_header,
    foreign_row,
    is_fastq,
    refuse,
    refuse_binary,
)
from dlutil_core.preprocess.read.tables import delimiter_of
from dlutil_core.preprocess.read.text_files import blocks, check_readable, shown
from dlutil_core.preprocess.section import Columns, Options

HEAD_LINES = 50
BASES = re.compile(rb"[ACGTUNacgtun]{4,}")
REGION = re.compile(rb"[^\s:]+:[\d,]+-[\d,]+(\([+.-]\))?")
UNNAMED = Columns()


def form_of(path: str, options: Options) -> str:
    """`fasta`, `pasted`, `bed` or `table`.

    Raises
    ------
    UserError
        A file in another format, by its name; or lines that are none of these, with the cause.
    """
    check_readable(path)
    refuse_binary(path)
    numbered = _head(path)
    lines = [line for _, line in numbered]
    if not lines:
        raise UserError(f"{path}: holds nothing but blanks; give a file with at least one record")
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


def _head(path: str) -> list[tuple[int, bytes]]:
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
    if holds_interval(fields):
        return "bed"
    if options.columns.sequence is not None:
        return "table"
    titles = [field.strip() for field in first.split(delimiter_of(first).encode())]
    if b"sequence" in titles:
        return "table"
    name = foreign_row(fields)
    if name:
        raise refuse(path, number, name)
    if options.columns != UNNAMED and options.genome is None:
        return "table"
    if len(first.split()) == 2 and b"," not in first and not REGION.fullmatch(first.split()[0]):
        _check_pasted(path, number, records)
        return "pasted"
    hint = _hint(first, titles, lines)
    # With a genome the reader of BED says what keeps the line from being an interval.
    if options.genome and (len(fields) > 2 or not hint) and not _bases_in(titles):
        return "bed"
    raise UserError(
        f"{path}: line {number} is {shown(first)}, which is neither FASTA nor BED nor a name and a"
        f" sequence; {hint or 'for a table, name its columns in preprocess.columns'}"
    )


def _hint(first: bytes, titles: list[bytes], lines: list[bytes]) -> str:
    """What a first line of no known form probably is."""
    if any(line.startswith(b"#") and b"sequence" in line.lower() for line in lines):
        return (
            "a line that begins with '#' is a comment, so the column names in it are not read:"
            " remove its '#'"
        )
    at = _bases_in(titles)
    if at and len(titles) > 1:
        return (
            f"column {at} looks like a sequence in a table without column names; set"
            f" preprocess.columns, as in {{sequence: {at}, labels: [{1 if at > 1 else 2}]}}"
        )
    if title_order(split_row(first)):
        return (
            "it holds column names: for BED remove it, for a table name them in preprocess.columns"
        )
    if REGION.fullmatch(first.split()[0]):
        return "write intervals as BED: chromosome, start (from 0) and end in three columns"
    if first.count(b",") > 1 and holds_interval(first.split(b",")):
        return "it looks like BED with commas; write tabs instead, and set preprocess.genome"
    return ""


def _bases_in(fields: list[bytes]) -> int:
    """The column, from 1, that holds nothing but bases; 0 where none does."""
    found = (i for i, field in enumerate(fields, 1) if BASES.fullmatch(field.strip(b" \"'")))
    return next(found, 0)


def _check_pasted(path: str, number: int, records: list[bytes]) -> None:
    """Refuse a sequence and a label where a name and a sequence are wanted, in either order."""
    rows = [line.split() for line in records if len(line.split()) == 2]
    firsts, seconds = [row[0] for row in rows], [row[1] for row in rows]
    if all(map(NUMBER.fullmatch, seconds)) and all(map(BASES.fullmatch, firsts)):
        raise UserError(
            f"{path}: line {number} is {shown(records[0])}, a sequence and then a number, but a"
            " name and then a sequence are wanted; for a label, put a tab between them and set"
            " preprocess.columns to {sequence: 1, labels: [2]}"
        )
    if all(map(BASES.fullmatch, firsts)) and not any(map(BASES.fullmatch, seconds)):
        raise UserError(
            f"{path}: line {number} is {shown(records[0])}, whose columns are in another order: a"
            " name and then a sequence are wanted; exchange them, or put a tab between them and set"
            " preprocess.columns to {sequence: 1, name: 2}"
        )
    if _look_like_labels(firsts) and all(map(BASES.fullmatch, seconds)):
        raise UserError(
            f"{path}: line {number} is {shown(records[0])}, whose first column looks like a label,"
            " but a name and then a sequence are wanted; for a label, put a tab between them and"
            " set preprocess.columns to {sequence: 2, labels: [1]}, for a name to {name: 1,"
            " sequence: 2}"
        )


def _look_like_labels(names: list[bytes]) -> bool:
    """Numbers that repeat, that are no whole numbers, or nothing but 0, 1 and -1."""
    if not all(map(NUMBER.fullmatch, names)):
        return False
    repeated = len(set(names)) < len(names)
    return repeated or not all(n.isdigit() for n in names) or set(names) <= {b"0", b"1"}
