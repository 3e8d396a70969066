"""Where the sequence of an interval is cut: about its middle or summit, within its chromosome."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from dlutil_core.common.errors import UserError
from dlutil_core.common.logs import log
from dlutil_core.preprocess.read.bed_rows import Interval
from dlutil_core.preprocess.read.blocks import Block
from dlutil_core.preprocess.read.foreign import NUMBER
from dlutil_core.preprocess.read.text_files import readable, shown

PLACE = re.compile(rb"\d{1,18}")
NAMED = 5
"""Dropped intervals that a warning names."""


@dataclass(frozen=True)
class Windows:
    """How intervals become windows, for all files of a run.

    Attributes
    ----------
    width
        Letters of each window, or None: the interval itself.
    center
        ``summit``: that of a narrowPeak file where it has one; ``middle``: never.
    outside
        What is done with windows that reach past a chromosome's end: ``error``, ``drop``, ``pad``
        or ``shift``.
    told
        What was told of which file: a file may be read more than once.
    """

    width: int | None = None
    center: str = "summit"
    outside: str = "error"
    told: set[tuple[str, str]] = field(default_factory=set)

    def place(self, where: str, row: Interval, length: int, genome: str) -> tuple[int, int] | None:
        """First letter and end of the window; None where it is to be dropped.

        A window keeps the centre, `(start + end) // 2` or the summit, at its letter `width // 2`.
        """
        start, end = row.start, row.end
        if self.outside == "error" and (start < 0 or end > length):
            raise UserError(_past(where, row, length, genome))
        if self.width is not None:
            centre = (start + end) // 2 if row.summit is None else start + row.summit
            start = centre - self.width // 2
            end = start + self.width
        if start >= 0 and end <= length:
            return start, end
        if self.outside == "drop":
            return None
        if self.outside == "error":
            raise UserError(
                f"{where} makes the window {row.chromosome}:{start}-{end}, but {row.chromosome} has"
                f" {length} letters; set preprocess.outside to drop, pad or shift, make"
                " preprocess.window smaller or remove the line"
            )
        if (
            row.end <= 0
            or row.start >= length
            or (self.outside == "pad" and _apart(start, end, length))
        ):
            raise UserError(
                f"{where} makes the window {row.chromosome}:{start}-{end}, which holds nothing of"
                f" {row.chromosome} with its {length} letters; is {genome} the genome of these"
                " intervals? Else set preprocess.outside to drop"
            )
        return (
            (start, end) if self.outside == "pad" else self._shifted(where, start, end, row, length)
        )

    def _shifted(
        self, where: str, start: int, end: int, row: Interval, length: int
    ) -> tuple[int, int]:
        if end - start > length:
            raise UserError(
                f"{where} makes the window {row.chromosome}:{start}-{end}, longer than"
                f" {row.chromosome} with its {length} letters; set preprocess.outside to drop or"
                " pad, or make preprocess.window smaller"
            )
        moved = min(max(start, 0), length - (end - start))
        return moved, moved + end - start

    def tell(self, path: str, dropped: list[str], count: int, total: int) -> None:
        """Say once which intervals of a file were dropped; all of them are an error."""
        if count == total:
            raise UserError(
                f"{path}: all {total} intervals make windows past a chromosome's end; make"
                " preprocess.window smaller, or set preprocess.outside to pad or shift"
            )
        if not count or (path, "dropped") in self.told:
            return
        self.told.add((path, "dropped"))
        rest = ", ..." if count > len(dropped) else ""
        log.warning(
            f"warning: {path}: {count} of {total} intervals make windows past a chromosome's end"
            f" and were dropped: {', '.join(dropped)}{rest}"
        )

    def tell_blocks(self, path: str, line: int) -> None:
        """Say once that a transcript's blocks are not joined."""
        if (path, "blocks") not in self.told:
            self.told.add((path, "blocks"))
            log.warning(
                f"warning: {path}: line {line} has several blocks (BED12), but the whole interval"
                " is cut, with what is between them; for the blocks alone run bedtools bed12tobed6"
            )


def _apart(start: int, end: int, length: int) -> bool:
    return end <= 0 or start >= length


def _past(where: str, row: Interval, length: int, genome: str) -> str:
    name = row.chromosome
    said = f"starts at {row.start}, before the begin of {name}"
    if row.end > length:
        said = f"ends at {row.end}, past the end of {name} at {length}"
    return (
        f"{where} {said}; is {genome} the genome of these intervals? If so, set preprocess.outside"
        " to drop, pad or shift"
    )


def summit_of(where: str, fields: list[bytes], start: int, end: int, told: bool) -> int | None:
    """The summit of a narrowPeak line, letters from the start; None where it has none.

    BED of six columns and more of one's own may be as wide. It is narrowPeak where the file says so
    or columns 7 to 9 are numbers that are not thickStart, thickEnd and a colour.

    Raises
    ------
    UserError
        A summit outside the interval, or numbers that may be thickStart and thickEnd or values.

    Parameters
    ----------
    told
        Whether the file's name or its track line say narrowPeak.
    """
    if len(fields) < 10:
        return None
    values = [field.strip() for field in fields[6:10]]
    if not told and (len(fields) in (12, 15) or not all(map(NUMBER.fullmatch, values))):
        return None
    thick = _may_be_thick(values[:2], start, end)
    if not told and thick and (values[0] == values[1] or int(values[0]) == start):
        return None
    if not told and thick:
        raise UserError(
            f"{where} has {shown(values[0])} and {shown(values[1])} in columns 7 and 8, which may"
            " be thickStart and thickEnd of BED or values of narrowPeak; call the file .narrowPeak,"
            " or set preprocess.center to middle"
        )
    summit = values[3]
    if summit == b"-1":
        return None
    if not PLACE.fullmatch(summit) or int(summit) >= end - start:
        raise UserError(
            f"{where} has the summit {shown(summit)} in column 10, but its {end - start} letters"
            f" have the summits 0 to {end - start - 1}, or -1 for none; correct it, or set"
            " preprocess.center to middle"
        )
    return int(summit)


def _may_be_thick(values: list[bytes], start: int, end: int) -> bool:
    """Whether two numbers are places of the interval, in their order."""
    if not all(map(PLACE.fullmatch, values)):
        return False
    return start <= int(values[0]) <= int(values[1]) <= end


def kept(stream: Iterable[Block]) -> Iterator[Block]:
    """The blocks without the records that were dropped, whose sequences are empty.

    A block is cut where one was dropped, so that all others keep their numbers.
    """
    for block in stream:
        if 0 not in block.lengths and b"" not in (block.paired or ()):
            yield block
            continue
        pairs = block.paired or block.sequences
        whole = np.array([bool(a and b) for a, b in zip(block.sequences, pairs, strict=True)])
        places = np.flatnonzero(whole)
        for run in np.split(places, np.flatnonzero(np.diff(places) > 1) + 1):
            if len(run):
                yield replace(block.take(run), first=block.first + int(run[0]))


def named(name: bytes, line: int) -> str:
    """A dropped interval for the warning."""
    return f"{readable(name, 40)} (line {line})"
