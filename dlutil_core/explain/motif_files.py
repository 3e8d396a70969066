"""Files of known motifs, told by what they hold: MEME, JASPAR, TRANSFAC, CIS-BP, HOMER, UniPROBE.

MEME has a grammar of its own. The others are entries of some lines of text and a matrix, whose
letters stand before its rows (JASPAR, UniPROBE), above its columns (TRANSFAC, CIS-BP), or nowhere
(HOMER, and the raw matrices of old JASPAR files).
"""

from __future__ import annotations

import gzip
import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from dlutil_core.common.errors import UserError
from dlutil_core.common.logs import log
from dlutil_core.explain.motifs import Motif

FORMATS = "MEME, JASPAR, TRANSFAC, CIS-BP, HOMER or UniPROBE format"
SITES = 20
"""Sites that probabilities are taken to come from where a file does not say (as in MEME)."""

SUM_TOLERANCE = 0.03
UNEVEN_COUNTS = 0.1
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
LETTERS = "ACGT"
RESIDUES = set("DEFHIKLMPQRSVWY")
TITLES = {"pos", "po", "p0", "position", "#", ""}
NAME_KEYS = ("motif", "ac", "protein", "gene", "id", "tf name", "tf", "de", "na")


@dataclass
class Entry:
    """A motif as it stands in a file: lines of text, then rows in words."""

    head: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)


def read_motifs(path: Path) -> list[Motif]:
    """Motifs of a file in any of the formats.

    Raises
    ------
    UserError
        The file is missing or holds no motif, or a matrix in it is none of four letters' counts or
        probabilities.
    """
    text = _text(path)
    if re.search(r"^(MEME version|letter-probability matrix|log-odds matrix)", text, re.MULTILINE):
        found = _read_meme(path, text)
    else:
        found = [_matrix(path, entry) for entry in _entries(text)]
    if not found:
        raise UserError(f"explain.motifs: {path} holds no motif; give motifs in {FORMATS}")
    return found


def _text(path: Path) -> str:
    try:
        raw = path.read_bytes()
        if raw.startswith(b"\x1f\x8b"):
            raw = gzip.decompress(raw)
        text = raw.decode("utf-8-sig")
    except (OSError, EOFError, ValueError):
        raise UserError(
            f"explain.motifs: {path} is not a readable text file; give motifs in {FORMATS}"
        ) from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


# -- MEME ------------------------------------------------------------------------------------------


def _read_meme(path: Path, text: str) -> list[Motif]:
    """The minimal MEME format (meme-suite.org/meme/doc/meme-format.html)."""
    lines = text.split("\n")
    letters = _meme_alphabet(lines)
    found = []
    name = label = ""
    open_motif = False
    for number, line in enumerate(lines):
        words = line.split()
        if words[:1] == ["MOTIF"] and len(words) > 1:
            if open_motif:
                raise _wrong(path, name, "has no letter-probability matrix")
            name, label, open_motif = words[1], " ".join(words[2:]).split(" width =")[0], True
            label = re.sub(r"\s*width\s*=.*", "", label)
        elif line.startswith("letter-probability matrix"):
            found.append(_meme_matrix(path, name, label, letters, lines[number:]))
            open_motif = False
    if open_motif:
        raise _wrong(path, name, "has no letter-probability matrix")
    return found


def _meme_alphabet(lines: list[str]) -> str:
    """The letters in the order of the columns."""
    for number, line in enumerate(lines):
        if line.startswith("ALPHABET="):
            return line.partition("=")[2].strip().upper()
        if line.startswith("ALPHABET"):
            own = []
            for other in lines[number + 1 :]:
                if other.startswith("END ALPHABET"):
                    break
                core = re.match(r'(\w)(\s+"[^"]*")?(\s+\w{6})?(\s*~\s*(\w))?(?!\s*=)', other)
                own += [] if core is None else [c.upper() for c in core.group(1, 5) if c]
            return "".join(sorted(set(own))) or LETTERS
    return LETTERS


def _meme_matrix(path: Path, name: str, label: str, letters: str, lines: list[str]) -> Motif:
    """The matrix below its line, which is the first of `lines`."""
    told = dict(re.findall(r"(\w+)\s*=\s*([-+.\de]+)", lines[0]))
    width = int(told["w"]) if told.get("w", "").isdigit() else None
    rows: list[list[float]] = []
    for line in lines[1:]:
        values = _numbers(line.split())
        if not values:
            break
        rows.append(values)
    if width is not None and len(rows) != width:
        raise _wrong(path, name, f"has {len(rows)} rows of numbers, but says w= {width}")
    if told.get("alength", "4") != "4" or len(letters) != 4:
        letters = letters if len(letters) != 4 else "?" * len(rows[0] if rows else "")
        raise _not_dna(path, name, letters)
    matrix = _array(path, name, rows)
    if _kind(matrix) != "probabilities":
        raise _uneven(path, name, matrix, "probabilities")
    sites = float(told["nsites"]) if NUMBER.fullmatch(told.get("nsites", "")) else SITES
    return _motif(path, name, label, _in_order(path, name, matrix, letters), max(sites, 0))


