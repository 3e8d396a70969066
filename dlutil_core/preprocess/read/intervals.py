"""BED intervals cut from an indexed genome FASTA by random access (pyfaidx).

BED counts from 0 and ends before `end`; the sixth column may give the strand, and '-' makes the
reverse complement. A window keeps the centre, `(start + end) // 2`, at its letter `window // 2`.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from dlutil_core.common.errors import UserError
from dlutil_core.preprocess.encode.alphabet import reverse_complement
from dlutil_core.preprocess.read.blocks import Block
from dlutil_core.preprocess.read.fasta import clean_names
from dlutil_core.preprocess.read.text_files import (
    GZIP_MAGIC,
    blocks,
    check_readable,
    readable,
    shown,
)

COMMENTS = (b"#", b"track", b"browser")


class Genome:
    """Random access to a genome FASTA.

    An index beside the file is used if it is not older than the file; otherwise a new one is made
    in a temporary folder, for a raw data folder is only read.
    """

    def __init__(self, path: str) -> None:
        import pyfaidx

        check_readable(path)
        self.path = path
        self._folder = tempfile.TemporaryDirectory(prefix="dlutil-index-")
        index = Path(f"{path}.fai")
        fresh = index.exists() and index.stat().st_mtime >= os.stat(path).st_mtime
        where = index if fresh else Path(self._folder.name) / "genome.fai"
        try:
            self._fasta: Any = pyfaidx.Fasta(
                path, indexname=str(where), as_raw=True, rebuild=False, build_index=True
            )
        except Exception as error:
            raise UserError(_genome_sentence(path, where, error)) from None
        self.lengths = {name: len(self._fasta[name]) for name in self._fasta.keys()}  # noqa: SIM118 (iterates over records)
        if not self.lengths:
            raise UserError(f"{path}: holds no chromosome; is this a genome FASTA?")

    def fetch(self, chromosome: str, start: int, end: int) -> bytes:
        """Letters start…end-1 of a chromosome; outside its ends NUL bytes stand for padding."""
        length = self.lengths[chromosome]
        inside = (min(max(start, 0), length), max(min(end, length), 0))
        text = str(self._fasta[chromosome][inside[0] : inside[1]]).encode("ascii", "replace")
        if len(text) != max(0, inside[1] - inside[0]):
            raise UserError(
                f"{self.path}: {chromosome} ends before its index says; remove {self.path}.fai"
            )
        return b"\0" * (inside[0] - start) + text + b"\0" * (end - inside[1])

    def close(self) -> None:
        """Close the file and remove a temporary index."""
        self._fasta.close()
        self._folder.cleanup()


def _genome_sentence(path: str, index: Path, error: Exception) -> str:
    with open(path, "rb") as file:
        compressed = file.read(2) == GZIP_MAGIC
    if compressed:
        return (
            f"{path}: a compressed genome has no random access"
            f" ({readable(str(error), 100)}); unpack it with gunzip"
        )
    reason = readable(" ".join(str(error).split()), 160)
    return (
        f"{path}: cannot be read as a genome ({reason}); correct the FASTA file, or remove"
        f" {index.name} if the index is damaged"
    )


def looks_like_bed(line: bytes) -> bool:
    """Whether a line has a chromosome and two whole numbers."""
    fields = line.split()
    return line.startswith(COMMENTS) or (
        len(fields) >= 3 and fields[1].isdigit() and fields[2].isdigit()
    )


def read_bed(
    path: str,
    genome: Genome,
    window: int | None,
    padded: bool,
    labels: Callable[[list[tuple[int, list[bytes]]]], np.ndarray] | None = None,
) -> Iterator[Block]:
    """Yield the intervals of a BED file with their sequences.

    Parameters
    ----------
    path
        BED, three columns or more, plain or gzip.
    genome
        Where the sequences are cut.
    window
        Width that intervals are resized to, or None.
    padded
        Whether a window that reaches past a chromosome's end gets padding; otherwise an error.
    labels
        What reads the labels of lines, numbered and split into columns, shape (n, K).
    """
    first = 1
    for text, line in blocks(path):
        rows = [
            (number, row.split(b"\t") if b"\t" in row else row.split())
            for number, row in enumerate(text.split(b"\n"), line)
            if row.strip() and not row.startswith(COMMENTS)
        ]
        if rows:
            block = _block(path, first, rows, genome, window, padded)
            yield block if labels is None else block.with_labels(labels(rows))
        first += len(rows)
    if first == 1:
        raise UserError(f"{path}: has no interval; give a BED file with at least one")


def _block(
    path: str,
    first: int,
    rows: list[tuple[int, list[bytes]]],
    genome: Genome,
    window: int | None,
    padded: bool,
) -> Block:
    names, sequences, intervals, chromosomes = [], [], [], []
    for number, fields in rows:
        where = f"{path}: line {number}"
        chromosome, start, end, strand = _interval(where, fields, genome)
        original = f"{chromosome}:{start}-{end}".encode()
        name = fields[3].strip() if len(fields) > 3 else b""
        names.append(original if name in (b"", b".") else name)
        if window is not None:
            start = (start + end) // 2 - window // 2
            end = start + window
        if (start < 0 or end > genome.lengths[chromosome]) and not padded:
            raise UserError(
                f"{where} makes the window {chromosome}:{start}-{end}, but {chromosome} has"
                f" {genome.lengths[chromosome]} letters; set preprocess.length to pad, make"
                " preprocess.window smaller or remove the line"
            )
        sequence = genome.fetch(chromosome, start, end)
        if strand == "-":
            sequence = reverse_complement(sequence)
        sequences.append(sequence)
        intervals.append(f"{chromosome}:{start}-{end}({strand})".encode())
        chromosomes.append(chromosome.encode())
    return Block(
        path,
        first,
        clean_names(names),
        sequences,
        intervals=intervals,
        chromosomes=chromosomes,
    )


def _interval(where: str, fields: list[bytes], genome: Genome) -> tuple[str, int, int, str]:
    """Chromosome, start, end and strand of a line, checked against the genome."""
    if len(fields) < 3 or not (fields[1].strip().isdigit() and fields[2].strip().isdigit()):
        raise UserError(
            f"{where} is {shown(b' '.join(fields))}, but must hold a chromosome, a start and an end"
        )
    chromosome = fields[0].strip().decode("utf-8", "backslashreplace")
    start, end = int(fields[1]), int(fields[2])
    if start >= end:
        raise UserError(f"{where} has start {start} and end {end}, but the end must be larger")
    if chromosome not in genome.lengths:
        known = ", ".join(readable(name, 30) for name in list(genome.lengths)[:5])
        raise UserError(
            f"{where} names the chromosome {shown(chromosome.encode())}, which is not in"
            f" {genome.path} (it has {known}, ...); use names of the same genome"
        )
    if end > genome.lengths[chromosome]:
        raise UserError(
            f"{where} ends at {end}, past the end of {chromosome} at {genome.lengths[chromosome]};"
            f" is {genome.path} the genome of these intervals?"
        )
    strand = fields[5].strip().decode("ascii", "replace") if len(fields) > 5 else "."
    if strand not in ("+", "-", "."):
        raise UserError(f"{where} has the strand {strand!r}, but must have +, - or .")
    return chromosome, start, end, strand
