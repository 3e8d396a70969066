"""A slow plain reader of tables, one character after the other; shares no code with the project.

What it knows is what docs/preprocessing.md says: one separator a file, `#` begins a comment, a
comment right above the first row may hold the column names, texts are classes in sorted order.
"""

from __future__ import annotations

import math

import numpy as np

WHITE = " \t\v\f"
BLANK = " \v\f"
"""What a line without anything may hold; a tab would be two empty cells."""


def lines_of(raw: bytes) -> list[str]:
    """The lines of a file without a byte order mark, whatever ends them."""
    text = raw.decode("utf-8")
    if text.startswith("\ufeff"):
        text = text[1:]
    lines, line, previous = [], "", ""
    for character in text:
        if character == "\n" and previous == "\r":
            pass
        elif character in "\r\n":
            lines.append(line)
            line = ""
        else:
            line += character
        previous = character
    return [*lines, line] if line else lines


def cells_of(line: str, separator: str) -> list[str]:
    """The cells of a line; blanks of any number are one separator."""
    cells, cell, quoted, was_quoted = [], "", False, False
    position = 0
    while position < len(line):
        character = line[position]
        if quoted:
            if character == '"' and line[position + 1 : position + 2] == '"':
                cell += '"'
                position += 1
            elif character == '"':
                quoted = False
            else:
                cell += character
        elif character == '"' and not cell.strip(WHITE):
            cell, quoted, was_quoted = "", True, True
        elif character == separator:
            cells.append((cell, was_quoted))
            cell, was_quoted = "", False
        else:
            cell += character
        position += 1
    cells.append((cell, was_quoted))
    found = [text.strip(WHITE) for text, _ in cells]
    return [text for text in found if text] if separator == " " else found


class Table:
    """Rows of cells, and the cells of the comment right above them."""

    def __init__(self, raw: bytes, blank_is_row: bool = False) -> None:
        kept: list[str] = []
        above = ""
        for line in lines_of(raw):
            if line.startswith("#"):
                above = above if kept else line
            elif line.strip(BLANK) or blank_is_row:
                kept.append(line)
        self.separator = "\n"
        full = [line for line in kept if line.strip(BLANK)]
        for separator in "\t;, ":
            counts = {len(cells_of(line, separator)) for line in full}
            if len(counts) == 1 and counts != {1} and self.separator == "\n":
                self.separator = separator
        if self.separator != "\n":
            kept = full
        self.rows = [cells_of(line, self.separator) for line in kept]
        titles = cells_of(above.lstrip("#"), self.separator) if above else []
        self.titles = titles if self.rows and len(titles) == len(self.rows[0]) else []


def number(text: str) -> float | None:
    """A finite number of float32's range, or None."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(np.float32(value)) and "_" not in text else None


def features(raw: bytes) -> np.ndarray:
    """The numbers of a table that may have a line of names, float32, shape (n, F)."""
    rows = Table(raw).rows
    if all(number(cell) is None for cell in rows[0]) and len(rows) > 1:
        rows = rows[1:]
    return np.array([[float(cell) for cell in row] for row in rows], np.float32)


def labels(
    columns: list[list[list[str]]], missing: list[str]
) -> tuple[list[np.ndarray], list[list[str] | None]]:
    """Labels of several files: each an array (n, K), and the classes of each column.

    Parameters
    ----------
    columns
        For each file, its rows of label cells.
    missing
        Texts that stand for a missing label.
    """
    width = len(columns[0][0])
    classes: list[list[str] | None] = []
    for k in range(width):
        cells = {row[k] for rows in columns for row in rows} - set(missing)
        numeric = all(number(cell) is not None for cell in cells)
        classes.append(None if numeric else sorted(cells))
    arrays = [
        np.array(
            [[_value(cell, classes[k], missing) for k, cell in enumerate(row)] for row in rows]
        )
        for rows in columns
    ]
    return arrays, classes


def _value(cell: str, classes: list[str] | None, missing: list[str]) -> float:
    if cell in missing:
        return math.nan
    return float(cell) if classes is None else float(classes.index(cell))


def dtype_of(arrays: list[np.ndarray]) -> str:
    """The smallest type of all labels: whole numbers, else float32."""
    values = [value for array in arrays for value in array.ravel().tolist()]
    if all(value == value and value == round(value) and abs(value) <= 2**53 for value in values):
        for name in ("uint8", "int16", "int32", "int64"):
            if all(np.iinfo(name).min <= value <= np.iinfo(name).max for value in values):
                return name
    return "float32"


def onehot(sequences: list[str]) -> np.ndarray:
    """Sequences of A, C, G, T as (N, 4, 1, L)."""
    data = np.zeros((len(sequences), 4, 1, len(sequences[0])), np.uint8)
    for record, sequence in enumerate(sequences):
        for place, letter in enumerate(sequence.upper()):
            if letter in "ACGT":
                data[record, "ACGT".index(letter), 0, place] = 1
    return data


TURNED = {"A": "T", "C": "G", "G": "C", "T": "A", "a": "t", "c": "g", "g": "c", "t": "a"}


def intervals(
    raw: bytes, genome: dict[str, str], window: int | None, outside: str
) -> tuple[list[str], list[str], list[str], list[list[str]]]:
    """Names, sequences, intervals and cells of the lines of a BED file that are not dropped.

    A tenth column is a narrowPeak's summit. What stands outside a chromosome is N.
    """
    names, sequences, places, rows = [], [], [], []
    for line in lines_of(raw):
        if not line.strip(WHITE) or line.startswith(("#", "track", "browser")):
            continue
        cells = [cell.strip(WHITE) for cell in line.split("\t")]
        chromosome, start, end = cells[0], int(cells[1]), int(cells[2])
        length = len(genome[chromosome])
        original = f"{chromosome}:{start}-{end}"
        if window is not None:
            summit = int(cells[9]) if len(cells) > 9 else -1
            centre = start + summit if summit >= 0 else (start + end) // 2
            start = centre - window // 2
            end = start + window
        if (start < 0 or end > length) and outside == "drop":
            continue
        if outside == "shift":
            moved = min(max(start, 0), length - (end - start))
            start, end = moved, moved + end - start
        letters = [
            genome[chromosome][place] if 0 <= place < length else "N" for place in range(start, end)
        ]
        strand = cells[5] if len(cells) > 5 else "."
        if strand == "-":
            letters = [TURNED.get(letter, letter) for letter in reversed(letters)]
        name = cells[3] if len(cells) > 3 else "."
        names.append(original if name in ("", ".") else name)
        sequences.append("".join(letters))
        places.append(f"{chromosome}:{start}-{end}({strand})")
        rows.append(cells)
    return names, sequences, places, rows