# -- entries of text and a matrix ------------------------------------------------------------------


def _entries(text: str) -> list[Entry]:
    """Split at `>`, at `//`, and where text follows a matrix."""
    found = [Entry()]
    for line in text.split("\n"):
        if line.startswith("//") or not line.strip():
            if line.startswith("//") and found[-1].rows:
                found.append(Entry())
            continue
        words = _words(line)
        is_row = not line.startswith(">") and _is_row(words)
        after_matrix = found[-1].rows and not is_row and words[:1] != ["XX"]
        if after_matrix or (line.startswith(">") and (found[-1].rows or found[-1].head)):
            found.append(Entry())
        if is_row:
            found[-1].rows.append(words)
        else:
            found[-1].head.append(line)
    entries = [entry for entry in found if entry.rows or any(h[0] == ">" for h in entry.head)]
    return entries


def _words(line: str) -> list[str]:
    """Words of a line; brackets and what stands behind a row's letter are left off."""
    return re.sub(r"[\[\]|]|(?<=^[A-Za-z]):|(?<=\s[A-Za-z]):", " ", line).split()


def _is_row(words: list[str]) -> bool:
    """Numbers, a letter or position before them perhaps, or the letters above columns."""
    if not words:
        return False
    if _column_letters(words):
        return True
    rest = words
    if len(words[0]) == 1 and words[0].isalpha():
        return any(word.lstrip("+-.")[:1].isdigit() for word in words[1:])
    if rest[1:] and len(rest[-1]) == 1 and rest[-1].isalpha():
        rest = rest[:-1]  # the consensus that TRANSFAC writes behind
    return bool(rest) and all(_is_number_like(word) for word in rest)


def _is_number_like(word: str) -> bool:
    return bool(NUMBER.fullmatch(word)) or word.lower() in ("nan", "inf", "-inf") or "," in word


def _column_letters(words: list[str]) -> str:
    """The letters where a row is one of letters alone, behind a title perhaps."""
    rest = words[1:] if words[0].lower() in TITLES else words
    if len(rest) >= 4 and all(len(word) == 1 and word.isalpha() for word in rest):
        return "".join(rest).upper()
    return ""


def _matrix(path: Path, entry: Entry) -> Motif:
    name, label = _named(path, entry.head)
    rows = entry.rows
    if not rows:
        raise _wrong(path, name, "is not four numbers (A, C, G, T) for each position")
    if any("," in word for row in rows for word in row):
        raise _wrong(path, name, "has commas in its numbers; write decimal points")
    above = _column_letters(rows[0])
    before = "".join(row[0].upper() for row in rows if row[0].isalpha() and len(row[0]) == 1)
    if above:
        wide = len(above)
        numbers = [row[1:] if len(row) > wide else row for row in rows[1:]]
        matrix, letters = _array(path, name, [_exact(r[:wide]) for r in numbers]), above
    elif before:
        if len(before) != len(rows):
            raise _wrong(path, name, "has rows with letters and rows without")
        matrix = _array(path, name, [_exact(row[1:]) for row in rows]).T
        letters = before
    else:
        matrix, letters = _bare(path, name, entry), LETTERS
    if matrix.shape[1] != 4 or len(letters) != 4:
        raise _not_dna(path, name, letters)
    matrix = _in_order(path, name, matrix, letters)
    kind = _kind(matrix)
    if kind == "neither":
        raise _uneven(path, name, matrix, "counts or probabilities")
    return _motif(path, name, label, matrix, SITES if kind == "probabilities" else None)


def _bare(path: Path, name: str, entry: Entry) -> np.ndarray:
    """A matrix without letters, positions in rows: four rows are letters, four columns too."""
    matrix = _array(path, name, [_exact(row) for row in entry.rows])
    rows, columns = matrix.shape
    if 4 not in (rows, columns):
        raise _wrong(path, name, "is not four numbers (A, C, G, T) for each position")
    if (rows, columns) != (4, 4) or (matrix == matrix.T).all():
        return matrix.T if rows == 4 else matrix
    head = entry.head[-1].split("\t") if entry.head else []
    by_rows = len(head) > 2 and NUMBER.fullmatch(head[2].strip()) is not None  # HOMER
    good = {"rows": _kind(matrix) != "neither", "columns": _kind(matrix.T) != "neither"}
    even = {"rows": _spread(matrix) < 0.02, "columns": _spread(matrix.T) < 0.02}
    if by_rows or (even["rows"] and not even["columns"] and good["rows"]):
        return matrix
    if even["columns"] and not even["rows"]:
        return matrix.T
    raise _wrong(
        path,
        name,
        "has four rows and four columns without letters, so that either may be the positions;"
        " write the letters A, C, G and T before its rows",
    )


