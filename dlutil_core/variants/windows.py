"""The two sequences of an allele: a window of the genome, and the same with the alternative.

Letters that both alleles share at their ends are left out first, so that it does not matter how far
an insertion or a deletion is spelled out. Each window then has the middle of its own allele at its
letter `width // 2`, as windows of preprocessing have that of an interval: around a longer
alternative there is less of the genome on both sides, around a shorter one more. The width stays.
"""

from __future__ import annotations

from dataclasses import dataclass

from dlutil_core.preprocess.encode.alphabet import FOREIGN, PAD, Alphabet
from dlutil_core.preprocess.read.genome import Genome
from dlutil_core.variants.vcf import LETTERS, Record

OK = "ok"
REF_MISMATCH = "ref_mismatch"
"""The genome has other letters than REF there."""

EDGE = "edge"
"""A window reaches past an end of the chromosome."""

AMBIGUOUS = "ambiguous"
"""A window has letters that stand for several bases, or the alternative tells no letters."""

BASES = b"ACGTUacgtu"


@dataclass(frozen=True)
class Pair:
    """What is known of an allele before it is predicted.

    Attributes
    ----------
    status
        `ok`, `ref_mismatch`, `edge` or `ambiguous`.
    sequences
        Reference and alternative, of the window's width; `None`: there is nothing to predict.
    start
        Of the window of the reference, from 0.
    """

    status: str
    sequences: tuple[bytes, bytes] | None = None
    start: int = 0


@dataclass(frozen=True)
class AlleleWindows:
    """Cuts the windows of alleles.

    Attributes
    ----------
    genome
        The genome.
    width
        Letters of a window.
    alphabet
        Of the model: what it has no code for is not predicted.
    padded
        Whether the model was trained on windows that are padded past a chromosome's end.
    """

    genome: Genome
    width: int
    alphabet: Alphabet
    padded: bool

    def of(self, record: Record, alternative: bytes) -> Pair:
        """The windows of one alternative of a record."""
        start, reference = record.position - 1, _bases(record.reference)
        behind, length = start + len(reference), self.genome.lengths[record.chromosome]
        if start in (-1, length):  # VCF's places of telomeres
            return Pair(EDGE)
        if behind > length:
            return Pair(REF_MISMATCH)
        told = LETTERS.fullmatch(alternative) is not None
        place, replaced, allele = start, reference, reference
        if told:
            place, replaced, allele = trimmed(start, reference, _bases(alternative))
        one = place + len(replaced) // 2 - self.width // 2
        other = place + len(allele) // 2 - self.width // 2
        moved = len(replaced) - len(allele)
        # All that is asked of the genome, at once.
        first = min(start, one, other)
        last = max(behind, one + self.width, other + self.width + moved)
        letters = self.genome.fetch(record.chromosome, first, last)
        if not _agree(reference, _bases(letters[start - first : behind - first])):
            return Pair(REF_MISMATCH)
        if not told:
            return Pair(AMBIGUOUS)
        place, one, other = place - first, one - first, other - first
        edited = letters[:place] + allele + letters[place + len(replaced) :]
        sequences = letters[one : one + self.width], edited[other : other + self.width]
        return self._judged(sequences, one + first, bool(reference.translate(None, BASES)))

    def _judged(self, sequences: tuple[bytes, bytes], start: int, unsure: bool) -> Pair:
        both = b"".join(sequences)
        status = AMBIGUOUS if unsure or both.translate(None, BASES + PAD) else OK
        if PAD in both:
            status = EDGE
            if not self.padded:
                return Pair(status)
        if FOREIGN in both.translate(self.alphabet.codes):
            return Pair(status)
        return Pair(status, sequences, start)


def trimmed(start: int, reference: bytes, alternative: bytes) -> tuple[int, bytes, bytes]:
    """A place and two alleles without what they share at their ends; equal ones stay."""
    if reference == alternative or len(reference) == len(alternative) == 1:
        return start, reference, alternative
    end = _shared(reference[::-1], alternative[::-1])
    reference = reference[: len(reference) - end]
    alternative = alternative[: len(alternative) - end]
    begin = _shared(reference, alternative)
    return start + begin, reference[begin:], alternative[begin:]


def _shared(one: bytes, other: bytes) -> int:
    """Letters that two texts begin with alike."""
    pairs = zip(one, other, strict=False)
    return next((k for k, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def _bases(letters: bytes) -> bytes:
    """Letters of DNA in upper case: U is T."""
    return letters.upper().replace(b"U", b"T")


def _agree(reference: bytes, there: bytes) -> bool:
    """Whether these may be the same bases: a letter that stands for several is no other one."""
    if reference == there:
        return True
    if len(reference) != len(there):
        return False
    pairs = zip(reference, there, strict=True)
    return all(a == b or not (a in BASES and b in BASES) for a, b in pairs)
