"""The interval of the genome that a record's name says its sequence came from."""

from __future__ import annotations

import re
from typing import NamedTuple

# chr1:100-200, with thousands commas as browsers write them; the strand may follow. NCBI writes the
# complement of letters 100 to 200 as NC_000001.11:c200-100.
COORDINATES = re.compile(rb":(c?)(\d[\d,]{0,17})-(\d[\d,]{0,17})(?!\d)")
PLAIN = re.compile(rb"([^\s:|=;]+):(\d{1,18})-(\d{1,18})(?:\([+.-]\))?(?:_shuf\d*|_rc)*")
# chromosome:GRCh38:1:100:200:1, in headers of Ensembl
ENSEMBL = re.compile(
    rb"(?:^|[\s|>])(?:chromosome|scaffold|supercontig|contig|primary_assembly|group|plasmid)"
    rb":[^\s:]+:([^\s:]+):(\d{1,18}):(\d{1,18}):-?\d(?=(?:_shuf\d*|_rc)*(?:[\s|]|$))"
)
SEPARATORS = re.compile(rb"[\s|=;()\[\]{}<>\"']+")


class Place(NamedTuple):
    """An interval as written: whether it counts from 0 or 1 is not known."""

    chromosome: bytes
    start: int
    end: int

    def __str__(self) -> str:
        return f"{self.chromosome.decode('utf-8', 'replace')}:{self.start}-{self.end}"


def places_of(name: bytes) -> list[Place]:
    """The different intervals in a name; one alone where `::` and an interval end it.

    `bedtools getfasta -name+` writes `name::chr1:100-200(+)`: what stands after the last `::` is
    the interval that the sequence came from, whatever the name before it holds.
    """
    plain = PLAIN.fullmatch(name)
    if plain is not None:
        return [Place(plain[1], int(plain[2]), int(plain[3]))]
    _, mark, after = name.rpartition(b"::")
    if mark and after[:1].strip():
        found = _in_word(after.split()[0])
        if len(found) == 1:
            return found
    ensembl = [Place(m[1], int(m[2]), int(m[3])) for m in ENSEMBL.finditer(name)]
    words = SEPARATORS.split(ENSEMBL.sub(b" ", name)) if ensembl else SEPARATORS.split(name)
    return list(dict.fromkeys([*ensembl, *(place for word in words for place in _in_word(word))]))


def _in_word(word: bytes) -> list[Place]:
    """The intervals of a piece without blanks; a contig's own name may hold colons (HLA)."""
    found, place = [], 0
    for match in COORDINATES.finditer(word):
        chromosome = word[place : match.start()].lstrip(b",:")
        first, last = (int(number.replace(b",", b"")) for number in match.groups()[1:])
        if match[1]:
            first, last = last, first
        if chromosome and (first <= last or not match[1]):
            found.append(Place(chromosome, first, last))
        place = match.end()
    return found
