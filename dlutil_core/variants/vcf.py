"""Records of a VCF file (4.x), plain, gzip or bgzip: text, since every odd line is told by number.

What a record means is told by its first five columns; the others are kept as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

from dlutil_core.common.errors import UserError
from dlutil_core.preprocess.read.text_files import GZIP_ERRORS, blocks, open_raw, readable, shown

TITLES = (b"#CHROM", b"POS", b"ID", b"REF", b"ALT", b"QUAL", b"FILTER", b"INFO")
NEEDED = 5
"""Columns that a line has at least; of the fixed eight those behind may be left out."""

INFO = TITLES.index(b"INFO")
MISSING = b"."
LETTERS = re.compile(rb"[A-Za-z]+")
NO_SEQUENCE = re.compile(
    rb"\*|<[^<>]+>|\.|\.?[A-Za-z]*[\[\]].+[\[\]][A-Za-z]*\.?|\.[A-Za-z]+|[A-Za-z]+\."
)
"""Alternatives that tell no letters: `*`, `<DEL>`, none at all, breakends."""

WHOLE = re.compile(rb"\d{1,18}")
LAST = 2**29
"""The last position that an index in the format `.tbi` can hold."""


@dataclass(frozen=True)
class Record:
    """A line.

    Attributes
    ----------
    line
        Its number in the file.
    fields
        Its first eight columns, and behind them all others as one text, where there are any.
    chromosome
        As the genome calls it.
    position
        Of the first letter of `reference`, from 1; 0 stands before the chromosome.
    reference, alternatives
        Alleles as they are written; one alternative `.` where there is none.
    """

    line: int
    fields: list[bytes]
    chromosome: str
    position: int
    reference: bytes
    alternatives: tuple[bytes, ...]


@dataclass(frozen=True)
class VariantFile:
    """A VCF file beside the genome that its positions are of.

    Attributes
    ----------
    path
        The file.
    genome
        The path of the genome.
    lengths
        Letters of each of its chromosomes.
    """

    path: str
    genome: str
    lengths: Mapping[str, int]

    def check(self) -> None:
        """Read the whole file once, so that what is wrong in its last line is told at once."""
        for _ in self.records():
            pass

    def header(self) -> list[bytes]:
        """Lines before the first record, without their ends; none where the file has no header."""
        found = []
        for _, row in self._rows():
            if not row.startswith(b"#"):
                break
            found.append(row)
        return found

    def records(self) -> Iterator[Record]:
        """All records, in the order of the file.

        Raises
        ------
        UserError
            A line is no record of VCF, or its chromosome is none of the genome's.
        """
        self._refuse_binary()
        titles, seen = None, False
        for number, row in self._rows():
            if not row.startswith(b"#"):
                seen = True
                yield self._record(number, row, titles)
                continue
            if seen:
                raise UserError(
                    f"{self.path}: line {number} is a line of a header behind records; join VCF"
                    " files with bcftools concat"
                )
            if not row.startswith(b"##"):
                titles = self._titles(number, row)

    def _refuse_binary(self) -> None:
        with open_raw(self.path) as file, suppress(*GZIP_ERRORS):  # which are told further on
            if file.read(3) == b"BCF":
                raise UserError(
                    f"{self.path}: is BCF, the binary form; write it as VCF with bcftools view -Oz"
                )

    def _rows(self) -> Iterator[tuple[int, bytes]]:
        for text, line in blocks(self.path):
            for number, row in enumerate(text.split(b"\n"), line):
                if row.strip():
                    yield number, row

    def _titles(self, number: int, row: bytes) -> int:
        """How many columns the header has; their order is checked."""
        titles = row.rstrip().split(b"\t")
        fixed = tuple(titles[: len(TITLES)])
        if len(titles) < NEEDED or fixed != TITLES[: len(fixed)]:
            raise UserError(
                f"{self.path}: line {number} is {shown(row)}, but the columns of VCF are"
                f" {b' '.join(TITLES).decode()}, with tabs between them; is this a VCF file?"
            )
        return len(titles)

    def _record(self, number: int, row: bytes, titles: int | None) -> Record:
        # Genotypes of many samples stay one text.
        fields, where = row.split(b"\t", len(TITLES)), f"{self.path}: line {number}"
        columns = row.count(b"\t") + 1
        if columns < (titles or NEEDED):
            wanted = f"its header has {titles}" if titles else f"VCF has {len(TITLES)}"
            raise UserError(
                f"{where} has {columns} columns between tabs, but {wanted}; is the file whole,"
                " and VCF?"
            )
        fields = [field.strip() for field in fields] + [MISSING] * (len(TITLES) - len(fields))
        chromosome = fields[0].decode("utf-8", "backslashreplace")
        if not WHOLE.fullmatch(fields[1]):
            raise UserError(
                f"{where} has the position {shown(fields[1])}, but it must be a whole number;"
                " is this a VCF file?"
            )
        if chromosome not in self.lengths:
            raise UserError(self._unknown(where, chromosome))
        if int(fields[1]) > LAST:
            raise UserError(
                f"{where} has the position {int(fields[1])}, but its index (.tbi) can hold"
                f" positions up to {LAST} alone; remove the line"
            )
        if not LETTERS.fullmatch(fields[3]):
            raise UserError(
                f"{where} has the REF {shown(fields[3])}, but it must be the letters that the"
                " genome has there; correct the line"
            )
        alternatives = tuple(fields[4].split(b","))
        for text in alternatives:
            if not (LETTERS.fullmatch(text) or NO_SEQUENCE.fullmatch(text)):
                raise UserError(
                    f"{where} has the ALT {shown(text)}, which is no allele of VCF (letters, *,"
                    " <DEL>, a breakend); correct the line"
                )
        return Record(number, fields, chromosome, int(fields[1]), fields[3], alternatives)

    def _unknown(self, where: str, name: str) -> str:
        bare = name.removeprefix("chr")
        others = [f"chr{bare}", bare, *(("chrM", "MT") if bare in ("M", "MT") else ())]
        twin = next((other for other in others if other in self.lengths), None)
        if twin is not None:
            return (
                f"{where} is on {readable(name, 40)}, which {self.genome} calls {twin}; rename the"
                " chromosomes of the variants (bcftools annotate --rename-chrs)"
            )
        known = ", ".join(readable(other, 30) for other in list(self.lengths)[:5])
        return (
            f"{where} is on {readable(name, 40)}, which is not in {self.genome} (it has {known},"
            " ...); give the genome of the variants, or remove the line"
        )
