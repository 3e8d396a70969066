"""Shuffles that keep each sequence's dinucleotide counts, many sequences at once.

A sequence is a walk over its letters; its dinucleotides are the edges. A random Euler walk over the
same edges has the same counts. Altschul and Erickson (Mol. Biol. Evol. 2:526, 1985): draw for each
letter but the last one a random last edge until these edges lead from every letter to the last
letter; shuffle the other edges of each letter; walk. Each Euler walk is equally likely.

Random numbers are a hash (splitmix64; Steele, Lea and Flood 2014) of seed, record, purpose and
position, so that a record's shuffle depends on the seed, its number and its sequence alone.
"""

from __future__ import annotations

import numpy as np

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_ORDER, _DRAW = 0, 1


def shuffle_sequences(sequences: list[bytes], seed: int, first: int) -> list[bytes]:
    """Shuffle each sequence, keeping its first and last letter and its dinucleotide counts.

    Parameters
    ----------
    sequences
        Letters; upper and lower case count as one, the shuffle is in upper case.
    seed
        The run's seed, mixed with what makes several shuffles of a sequence differ.
    first
        Number of the first sequence in its file.

    Returns
    -------
    One shuffled sequence for each, of the same length.
    """
    lengths = np.array([len(s) for s in sequences])
    numbers = np.arange(first, first + len(sequences), dtype=np.uint64)
    shuffled: list[bytes] = list(sequences)
    for length in np.unique(lengths).tolist():
        rows = np.flatnonzero(lengths == length)
        text = b"".join([sequences[i] for i in rows.tolist()]).upper()
        letters = np.frombuffer(text, np.uint8).reshape(len(rows), length)
        walked = _shuffle_matrix(letters, seed, numbers[rows]).tobytes()
        for place, row in enumerate(rows.tolist()):
            shuffled[row] = walked[place * length : (place + 1) * length]
    return shuffled


def _hash(seed: int, *parts: np.ndarray) -> np.ndarray:
    """Random 64-bit numbers: splitmix64's finisher over the seed and these arrays, broadcast."""
    with np.errstate(over="ignore"):
        state = np.array(seed % (1 << 64), np.uint64)
        for part in parts:
            state = state + _GOLDEN * (part.astype(np.uint64) + np.uint64(1))
            state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            state = state ^ (state >> np.uint64(31))
    return state


def _shuffle_matrix(letters: np.ndarray, seed: int, numbers: np.ndarray) -> np.ndarray:
    """Shuffle rows of equal length; uint8 letters, shape (n, L), to the same shape."""
    count, length = letters.shape
    if length < 3:
        return letters
    alphabet, flat = np.unique(letters, return_inverse=True)
    vertices = flat.reshape(letters.shape).astype(np.int64)
    source = vertices[:, :-1]
    position = np.arange(length - 1)[None, :]
    keys = _hash(seed, numbers[:, None], np.array([[_ORDER]]), position) >> np.uint64(8)
    # Edges sorted by their source, in random order within it: the low bits of the key are free.
    order = np.argsort((source.astype(np.uint64) << np.uint64(56)) | keys, axis=1)
    targets = np.take_along_axis(vertices[:, 1:], order, axis=1)
    rows = np.arange(count)
    degree = np.zeros((count, len(alphabet)), np.int64)
    np.add.at(degree, (rows[:, None], source), 1)
    begin = np.cumsum(degree, axis=1) - degree
    _place_last_edges(targets, begin, degree, vertices[:, -1], seed, numbers)
    walk = np.empty_like(letters)
    here = vertices[:, 0]
    pointer = begin.copy()
    for step in range(length):
        walk[:, step] = alphabet[here]
        if step < length - 1:
            edge = pointer[rows, here]
            pointer[rows, here] = edge + 1
            here = targets[rows, edge]
    return walk


def _place_last_edges(
    targets: np.ndarray,
    begin: np.ndarray,
    degree: np.ndarray,
    root: np.ndarray,
    seed: int,
    numbers: np.ndarray,
) -> None:
    """Swap a random edge to the end of each letter's list, such that these edges reach the root.

    Drawn again, for the rows that fail, until they do; this makes the tree uniform.
    """
    size = begin.shape[1]
    letter = np.arange(size)[None, :]
    open_rows = np.arange(len(targets))
    attempt = 0
    while len(open_rows):
        purpose = np.array([[_DRAW + attempt]])
        draw = _hash(seed, numbers[open_rows][:, None], purpose, letter)
        edges = degree[open_rows]
        chosen = begin[open_rows] + (draw % np.maximum(edges, 1).astype(np.uint64)).astype(int)
        # A letter without edges leads to itself, and so does the root, where every walk ends.
        chosen = np.minimum(chosen, targets.shape[1] - 1)
        parent = np.where(edges > 0, targets[open_rows[:, None], chosen], letter)
        is_root = letter == root[open_rows][:, None]
        reached = np.where(is_root, letter, parent)
        for _ in range(max(1, size - 1).bit_length()):
            reached = np.take_along_axis(reached, reached, axis=1)
        good = ((edges == 0) | (reached == root[open_rows][:, None])).all(axis=1)
        rows = open_rows[good]
        _swap_last(
            targets, rows, chosen[good], (begin + degree - 1)[rows], degree[rows], is_root[good]
        )
        open_rows = open_rows[~good]
        attempt += 1


def _swap_last(
    targets: np.ndarray,
    rows: np.ndarray,
    chosen: np.ndarray,
    last: np.ndarray,
    degree: np.ndarray,
    is_root: np.ndarray,
) -> None:
    """Exchange each letter's chosen edge with the last of its list, but for the root's."""
    for letter in range(chosen.shape[1]):
        move = (degree[:, letter] > 0) & ~is_root[:, letter]
        at, a, b = rows[move], chosen[move, letter], last[move, letter]
        targets[at, a], targets[at, b] = targets[at, b].copy(), targets[at, a].copy()
