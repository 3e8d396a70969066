"""Sequences of unequal length: refused, padded or cropped to one width."""

from __future__ import annotations

from collections.abc import Callable

from dlutil_core.common.errors import UserError
from dlutil_core.preprocess.encode.alphabet import PAD
from dlutil_core.preprocess.read.blocks import Block


class Widths:
    """Brings every sequence to one width; with `strict`, the first sequence sets it.

    Parameters
    ----------
    length
        ``strict``, ``pad``, ``crop`` or ``fit``.
    align
        Which part of a sequence stays in place: ``left``, ``center`` or ``right``. Where the
        difference is odd, ``center`` pads or crops one letter more on the right.
    width
        Letters; None with `strict` alone.
    trained
        Whether a trained model takes this width, so that no config can change it.
    """

    def __init__(self, length: str, align: str, width: int | None, trained: bool = False) -> None:
        self.trained = trained
        self.length = length
        self.align = align
        self.width = width
        self._reference = ""

    def fit(self, block: Block, sequences: list[bytes]) -> list[bytes]:
        """The block's `sequences` (its own or the paired ones), all of one width."""
        if self.width is None:
            self.width = len(sequences[0])
            self._reference = f" ({block.where(0)})"
        lengths = block.lengths if sequences is block.sequences else set(map(len, sequences))
        if lengths == {self.width}:
            return sequences
        shorter = self._padded if self.length in ("pad", "fit") else None
        longer = self._cropped if self.length in ("crop", "fit") else None
        return [self._one(block, i, s, shorter, longer) for i, s in enumerate(sequences)]

    def _one(
        self,
        block: Block,
        index: int,
        sequence: bytes,
        shorter: Callable[[bytes, int], bytes] | None,
        longer: Callable[[bytes, int], bytes] | None,
    ) -> bytes:
        width = self.width or 0
        if len(sequence) == width:
            return sequence
        change = shorter if len(sequence) < width else longer
        if change is None:
            raise UserError(self._sentence(block.where(index), len(sequence), width))
        return change(sequence, width)

    def _sentence(self, where: str, found: int, width: int) -> str:
        if self.trained:
            return (
                f"{where} has {found} letters, but the model takes {width}; give sequences of that"
                " length"
            )
        if self.length == "strict":
            remedy = "set preprocess.length to pad, crop or fit"
            return (
                f"{where} has {found} letters, but others have {width}{self._reference}; {remedy}"
            )
        word, remedy = ("more", "larger") if found > width else ("fewer", "smaller")
        return (
            f"{where} has {found} letters, {word} than the width {width}; make preprocess.width"
            f" {remedy}, or set preprocess.length to fit"
        )

    def _cropped(self, sequence: bytes, width: int) -> bytes:
        excess = len(sequence) - width
        start = {"left": 0, "center": excess // 2, "right": excess}[self.align]
        return sequence[start : start + width]

    def _padded(self, sequence: bytes, width: int) -> bytes:
        missing = width - len(sequence)
        before = {"left": 0, "center": missing // 2, "right": missing}[self.align]
        return PAD * before + sequence + PAD * (missing - before)
