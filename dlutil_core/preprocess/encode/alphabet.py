"""Alphabets: which letter becomes which vector, and the encoder of whole blocks.

Letters first become codes, one byte each, by one pass of `bytes.translate`: 0, 1, … for the rows
of the one-hot vector (or of the table of vectors), `ZERO` for the zero vector, `FOREIGN` for what
the alphabet does not hold. Arrays are made from codes by comparisons over whole blocks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from dlutil_core.common.errors import UserError
from dlutil_core.preprocess.read.text_files import check_readable, shown

ZERO = 254
FOREIGN = 255
PAD = b"\0"
MAX_LETTERS = 128

# IUPAC-IUB 1984 (Cornish-Bowden, Nucleic Acids Res. 13, 3021): codes for more than one base.
IUPAC_BASES = {
    "R": "AG", "Y": "CT", "S": "CG", "W": "AT", "K": "GT", "M": "AC",
    "B": "CGT", "D": "AGT", "H": "ACT", "V": "ACG",
}  # fmt: skip
# IUPAC-IUB 1983: codes for more than one amino acid.
IUPAC_RESIDUES = {"B": "DN", "Z": "EQ", "J": "IL"}
RESIDUES = "ACDEFGHIKLMNPQRSTVWY"
COMPLEMENTS = bytes.maketrans(
    b"ACGTUNRYSWKMBDHVacgtunryswkmbdhv", b"TGCAANYRSWMKVHDBtgcaanyrswmkvhdb"
)


@dataclass(frozen=True)
class Alphabet:
    """Letters and their vectors.

    Attributes
    ----------
    name
        What the config calls it.
    letters
        The letter of each code.
    vectors
        One row a code, float32, shape (codes, D).
    codes
        Table of 256 bytes for `bytes.translate`: letter to code.
    """

    name: str
    letters: tuple[str, ...]
    vectors: np.ndarray
    codes: bytes

    @property
    def depth(self) -> int:
        """D, the length of each vector."""
        return int(self.vectors.shape[1])

    @property
    def has_complements(self) -> bool:
        """Whether the letters are those of nucleic acids, each with its complement."""
        present = {letter.upper().replace("U", "T") for letter in self.letters}
        turned = "".join(present).encode().translate(COMPLEMENTS).decode()
        return present <= set("ACGTN" + "".join(IUPAC_BASES)) and set(turned) == present

    @cached_property
    def is_onehot(self) -> bool:
        """Whether code k is the k-th unit vector, so that comparisons encode."""
        return np.array_equal(self.vectors, np.eye(*self.vectors.shape, dtype=np.float32))

    @cached_property
    def dtype(self) -> np.dtype:
        """uint8 where it holds every vector exactly, else float32."""
        whole = self.vectors.astype(np.uint8)
        return np.dtype(np.uint8 if np.array_equal(whole, self.vectors) else np.float32)

    def encode_into(self, codes: np.ndarray, out: np.ndarray) -> np.ndarray:
        """Write the vectors of a block of codes; return how often each code occurs.

        Parameters
        ----------
        codes
            uint8, shape (n, L).
        out
            Array of `dtype` to fill, shape (n, D, L).

        Returns
        -------
        int64 counts, shape (codes,).
        """
        counts = np.zeros(len(self.letters), np.int64)
        same = np.empty(codes.shape, bool)
        for code in range(len(self.letters)):
            np.equal(codes, code, out=same)
            counts[code] = np.count_nonzero(same)
            if self.is_onehot:
                out[:, code] = same
        if not self.is_onehot:
            table = np.zeros((256, self.depth), self.dtype)
            table[: len(self.vectors)] = self.vectors
            for dimension in range(self.depth):
                out[:, dimension] = table[:, dimension][codes]
        return counts


def reverse_complement(sequence: bytes) -> bytes:
    """The other strand of a nucleic acid, read in its own direction; case is kept."""
    return sequence[::-1].translate(COMPLEMENTS)


def load(name: str, ambiguous: str) -> Alphabet:
    """The alphabet of this name (dna, rna, protein) or of this mapping file.

    Parameters
    ----------
    name
        Built-in name or path.
    ambiguous
        ``error``, ``zero`` or ``iupac``: what letters outside the alphabet are.
    """
    if name == "dna":
        return _built_in(name, "ACGT", {}, IUPAC_BASES, "N", ambiguous)
    if name == "rna":
        bases = {code: of.replace("T", "U") for code, of in IUPAC_BASES.items()}
        return _built_in(name, "ACGU", {"T": "U"}, bases, "N", ambiguous)
    if name == "protein":
        return _built_in(name, RESIDUES, {}, IUPAC_RESIDUES, "X", ambiguous)
    return _from_file(name, ambiguous)


def _built_in(
    name: str,
    letters: str,
    aliases: Mapping[str, str],
    means: Mapping[str, str],
    zero: str,
    ambiguous: str,
) -> Alphabet:
    rows = dict(zip(letters, np.eye(len(letters)), strict=True))
    if ambiguous == "iupac":
        for code, of in means.items():
            rows[code] = np.mean([rows[letter] for letter in of], axis=0)
    elif ambiguous == "zero":
        zero += "".join(set(_ALL_LETTERS) - set(rows) - set(aliases))
    return _made(name, rows, aliases, zero, ambiguous)


_ALL_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ*-."


def _made(
    name: str,
    rows: Mapping[str, np.ndarray],
    aliases: Mapping[str, str],
    zero: str,
    ambiguous: str,
) -> Alphabet:
    """Put the tables together; a letter's other case counts as the letter unless it has a row."""
    letters = tuple(rows)
    table = bytearray([FOREIGN]) * 256
    table[PAD[0]] = ZERO
    meaning = dict.fromkeys(zero, ZERO)
    meaning |= {letter: code for code, letter in enumerate(letters)}
    meaning |= {alias: letters.index(letter) for alias, letter in aliases.items()}
    for letter, code in meaning.items():
        table[ord(letter)] = code
    for letter, code in meaning.items():
        other = letter.swapcase()
        if other not in meaning and len(other) == 1 and ord(other) < 128:
            table[ord(other)] = code
    vectors = np.array(list(rows.values()), np.float32)
    return Alphabet(name, letters, vectors, bytes(table))


