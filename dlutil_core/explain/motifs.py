"""Motifs as count matrices over A, C, G, T, and the files that they are written to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dlutil_core.common.files import write_text

LETTERS = "ACGT"
PSEUDOCOUNT = 1.0
"""Added to each column, shared by the letters, before counts become frequencies."""

IUPAC = {
    "A": "A", "C": "C", "G": "G", "T": "T", "AG": "R", "CT": "Y", "CG": "S", "AT": "W",
    "GT": "K", "AC": "M", "CGT": "B", "AGT": "D", "ACT": "H", "ACG": "V", "ACGT": "N",
}  # fmt: skip


@dataclass(frozen=True)
class Motif:
    """A motif.

    Parameters
    ----------
    name
        Its identifier, for example `MA0139.1`.
    counts
        Numbers of sites `(W, 4)` with each letter; probabilities times the number of sites where a
        file holds probabilities.
    label
        What else it is called, for example `CTCF`.
    """

    name: str
    counts: np.ndarray
    label: str = ""

    @property
    def width(self) -> int:
        """Number of columns."""
        return len(self.counts)

    @property
    def sites(self) -> int:
        """Number of sites: the largest sum of a column."""
        return round(float(self.counts.sum(axis=1).max())) if self.width else 0

    @property
    def frequencies(self) -> np.ndarray:
        """Letter frequencies `(W, 4)`, with a pseudocount."""
        padded = self.counts + PSEUDOCOUNT / 4
        return np.asarray(padded / padded.sum(axis=1, keepdims=True))

    @property
    def information(self) -> np.ndarray:
        """Bits of each column `(W,)` against equal letters (Schneider et al. 1986, J Mol Biol)."""
        f = self.frequencies
        return np.asarray(2 + (f * np.log2(f)).sum(axis=1))

    @property
    def consensus(self) -> str:
        """One IUPAC letter per column: the letters that occur half as often as the commonest.

        Columns of less than a quarter bit are written in lower case.
        """
        found = []
        for row, bits in zip(self.frequencies, self.information, strict=True):
            chosen = "".join(b for b, f in zip(LETTERS, row, strict=True) if f >= row.max() / 2)
            letter = IUPAC[chosen]
            found.append(letter if bits >= 0.25 else letter.lower())
        return "".join(found)

    def reverse_complement(self) -> Motif:
        """The same motif on the other strand."""
        return Motif(self.name, self.counts[::-1, ::-1], self.label)


def write_meme(path: Path, motifs: Iterable[Motif]) -> None:
    """Write motifs in the minimal MEME format."""
    lines = ["MEME version 4", "", "ALPHABET= ACGT", "", "strands: + -", ""]
    lines += ["Background letter frequencies", "A 0.25 C 0.25 G 0.25 T 0.25", ""]
    for motif in motifs:
        lines.append(f"MOTIF {motif.name} {motif.label}".rstrip())
        size = f"alength= 4 w= {motif.width} nsites= {motif.sites} E= 0"
        lines.append(f"letter-probability matrix: {size}")
        lines += [" ".join(f"{value:.6f}" for value in row) for row in motif.frequencies]
        lines.append("")
    write_text(path, "\n".join(lines))


def write_jaspar(path: Path, motifs: Iterable[Motif]) -> None:
    """Write motifs as position frequency matrices in JASPAR's format."""
    lines = []
    for motif in motifs:
        lines.append(f">{motif.name}\t{motif.label or motif.name}")
        for letter, row in zip(LETTERS, motif.counts.T, strict=True):
            lines.append(f"{letter} [{' '.join(f'{value:6.0f}' for value in row)} ]")
    write_text(path, "\n".join(lines) + "\n")
