"""One line of BED: a chromosome, two whole numbers, a strand in column 6; else the true cause."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from dlutil_core.common.errors import UserError
from dlutil_core.preprocess.read.foreign import NUMBER, foreign_row, refuse
from dlutil_core.preprocess.read.text_files import readable, shown

TRACK = re.compile(rb"(track|browser)(\s|$)")
WHOLE = re.compile(rb"-?\d{1,18}")
THOUSANDS = re.compile(rb"\d{1,3}(,\d{3})+")

STRANDS = {b"+": "+", b"-": "-", b".": "."}
# bedtools merge -c writes one strand a merged interval, or all of them with commas.
STRAND_SIGNS = re.compile(rb"[+-](,[+-])*")
# What stands for a strand elsewhere; in a column of BED with six it may be a name or a score.
STRAND_WORDS = {
    b"-1", b"+1", b"*", b"plus", b"minus", b"forward", b"reverse", b"fwd", b"rev", b"f", b"r",
    b"sense", b"antisense", "−".encode(), "–".encode(),
}  # fmt: skip

CHROMOSOME_WORDS = {b"chr", b"chrom", b"chromosome", b"seqnames", b"seqname", b"seqid", b"contig"}
START_WORDS = {
    b"start",
    b"chromstart",
    b"chrom_start",
    b"begin",
    b"from",
    b"start_position",
    b"pos",
}
END_WORDS = {b"end", b"chromend", b"chrom_end", b"stop", b"to", b"end_position"}


@dataclass(frozen=True)
class Interval:
    """A checked line: letters start…end-1, counted from 0; its summit is counted from start."""

    chromosome: str
    start: int
    end: int
    strand: str
    summit: int | None = None


def is_aside(row: bytes) -> bool:
    """Whether a line is a comment, or a track or browser line (not a chromosome of that name)."""
    if row.startswith(b"#"):
        return True
    return TRACK.match(row) is not None and not holds_interval(split_row(row))


def split_row(row: bytes) -> list[bytes]:
    """The columns of a line: between tabs where it has some, else between blanks."""
    return row.split(b"\t") if b"\t" in row else row.split()


def holds_interval(fields: list[bytes]) -> bool:
    """Whether the second and third column are whole numbers, or meant to be."""
    if len(fields) < 3:
        return False
    return all(_is_coordinate(field.strip()) for field in fields[1:3])


def _is_coordinate(field: bytes) -> bool:
    return bool(field.isdigit() or NUMBER.fullmatch(field) or THOUSANDS.fullmatch(field))


def title_order(fields: list[bytes]) -> tuple[int, int, int] | None:
    """The columns of chromosome, start and end where a line holds such column names."""
    words = [field.strip(b" #\"'").lower() for field in fields]
    found = [
        next((i for i, word in enumerate(words) if word in known), -1)
        for known in (CHROMOSOME_WORDS, START_WORDS, END_WORDS)
    ]
    return (found[0], found[1], found[2]) if min(found) >= 0 else None


def parse_row(
    path: str,
    number: int,
    fields: list[bytes],
    lengths: Mapping[str, int],
    genome: str,
    named: frozenset[int],
) -> Interval:
    """Check a line of BED.

    Parameters
    ----------
    path, number
        File and line, for messages.
    fields
        Its columns.
    lengths
        The genome's chromosomes.
    genome
        Its path.
    named
        Columns (from 0) that the config gives a meaning.

    Raises
    ------
    UserError
        What is wrong, with its cause: another format, column names, another order, a strand
        elsewhere, numbers that are none, a chromosome that the genome has not.
    """
    where = f"{path}: line {number}"
    if len(fields) < 3 or not all(WHOLE.fullmatch(field.strip()) for field in fields[1:3]):
        raise UserError(_no_interval(path, number, fields, lengths))
    if len(fields) > 3:
        _check_strand(path, number, fields, named)
    chromosome = fields[0].strip().decode("utf-8", "backslashreplace")
    start, end = int(fields[1]), int(fields[2])
    if start >= end:
        raise UserError(
            _foreign(path, number, fields)
            or f"{where} has start {start} and end {end}, but the end must be larger"
        )
    if chromosome not in lengths:
        raise UserError(_foreign(path, number, fields) or _unknown(where, fields, lengths, genome))
    # A label or group in column 6 is no strand, unless it is one, too.
    strand = STRANDS.get(fields[5].strip(), ".") if len(fields) > 5 else "."
    return Interval(chromosome, start, end, strand)


def _foreign(path: str, number: int, fields: list[bytes]) -> str:
    name = foreign_row(fields)
    return str(refuse(path, number, name)) if name else ""


def _check_strand(path: str, number: int, fields: list[bytes], named: frozenset[int]) -> None:
    """A strand where BED has its name, score or thickStart is one that nobody would read."""
    where = f"{path}: line {number}"
    wide = len(fields) > 5
    for column in (3, 4, 6) if wide else range(3, len(fields)):
        if column >= len(fields) or column in named:
            continue
        field = fields[column].strip()
        sign = STRAND_SIGNS.fullmatch(field)
        if column == 6 and fields[5].strip() != b".":
            continue
        if sign or (not wide and field.lower() in STRAND_WORDS):
            what = "the strand" if sign else "what looks like a strand,"
            raise UserError(
                _foreign(path, number, fields)
                or f"{where} has {what} {shown(field)} in column {column + 1}, but BED has it in"
                " column 6; write chromosome, start, end, name, score and strand, or name the"
                " column in preprocess.columns if it is something else"
            )
    if len(fields) > 4 and 4 not in named and not NUMBER.fullmatch(fields[4].strip()):
        _refuse_foreign(path, number, fields)
    if wide and 5 not in named and fields[5].strip() not in STRANDS:
        raise UserError(
            _foreign(path, number, fields)
            or f"{where} has the strand {shown(fields[5].strip())} in column 6, but must have +, -"
            " or . there; correct it, or keep the first three columns"
        )
    if len(fields) > 6 and not NUMBER.fullmatch(fields[6].strip()):
        _refuse_foreign(path, number, fields)


def _refuse_foreign(path: str, number: int, fields: list[bytes]) -> None:
    sentence = _foreign(path, number, fields)
    if sentence:
        raise UserError(sentence)


def _no_interval(path: str, number: int, fields: list[bytes], lengths: Mapping[str, int]) -> str:
    """Why a line has no chromosome, start and end in its first three columns."""
    where = f"{path}: line {number}"
    line = shown(b" ".join(fields))
    sentence = _foreign(path, number, fields)
    if sentence:
        return sentence
    if title_order(fields):
        return (
            f"{where} is {line}, which holds column names, but BED has none; remove the line if"
            " the columns are chromosome, start (counted from 0) and end, or begin it with '#'"
        )
    if len(fields) < 3:
        return _too_few(where, line, fields)
    for name, field in (("start", fields[1].strip()), ("end", fields[2].strip())):
        if not WHOLE.fullmatch(field) and _is_coordinate(field):
            return f"{where} has the {name} {shown(field)}, {_numeral(field)}"
    at = _chromosome_elsewhere(fields, lengths)
    if at:
        return (
            f"{where} is {line}, with a chromosome in column {at + 1}: its columns are in another"
            " order; write chromosome, start, end, name, score and strand"
        )
    if all(field.strip()[:1] in (b'"', b"'") for field in fields[:3]):
        return f"{where} is {line}, with quotes around its cells; write the file without quotes"
    if all(_is_word(field) for field in fields):
        return (
            f"{where} is {line}, without a number in it: does it hold column names? BED has none;"
            " remove the line if the columns are chromosome, start (counted from 0) and end"
        )
    wrong = 1 if not WHOLE.fullmatch(fields[1].strip()) else 2
    return (
        f"{where} has the {('start', 'end')[wrong - 1]} {shown(fields[wrong].strip())}, which is no"
        " whole number; write chromosome, start and end"
    )


def _is_word(field: bytes) -> bool:
    """Whether a cell holds letters and no digit but one at the end of a word, as in `log10`."""
    return re.fullmatch(rb"[^\d]*[A-Za-z][^\d]*\d{0,2}\W*", field) is not None


def _too_few(where: str, line: str, fields: list[bytes]) -> str:
    joined = b" ".join(fields)
    cause = "must hold a chromosome, a start and an end"
    if re.fullmatch(rb"\S+:[\d,]+-[\d,]+.*", joined):
        cause = "BED has chromosome, start (counted from 0) and end in three columns"
    elif joined.count(b",") >= 2 or joined.count(b";") >= 2:
        cause = "BED has tabs or blanks between its columns"
    elif len(joined.split()) >= 3:
        cause = "BED has tabs between all of its columns, or blanks between all of them"
    return f"{where} is {line}, but {cause}"


def _numeral(field: bytes) -> str:
    """Why a number is no coordinate, and what it is in digits."""
    if b"," in field:
        return f"with thousands commas; write {field.replace(b',', b'').decode()}"
    value = float(field)
    if abs(value) > 2**53:
        return "which no chromosome is long enough for; correct it"
    if value != int(value):
        return "which is no whole number; correct it"
    how = "with an exponent" if b"e" in field.lower() else "with a decimal point"
    if field.startswith(b"+"):
        how = "with a sign"
    return f"written {how}; write {int(value)}"


def _chromosome_elsewhere(fields: list[bytes], lengths: Mapping[str, int]) -> int:
    """Another column than the first that names a chromosome (0 where none does)."""
    for column, field in enumerate(fields[1:], 1):
        if field.strip(b" \"'").decode("utf-8", "replace") in lengths and not field.isdigit():
            return column
    return 0


def _unknown(where: str, fields: list[bytes], lengths: Mapping[str, int], genome: str) -> str:
    """A chromosome that the genome has not: another name of it, quotes, another order."""
    field = fields[0].strip()
    plain = field.strip(b"\"'")
    if plain != field and plain.decode("utf-8", "replace") in lengths:
        return f"{where} has quotes around {shown(plain)}; write the file without quotes"
    at = _chromosome_elsewhere(fields, lengths)
    if at:
        return (
            f"{where} is {shown(b' '.join(fields))}, with a chromosome in column {at + 1}: its"
            " columns are in another order; write chromosome, start, end, name, score and strand"
        )
    known = ", ".join(readable(name, 30) for name in list(lengths)[:5])
    return (
        f"{where} names the chromosome {shown(field)}, which is not in {genome} (it has {known},"
        " ...); use names of the same genome"
    )
