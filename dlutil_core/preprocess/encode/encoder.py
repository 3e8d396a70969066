"""From blocks of records to the arrays of the HDF5 files."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from dlutil_core.common.errors import UserError
from dlutil_core.preprocess.encode.alphabet import (
    FOREIGN,
    IUPAC_BASES,
    IUPAC_RESIDUES,
    PAD,
    Alphabet,
    reverse_complement,
)
from dlutil_core.preprocess.encode.row_hashes import hash_rows
from dlutil_core.preprocess.encode.strands import complement_table, strand_hashes
from dlutil_core.preprocess.encode.widths import Widths
from dlutil_core.preprocess.read.blocks import Block
from dlutil_core.preprocess.read.text_files import shown

REVERSED_SUFFIX = b"_rc"
FLIPPED = {b"(+)": b"(-)", b"(-)": b"(+)", b"(.)": b"(-)"}


@dataclass(frozen=True)
class Encoded:
    """Arrays of a block.

    Attributes
    ----------
    data
        uint8 or float32, shape (n, D, H, L): H is 2 with a paired input, else 1; features have
        shape (n, 1, 1, F).
    hashes
        Of what makes two records equal, uint64, shape (n,).
    counts
        How often each code occurs, int64, or None for features.
    stored
        Number of letters stored, padding left out.
    strands
        Hashes of both strands (`strand_hashes`), or None where none are asked for or letters have
        no complements.
    """

    data: np.ndarray
    hashes: np.ndarray
    counts: np.ndarray | None = None
    stored: int = 0
    strands: tuple[np.ndarray, np.ndarray] | None = None


class Encoder:
    """Encodes the blocks of all sets alike: one alphabet, one width.

    `strands` asks for the hashes of both strands, where sets are to be compared.
    """

    def __init__(
        self, alphabet: Alphabet, widths: Widths, ambiguous: str, strands: bool = False
    ) -> None:
        self.alphabet = alphabet
        self.widths = widths
        self.ambiguous = ambiguous
        self.features = 0
        self._complements = complement_table(alphabet) if strands else None

    def encode(self, block: Block) -> Encoded:
        """Encode a block whose sequences have been fitted to the width (`fit`)."""
        if block.features is not None:
            return self._features(block, block.features)
        parts = [self._codes(block, block.sequences)]
        if block.paired is not None:
            parts.append(self._codes(block, block.paired))
        depth, width = self.alphabet.depth, self.widths.width or 0
        data = np.empty((len(block), depth, len(parts), width), self.alphabet.dtype)
        counts = np.zeros(len(self.alphabet.letters), np.int64)
        stored = 0
        for height, (codes, letters) in enumerate(parts):
            counts += self.alphabet.encode_into(codes, data[:, :, height])
            stored += letters
        rows = np.concatenate([codes for codes, _ in parts], axis=1) if parts[1:] else parts[0][0]
        hashes = hash_rows(rows)
        strands = None
        if self._complements is not None:
            strands = strand_hashes([codes for codes, _ in parts], self._complements, hashes)
        return Encoded(data, hashes, counts, stored, strands)

    def fit(self, block: Block, with_reverse: bool) -> Block:
        """Bring sequences to one width; let each one's reverse complement follow it if asked."""
        if block.features is not None:
            return block
        sequences = self.widths.fit(block, block.sequences)
        paired = None if block.paired is None else self.widths.fit(block, block.paired)
        fitted = replace(block, sequences=sequences, paired=paired)
        return self._with_reverse(fitted) if with_reverse else fitted

    def _with_reverse(self, block: Block) -> Block:
        if not self.alphabet.has_complements:
            raise UserError(
                f"preprocess.reverse_complement: the alphabet {self.alphabet.name} has no"
                " complements; remove this key"
            )

        def both(sequences: list[bytes]) -> list[bytes]:
            return [strand for s in sequences for strand in (s, reverse_complement(s))]

        intervals = block.intervals
        if intervals is not None:
            intervals = [t for i in intervals for t in (i, i[:-3] + FLIPPED[i[-3:]])]
        return replace(
            block,
            names=[name for n in block.names for name in (n, n + REVERSED_SUFFIX)],
            sequences=both(block.sequences),
            paired=None if block.paired is None else both(block.paired),
            labels=None if block.labels is None else np.repeat(block.labels, 2, axis=0),
            intervals=intervals,
            chromosomes=None,
            groups=None,
            places=None if block.places is None else np.repeat(block.places, 2),
        )

    def _codes(self, block: Block, sequences: list[bytes]) -> tuple[np.ndarray, int]:
        """Codes, uint8, shape (n, L), and the number of letters that are no padding."""
        joined = b"".join(sequences)
        translated = joined.translate(self.alphabet.codes)
        if FOREIGN in translated:
            self._complain(block, sequences, translated.index(FOREIGN))
        codes = np.frombuffer(translated, np.uint8).reshape(len(sequences), -1)
        return codes, len(joined) - joined.count(PAD)

    def _complain(self, block: Block, sequences: list[bytes], position: int) -> None:
        index, place = divmod(position, self.widths.width or 1)
        letter = sequences[index][place : place + 1]
        padding = len(sequences[index]) - len(sequences[index].lstrip(PAD))
        raise UserError(
            f"{block.where(index)} has the letter {shown(letter)} at position"
            f" {place - padding + 1}, outside the alphabet {self.alphabet.name};"
            f" {self._remedy(letter)}"
        )

    def _remedy(self, letter: bytes) -> str:
        if self.widths.trained:
            return "the model takes no others, so correct or remove the record"
        upper = letter.decode("latin-1").upper()
        name = self.alphabet.name
        if upper in ("#", ";"):
            return "comments may stand before the first record alone; remove the line"
        if name == "dna" and upper == "U":
            return "set preprocess.alphabet to rna"
        codes = IUPAC_RESIDUES if name == "protein" else IUPAC_BASES
        if self.ambiguous == "error" and name in ("dna", "rna", "protein") and upper in codes:
            return "correct it, or set preprocess.ambiguous to iupac or zero"
        if self.ambiguous == "error" and upper.isalpha():
            return "correct it, or set preprocess.alphabet or preprocess.ambiguous"
        return "correct or remove the record"

    def _features(self, block: Block, features: np.ndarray) -> Encoded:
        self.features = self.features or features.shape[1]
        if features.shape[1] != self.features:
            raise UserError(
                f"{block.path}: has {features.shape[1]} features a record, but the other sets have"
                f" {self.features}; make them equal"
            )
        data = features.astype(np.float32)[:, None, None, :]
        return Encoded(data, hash_rows(features.astype(np.float64)))
