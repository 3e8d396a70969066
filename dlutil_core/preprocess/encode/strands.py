"""Both strands of encoded records, to find those that are each other's reverse complement."""

from __future__ import annotations

import numpy as np

from dlutil_core.preprocess.encode.alphabet import COMPLEMENTS, ZERO, Alphabet
from dlutil_core.preprocess.encode.row_hashes import hash_rows


def complement_table(alphabet: Alphabet) -> bytes | None:
    """The code of each code's complement, 256 bytes; None where letters have no complements."""
    if not alphabet.has_complements:
        return None
    table = bytearray(range(256))
    for code, letter in enumerate(alphabet.letters):
        table[code] = alphabet.codes[COMPLEMENTS[ord(letter)]]
    return bytes(table)


def strand_hashes(
    parts: list[np.ndarray], complements: bytes, hashes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Hashes of records and of their reverse complements, without what pads their ends.

    Parameters
    ----------
    parts
        Codes of a record's one or two sequences, uint8, shape (n, L) each.
    complements
        As `complement_table` gives it.
    hashes
        Hashes of the records as they are, shape (n,).

    Returns
    -------
    Two arrays of uint64, shape (n,). A record that is its own reverse complement has a second hash
    that nothing is equal to, for it counts as an equal record already.
    """
    left = [_to_the_left(part) for part in parts]
    moved = any(a is not b for a, b in zip(left, parts, strict=True))
    forward = _hashed(left) if moved else hashes
    turned = _hashed([_to_the_left(_turned(part, complements)) for part in parts])
    return forward, np.where(turned == forward, ~turned, turned)


def _turned(codes: np.ndarray, complements: bytes) -> np.ndarray:
    other = np.frombuffer(codes.tobytes().translate(complements), np.uint8)
    return other.reshape(codes.shape)[:, ::-1]


def _to_the_left(codes: np.ndarray) -> np.ndarray:
    """Rows moved so that their first letter that is not zero comes first."""
    if not codes.shape[1] or (codes[:, 0] != ZERO).all():
        return codes
    moved = codes.copy()
    rows = np.flatnonzero(codes[:, 0] == ZERO)
    chosen = codes[rows]
    lead = np.argmax(chosen != ZERO, axis=1)
    place = np.arange(codes.shape[1])[None, :] + lead[:, None]
    inside = place < codes.shape[1]
    shifted = np.take_along_axis(chosen, np.where(inside, place, 0), axis=1)
    moved[rows] = np.where(inside, shifted, ZERO)
    return moved


def _hashed(parts: list[np.ndarray]) -> np.ndarray:
    return hash_rows(np.concatenate(parts, axis=1) if parts[1:] else parts[0])
