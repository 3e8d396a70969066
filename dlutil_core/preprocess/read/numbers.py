"""Text to numbers at the speed of C: targets and feature tables."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dlutil_core.common.errors import UserError
from dlutil_core.preprocess.read.text_files import blocks, shown

SEPARATORS = set(b" \t,\n")


class NumberReader:
    """Reads a table of numbers by rows; every line must have as many columns as the first.

    Columns are separated by blanks, tabs or commas. Lines that start with '#' and empty lines are
    left out.

    Parameters
    ----------
    path
        Plain or gzip file.
    what
        What a line holds, for messages: ``target`` or ``feature``.
    """

    def __init__(self, path: str, what: str) -> None:
        self.path = path
        self.what = what
        self.columns = 0
        self.rows = 0
        self._arrays = self._read()
        self._held: list[np.ndarray] = []

    def take(self, count: int) -> np.ndarray:
        """The next `count` rows, or what is left: float64 or uint8, shape (<= count, K)."""
        have = sum(map(len, self._held))
        while have < count:
            array = next(self._arrays, None)
            if array is None:
                break
            self._held.append(array)
            have += len(array)
        if not self._held:
            return np.empty((0, self.columns))
        joined = np.concatenate(self._held) if len(self._held) > 1 else self._held[0]
        self._held = [joined[count:]] if len(joined) > count else []
        return joined[:count]

    def __iter__(self) -> Iterator[np.ndarray]:
        return self._arrays

    def rest(self) -> int:
        """How many rows are left; they are read and dropped."""
        return sum(map(len, self._held)) + sum(map(len, self._arrays))

    def _read(self) -> Iterator[np.ndarray]:
        for text, line in blocks(self.path):
            array = _single_digits(text, self.columns)
            if array is None:
                array = self._general(text, line)
            self.columns = self.columns or array.shape[1]
            self.rows += len(array)
            if len(array):
                yield array
        if not self.rows:
            raise UserError(f"{self.path}: holds no {self.what}; give one line for each record")

    def _general(self, text: bytes, line: int) -> np.ndarray:
        rows = [row.split() for row in text.replace(b",", b" ").split(b"\n")]
        numbered = [(n, row) for n, row in enumerate(rows, line) if row and row[0][:1] != b"#"]
        if not numbered:
            return np.empty((0, self.columns))
        width = self.columns or len(numbered[0][1])
        for number, row in numbered:
            if len(row) != width:
                raise UserError(
                    f"{self.path}: line {number} has {len(row)} {self.what}s, but the first line"
                    f" has {width}; make them equal"
                )
        fields = [field for _, row in numbered for field in row]
        try:
            values = np.fromiter(map(float, fields), np.float64, len(fields))
        except ValueError:
            values = np.array([np.nan])
        if b"_" in text or not np.isfinite(values).all():
            self._complain(numbered)
        return values.reshape(-1, width)

    def _complain(self, numbered: list[tuple[int, list[bytes]]]) -> None:
        for number, row in numbered:
            for field in row:
                if not is_number(field):
                    raise UserError(
                        f"{self.path}: line {number} has the {self.what} {shown(field)}, which is"
                        " not a finite number; correct it"
                    )


def is_number(field: bytes) -> bool:
    """Whether a field is a finite decimal number, as users write them."""
    try:
        return b"_" not in field and bool(np.isfinite(float(field)))
    except ValueError:
        return False


def _single_digits(text: bytes, columns: int) -> np.ndarray | None:
    """Rows of single digits as uint8, where all lines are such; no look at each field."""
    width = text.find(b"\n") + 1
    if width < 2 or width % 2 or len(text) % width:
        return None
    table = np.frombuffer(text, np.uint8).reshape(-1, width)
    digits, separators = table[:, 0::2], table[:, 1::2]
    if columns and digits.shape[1] != columns:
        return None
    if set(separators[0].tolist()) - SEPARATORS or (separators[0, :-1] == ord("\n")).any():
        return None
    if not (separators == separators[0]).all():
        return None
    values = digits - np.uint8(ord("0"))  # what is below "0" wraps round
    return values if (values <= 9).all() else None