def _named(path: Path, head: list[str]) -> tuple[str, str]:
    """Name and label: behind `>`, by the keys of other formats, or the file's name."""
    marked = [line for line in head if line.startswith(">")]
    if marked:
        fields = marked[-1][1:].strip()
        first, _, rest = fields.partition("\t" if "\t" in fields else " ")
        return first.strip(), rest.split("\t")[0].strip()
    told: dict[str, str] = {}
    for line in head:
        for key, value in re.findall(r"(\w[\w ]*?)(?::\s*|\t| {1,3})([^\t]+)", line):
            told.setdefault(key.strip().lower(), value.strip())
    names = [told[key] for key in NAME_KEYS if key in told]
    if names:
        return names[0].split()[0], names[1] if len(names) > 1 else ""
    return (path.name.split(".")[0], "") if not head else (head[-1].split()[0], "")


# -- matrices --------------------------------------------------------------------------------------


def _numbers(words: list[str]) -> list[float]:
    """The numbers of a line; none where one of its words is no number."""
    return [float(word) for word in words] if all(map(NUMBER.fullmatch, words)) else []


def _exact(words: list[str]) -> list[float]:
    found = _numbers(words)
    return found if found else [float("nan")]


def _array(path: Path, name: str, rows: list[list[float]]) -> np.ndarray:
    even = len({len(row) for row in rows}) == 1
    if not rows or not even or not np.isfinite(np.array(rows)).all():
        raise _wrong(path, name, "is not four numbers (A, C, G, T) for each position")
    matrix = np.array(rows, np.float64)
    if (matrix < 0).any():
        raise _wrong(
            path,
            name,
            "has negative numbers, so it holds weights (log-odds), not counts or probabilities",
        )
    return matrix


def _in_order(path: Path, name: str, matrix: np.ndarray, letters: str) -> np.ndarray:
    """Columns A, C, G, T; U of RNA is T."""
    order = letters.upper().replace("U", "T")
    if sorted(order) != sorted(LETTERS) or matrix.shape[1] != 4:
        raise _not_dna(path, name, letters)
    return matrix[:, [order.index(letter) for letter in LETTERS]]


def _spread(matrix: np.ndarray) -> float:
    """How much the sums of positions differ, relative to the largest."""
    sums = matrix.sum(axis=1)
    return float((sums.max() - sums.min()) / sums.max()) if sums.max() > 0 else 1.0


def _kind(matrix: np.ndarray) -> str:
    """`probabilities`, `counts` or `neither`, of positions in rows."""
    sums = matrix.sum(axis=1)
    if (np.abs(sums - 1) <= SUM_TOLERANCE).all():
        return "probabilities"
    whole = (matrix == np.round(matrix)).all()
    if (sums > 0).all() and (whole or (_spread(matrix) <= SUM_TOLERANCE and sums.min() > 1)):
        return "counts"
    return "neither"


def _motif(path: Path, name: str, label: str, matrix: np.ndarray, sites: float | None) -> Motif:
    """A motif of counts as they are (`sites` None), or of probabilities of so many sites."""
    if sites is None:
        if _spread(matrix) > UNEVEN_COUNTS:
            sums = matrix.sum(axis=1)
            log.warning(
                f"warning: explain.motifs: {path}: the counts of {name} sum to {sums.min():g} at"
                f" one position and to {sums.max():g} at another; is a number missing?"
            )
        return Motif(name, matrix, label)
    probabilities = matrix / matrix.sum(axis=1, keepdims=True)
    return Motif(name, probabilities * (sites or SITES), label)


def _wrong(path: Path, name: str, what: str) -> UserError:
    said = f"the matrix of {name or 'a motif without a name'} {what}"
    return UserError(f"explain.motifs: {path}: {said}; correct or remove it")


def _not_dna(path: Path, name: str, letters: str) -> UserError:
    if len(letters) == 20 or RESIDUES & set(letters):
        return _wrong(path, name, f"has {len(letters)} letters as proteins have, not A, C, G and T")
    return _wrong(path, name, f"has the letters {letters}, not A, C, G and T (or U)")


def _uneven(path: Path, name: str, matrix: np.ndarray, wanted: str) -> UserError:
    sums = matrix.sum(axis=1)
    at = int(np.argmax(np.abs(sums - np.median(sums))))
    if (sums == 0).any():
        return _wrong(path, name, f"sums to 0 at position {int(np.argmin(sums)) + 1}")
    if wanted == "probabilities" or np.abs(np.median(sums) - 1) <= SUM_TOLERANCE:
        at = int(np.argmax(np.abs(sums - 1)))
        return _wrong(path, name, f"sums to {sums[at]:g} at position {at + 1}, not to 1")
    return _wrong(
        path,
        name,
        f"sums to {sums[at]:g} at position {at + 1} and to {np.median(sums):g} elsewhere, so it"
        f" holds no {wanted}",
    )
