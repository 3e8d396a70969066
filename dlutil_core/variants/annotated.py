"""The VCF file again, with what was predicted in INFO; sorted, packed and indexed by htslib."""

from __future__ import annotations

import re
import shutil
from array import array
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from dlutil_core.common.errors import UserError
from dlutil_core.common.files import atomic_path
from dlutil_core.preprocess.write.datasets import unnamed_file
from dlutil_core.variants.vcf import INFO, MISSING, TITLES, Record

PREFIX = "dlutil_"
NOT_IN_KEYS = re.compile(r"[^0-9A-Za-z_.]")
STATUS_TITLE = "status"
CONTIG = re.compile(rb"##contig=<(?:.*,)?ID=([^,>]+)")
VERSION = b"##fileformat=VCFv4.3"


class AnnotatedVcf:
    """Takes records with what is to be told of them, and writes them in the order of positions.

    Parameters
    ----------
    folder
        Where temporary files may lie.
    header
        Lines of the file's own header.
    titles
        What is told of each alternative: numbers, and the status at the end.
    """

    def __init__(self, folder: Path, header: list[bytes], titles: Sequence[str]) -> None:
        self._folder = folder
        self._keys = keys_of(titles)
        self._titles = titles
        self._header = header
        self._lines = unnamed_file(folder)
        self._order: dict[str, int] = {}
        self._chromosomes, self._positions = array("q"), array("q")
        self._starts = array("q", [0])

    def add(self, record: Record, told: Sequence[Sequence[str]]) -> None:
        """Append a record.

        Parameters
        ----------
        told
            For each alternative a text for each title; an empty one is unknown.
        """
        fields = list(record.fields)
        if record.alternatives != (MISSING,):
            columns = [_list(texts) for texts in zip(*told, strict=True)]
            fields[INFO] = self._info(fields[INFO], columns)
        line = b"\t".join(fields) + b"\n"
        self._lines.write(line)
        self._starts.append(self._starts[-1] + len(line))
        self._chromosomes.append(self._order.setdefault(record.chromosome, len(self._order)))
        self._positions.append(record.position)

    def _info(self, info: bytes, columns: list[bytes]) -> bytes:
        """INFO without what an earlier prediction left there, and with what is told now."""
        own = set(self._keys)
        kept = [part for part in info.split(b";") if part not in (b"", MISSING)]
        kept = [part for part in kept if part.partition(b"=")[0] not in own]
        told = (key + b"=" + text for key, text in zip(self._keys, columns, strict=True))
        return b";".join([*kept, *told])

    def write(self, out: Path, index: Path, lengths: Mapping[str, int]) -> None:
        """Write the file and its index.

        Parameters
        ----------
        lengths
            Letters of each chromosome of the genome, for a header that lacks them.
        """
        import pysam

        made = self._folder / "annotated.vcf.gz"
        with pysam.BGZFile(str(made), "wb", None) as file:
            for line in self._whole_header(lengths):
                file.write(line + b"\n")
            # Records of one position stay in the order of the file.
            for k in np.lexsort((self._positions, self._chromosomes)).tolist():
                self._lines.seek(self._starts[k])
                file.write(self._lines.read(self._starts[k + 1] - self._starts[k]))
        try:
            pysam.tabix_index(str(made), preset="vcf", force=True)
        except OSError:
            raise UserError(
                f"{out}: htslib can make no index (.tbi) of it; is the END in INFO of every line"
                " right, and no larger than 536870912?"
            ) from None
        for path, source in ((out, made), (index, Path(f"{made}.tbi"))):
            with atomic_path(path) as temporary:
                shutil.copyfile(source, temporary)

    def _whole_header(self, lengths: Mapping[str, int]) -> list[bytes]:
        own = [b"##INFO=<ID=" + key + b"," for key in self._keys]
        meta = [line.rstrip() for line in self._header if line.startswith(b"##")]
        meta = [line for line in meta if not line.startswith(tuple(own))]
        titles = [line.rstrip() for line in self._header if not line.startswith(b"##")]
        version = [] if meta[:1] and meta[0].startswith(b"##fileformat=") else [VERSION]
        known = {found[1] for line in meta if (found := CONTIG.match(line))}
        contigs = [
            f"##contig=<ID={name},length={lengths[name]}>".encode()
            for name in self._order
            if name.encode() not in known
        ]
        about = zip(self._keys, self._titles, strict=True)
        told = [
            b'##INFO=<ID=%s,Number=A,Type=%s,Description="%s">'
            % (key, b"String" if title == STATUS_TITLE else b"Float", _described(title))
            for key, title in about
        ]
        columns = titles[-1].split(b"\t") if titles else []
        columns = [*TITLES, *columns[len(TITLES) :]]
        return [*version, *meta, *contigs, *told, b"\t".join(columns)]


def keys_of(titles: Sequence[str]) -> list[bytes]:
    """Keys of INFO for these titles, each another one: `dlutil_difference`."""
    found: dict[str, None] = {}
    for title in titles:
        key = start = PREFIX + NOT_IN_KEYS.sub("_", title)
        number = 2
        while key in found:
            key, number = f"{start}_{number}", number + 1
        found[key] = None
    return [key.encode() for key in found]


def _list(texts: Sequence[str]) -> bytes:
    return b",".join(text.encode() or MISSING for text in texts)


def _described(title: str) -> bytes:
    if title == STATUS_TITLE:
        return b"dlutil: ok, ref_mismatch, edge or ambiguous"
    plain = title.replace("\\", "/").replace('"', "'")
    return f"dlutil: {plain} of the window around the allele".encode()
