"""Random access to a genome FASTA, plain or packed by bgzip (pysam).

An index beside the genome is used only where all that it says is so: each record's header stands
before its offset, its lines end where they should, and nothing is left of the file. Times of files
say nothing: a genome written again keeps its old index, and a copy may get any time.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from dlutil_core.common.errors import UserError
from dlutil_core.common.logs import log
from dlutil_core.preprocess.read.genome_index import Entry, misfit, open_letters, read_entries
from dlutil_core.preprocess.read.text_files import (
    BYTE_ORDER_MARK,
    GZIP_MAGIC,
    check_readable,
    readable,
)

BGZIP_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
TWO_BIT = (b"\x1a\x41\x27\x43", b"\x43\x27\x41\x1a")


class Genome:
    """Letters of chromosomes by place.

    Attributes
    ----------
    path
        The FASTA file.
    lengths
        Number of letters of each chromosome.
    """

    def __init__(self, path: str) -> None:
        import pysam

        check_readable(path)
        self.path = path
        pysam.set_verbosity(0)  # htslib's own messages; ours are told instead
        self._folder = tempfile.TemporaryDirectory(prefix="dlutil-index-")
        try:
            packed = _packed(path)
            index, blocks = self._index(pysam, packed)
            self._fasta: Any = pysam.FastaFile(
                path, filepath_index=index, filepath_index_compressed=blocks if packed else None
            )
        except BaseException:
            self._folder.cleanup()
            raise
        self.lengths = dict(zip(self._fasta.references, self._fasta.lengths, strict=True))

    def _index(self, pysam: Any, packed: bool) -> tuple[str, str]:
        """Paths of an index that fits, and for bgzip of the index of its blocks."""
        beside = (f"{self.path}.fai", f"{self.path}.gzi")
        if Path(beside[0]).exists() and (not packed or Path(beside[1]).exists()):
            reason = self._misfit(beside, packed)
            if not reason:
                return beside
            log.warning(
                f"warning: {beside[0]} is not the index of this genome ({reason}); another one is"
                f" made for this run; remove it, or make it anew with samtools faidx {self.path}"
            )
        # A folder of raw data is only read, so an index that is made lies elsewhere.
        made = (f"{self._folder.name}/genome.fai", f"{self._folder.name}/genome.gzi")
        try:
            pysam.faidx("--fai-idx", made[0], "--gzi-idx", made[1], self.path)
        except pysam.SamtoolsError as error:
            raise UserError(_sentence(self.path, str(error))) from None
        reason = self._misfit(made, packed)
        if reason:
            raise UserError(f"{self.path}: cannot be read as a genome ({reason}); correct the file")
        return made

    def _misfit(self, index: tuple[str, str], packed: bool) -> str:
        try:
            entries: list[Entry] = read_entries(index[0])
            with open_letters(self.path, index[1] if packed else None) as letters:
                return misfit(entries, letters)
        except (OSError, ValueError, EOFError) as error:
            return readable(" ".join(str(error).split()), 80) or "it is damaged"

    def fetch(self, chromosome: str, start: int, end: int) -> bytes:
        """Letters start…end-1 of a chromosome; outside its ends NUL bytes stand for padding."""
        length = self.lengths[chromosome]
        first, last = min(max(start, 0), length), max(min(end, length), 0)
        text = b""
        if first < last:
            try:
                text = self._fasta.fetch(chromosome, first, last).encode("ascii", "replace")
            except (OSError, ValueError, IndexError):
                text = b""
        if len(text) != max(0, last - first):
            raise UserError(
                f"{self.path}: {chromosome}:{first}-{last} cannot be read; the file is damaged"
            )
        if len(text) == end - start:
            return text
        return (
            b"\0" * (min(end, 0) - min(start, 0))
            + text
            + b"\0" * (max(end, length) - max(start, length))
        )

    def close(self) -> None:
        """Close the file and remove a temporary index."""
        self._fasta.close()
        self._folder.cleanup()


def _packed(path: str) -> bool:
    """Whether the genome is bgzip; other packed and binary forms are refused by name."""
    with open(path, "rb") as file:
        head = file.read(18)
        if head.startswith(TWO_BIT):
            raise UserError(f"{path}: is a 2bit file; write it as FASTA with twoBitToFa")
        if not head.startswith(GZIP_MAGIC):
            return False
        if head[3:4] != b"\x04" or head[12:14] != b"BC":
            raise UserError(
                f"{path}: is packed by gzip, which has no random access; unpack it with gunzip, or"
                f" pack it with bgzip (gunzip -c {Path(path).name} | bgzip > new.fa.gz)"
            )
        file.seek(-min(len(BGZIP_END), file.seek(0, 2)), 2)
        if file.read() != BGZIP_END:
            raise UserError(f"{path}: the bgzip file is cut short; copy or download it again")
    return True


def _sentence(path: str, error: str) -> str:
    """Why htslib could make no index, looked for in the file's beginning."""
    with open(path, "rb") as file:
        head = file.read(1 << 16)
    first = head.removeprefix(BYTE_ORDER_MARK).lstrip()[:1]
    if head.startswith(GZIP_MAGIC):
        reason = "its bgzip blocks hold no FASTA with lines of one length, or are damaged"
    elif head.startswith(BYTE_ORDER_MARK) or first != b">":
        reason = f"it begins with {readable(head.splitlines()[0], 30)!r}, not with '>'"
    elif b"\r" in head and b"\n" not in head:
        reason = "its lines end in carriage returns alone"
    else:
        reason = "a sequence has lines of unequal length or blank lines within, or no letter"
    return f"{path}: cannot be read as a genome, for {reason}; correct the FASTA file"