def _from_file(path: str, ambiguous: str) -> Alphabet:
    """A mapping file: a letter and its vector a line, separated by tabs, blanks or commas."""
    if ambiguous == "iupac":
        raise UserError(
            f"preprocess.ambiguous: 'iupac' belongs to dna, rna and protein, not to {path};"
            " write those codes into the mapping file"
        )
    check_readable(path)
    text = Path(path).read_bytes()[: 1 << 20].decode("utf-8", "replace")
    rows: dict[str, np.ndarray] = {}
    for number, line in enumerate(text.replace(",", " ").splitlines(), 1):
        fields = line.split()
        if not fields:
            continue
        letter, vector = fields[0], _numbers(path, number, fields[1:])
        if len(letter) != 1 or not letter.isprintable() or not letter.isascii():
            raise UserError(
                f"{path}: line {number} starts with {shown(letter.encode())}, but must start with"
                " one letter"
            )
        if letter in rows:
            raise UserError(f"{path}: line {number} maps {letter!r} again; keep one of the lines")
        if rows and len(vector) != len(next(iter(rows.values()))):
            width = len(next(iter(rows.values())))
            raise UserError(
                f"{path}: line {number} gives {letter!r} a vector of {len(vector)} numbers, but the"
                f" first line has {width}; make them equal"
            )
        rows[letter] = vector
    if not rows:
        raise UserError(f"{path}: maps no letter; write a letter and its vector a line")
    if len(rows) > MAX_LETTERS:
        raise UserError(f"{path}: maps {len(rows)} letters, but at most {MAX_LETTERS} are possible")
    zero = "N" if not {"N", "n"} & set(rows) and set("ACG") <= {r.upper() for r in rows} else ""
    if ambiguous == "zero":
        zero = "".join(c for c in _ALL_LETTERS if c not in rows and c.lower() not in rows)
    return _made(path, rows, {}, zero, ambiguous)


def _numbers(path: str, number: int, fields: list[str]) -> np.ndarray:
    if not fields:
        raise UserError(f"{path}: line {number} has a letter without a vector; add its numbers")
    try:
        vector = np.array([float(field) for field in fields])
    except ValueError:
        raise UserError(
            f"{path}: line {number} holds {shown(' '.join(fields).encode())}, which is not a"
            " vector of numbers"
        ) from None
    if not np.isfinite(vector).all():
        raise UserError(f"{path}: line {number} holds a number that is not finite; correct it")
    return vector
