"""Valid odd tables: features, targets and tables of sequences as people write them."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

MARKS = ["\t", ",", ";", " "]
ENDS = ["\n", "\r\n", "\r"]
MISSING = ["NA", "", "n/a", "-9", "."]
WORDS = ["enhancer", "Promoter", "dark", "a", "B", "x-1", "é", "on", "True", "False", "chr1", "1e"]
TITLES = ["Label", "target_a", "y", "Activity", "LABEL_2", "cell type", "t(0)"]

BED_TITLES = ("chrom", "start", "end", "name", "kind", "strand", "value", "p", "q", "peak")

wholes = st.integers(-300, 70_000).map(str)
digits = st.integers(0, 9).map(str)
flags = st.sampled_from(["0", "1"])
huge = st.integers(-(2**40), 2**40).map(str)
decimals = st.floats(-1e6, 1e6, width=32).map(repr)
exponents = st.tuples(st.integers(-99, 99), st.integers(-30, 30)).map(lambda p: f"{p[0]}e{p[1]:+d}")
dotted = st.sampled_from(["1.", ".5", "+3", "-0", "0.0", "007.5", "1E5", "3.4e38"])
words = st.sampled_from(WORDS)
CELLS = [flags, digits, wholes, huge, decimals, exponents, dotted, words]
NUMBERS = CELLS[:-1]


@dataclass
class Case:
    """A section and its files; `sets` are the files with labels, in the section's order."""

    kind: str
    files: dict[str, bytes]
    section: dict[str, Any]
    missing: list[str]
    columns: list[int]
    sequence: int = -1
    header: bool = False
    sets: tuple[str, ...] = ("train",)


@st.composite
def texts(draw: st.DrawFn, rows: list[list[str]], mark: str, comment: str, title: str) -> bytes:
    """Rows as a file: one separator, comments, blank lines, quotes, any line ends."""
    lines = [title] if title else []
    if comment:
        lines.insert(0, comment)
    one = len(rows[0]) == 1
    for index, row in enumerate(rows):
        lines.append(_line(draw, row, mark))
        if index < len(rows) - 1 and draw(st.integers(0, 9)) == 0:
            lines.append(draw(st.sampled_from(["# note", "#", "#a,b;c\td"] + [""] * (not one))))
    before = draw(st.sampled_from([[], [], [""], ["# made by hand", ""], ["##x", "# y, z"]]))
    after = draw(st.sampled_from([[], [], ["", ""], ["# end"]]))
    blank_counts = one and any(cell == "" for row in rows for cell in row)
    if one:
        before = [line for line in before if line]
        after = [line for line in after if line]
    if comment or not title:
        before = [line for line in before if not line.startswith("#")]
    end = draw(st.sampled_from(ENDS))
    text = end.join([*before, *lines, *after])
    text += end if blank_counts or draw(st.booleans()) else ""
    raw = ("\ufeff" * draw(st.booleans()) + text).encode()
    return gzip.compress(raw, mtime=0) if draw(st.integers(0, 7)) == 0 else raw


def _line(draw: st.DrawFn, row: list[str], mark: str) -> str:
    cells = []
    for cell in row:
        if mark not in cell and " " not in cell and draw(st.integers(0, 5)):
            cells.append(cell)
        else:
            cells.append('"' + cell.replace('"', '""') + '"' if cell else cell)
    pad = draw(st.sampled_from(["", "", " ", "  "]))
    joint = mark + pad if mark == " " or draw(st.booleans()) else pad + mark
    return joint.join(cells)


@st.composite
def label_columns(draw: st.DrawFn, count: int, missing: list[str]) -> list[list[str]]:
    """`count` rows of one to three labels of any form, some missing."""
    width = draw(st.integers(1, 3))
    columns = []
    for _ in range(width):
        cells = draw(st.sampled_from(CELLS))
        values = draw(st.lists(cells, min_size=count, max_size=count))
        # The first is known, so that no column is missing altogether.
        columns.append(
            [
                draw(st.sampled_from(missing))
                if i and missing and not draw(st.integers(0, 4))
                else v
                for i, v in enumerate(values)
            ]
        )
    return [list(row) for row in zip(*columns, strict=True)]


sequences = st.text("ACGTacgtN", min_size=6, max_size=6)


@st.composite
def feature_files(draw: st.DrawFn) -> Case:
    """A table of features with or without a line of names."""
    count, width = draw(st.integers(2, 7)), draw(st.integers(1, 4))
    cells = st.one_of(*NUMBERS)
    rows = draw(
        st.lists(st.lists(cells, min_size=width, max_size=width), min_size=count, max_size=count)
    )
    mark = draw(st.sampled_from(MARKS))
    title = mark.join(f"f{i}" for i in range(width))
    where = draw(st.sampled_from(["", "", "line", "comment"]))
    raw = draw(
        texts(
            rows, mark, "#" + title if where == "comment" else "", title if where == "line" else ""
        )
    )
    section = {"predict": {"new": {"features": "x.txt"}}}
    return Case("features", {"x.txt": raw}, section, [], [], header=bool(where), sets=("new",))


@st.composite
def target_files(draw: st.DrawFn) -> Case:
    """FASTA and its targets: numbers, classes, missing ones."""
    count = draw(st.integers(1, 8))
    mark = draw(st.sampled_from(MARKS))
    missing = [m for m in draw(st.lists(st.sampled_from(MISSING), max_size=2)) if m or mark != " "]
    rows = draw(label_columns(count, missing))
    named = draw(st.integers(0, 3)) == 0
    comment = "#" + mark.join(f"t{i}" for i in range(len(rows[0]))) if named else ""
    fasta = "".join(f">s{i}\n{draw(sequences)}\n" for i in range(count)).encode()
    files = {"a.t": draw(texts(rows, mark, comment, "")), "a.fa": fasta}
    section = {
        "train": {"sequences": "a.fa", "targets": "a.t"},
        "columns": {"missing": missing},
    }
    return Case("targets", files, section, missing, list(range(len(rows[0]))), header=named)


@st.composite
def table_files(draw: st.DrawFn) -> Case:
    """Two tables of sequences and labels, of two sets that share their classes."""
    mark = draw(st.sampled_from(MARKS))
    missing = [m for m in draw(st.lists(st.sampled_from(MISSING), max_size=2)) if m or mark != " "]
    counts = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    rows = draw(label_columns(sum(counts), missing))
    width = len(rows[0])
    place = draw(st.integers(0, width))
    names = draw(st.permutations(TITLES))[:width]
    titles = [*names[:place], "Sequence", *names[place:]]
    full = [[*row[:place], draw(sequences), *row[place:]] for row in rows]
    # The sequence of the first data row must not look like an interval or a FASTA header.
    header = draw(st.sampled_from(["line", "comment", "number"]))
    title = _line_of_titles(titles, mark)
    columns = [k + (k >= place) for k in range(width)]
    wanted = (
        {"sequence": place + 1, "labels": [c + 1 for c in columns]}
        if header == "number"
        else {"sequence": "sequence", "labels": [n.swapcase() for n in names]}
    )
    comment, line = "#" + title if header == "comment" else "", title if header == "line" else ""
    files = {
        "train.csv": draw(texts(full[: counts[0]], mark, comment, line)),
        "test.csv": draw(texts(full[counts[0] :], mark, comment, line)),
    }
    section = {
        "train": {"sequences": "train.csv"},
        "test": {"sequences": "test.csv"},
        "columns": wanted | {"missing": missing},
    }
    return Case(
        "table", files, section, missing, columns, place, header == "line", ("train", "test")
    )


def _line_of_titles(titles: list[str], mark: str) -> str:
    return mark.join(f'"{title}"' if " " in title else title for title in titles)


@st.composite
def bed_files(draw: st.DrawFn) -> Case:
    """Intervals with strands, summits and a column of labels, and their genome."""
    lengths = draw(st.integers(30, 70)), draw(st.integers(30, 70))
    genome = {
        f"chr{k}": draw(st.text("ACGTacgt", min_size=n, max_size=n)) for k, n in enumerate(lengths)
    }
    count, columns = draw(st.integers(1, 6)), draw(st.sampled_from([3, 4, 6, 7, 10]))
    window = draw(st.sampled_from([None, 7, 10, 20]))
    rows = []
    for k in range(count):
        name = draw(st.sampled_from(sorted(genome)))
        size = 9 if window is None else draw(st.integers(1, 12))
        start = draw(st.integers(0, len(genome[name]) - size))
        more = [f"p{k}" if draw(st.booleans()) else ".", draw(st.sampled_from(["0", "1", "37"]))]
        more += [
            draw(st.sampled_from("+-.")),
            draw(st.sampled_from(["1.5", "2", "0"])),
            "3.5",
            "-1",
        ]
        more += [str(draw(st.integers(-1, size - 1)))]
        rows.append([name, str(start), str(start + size), *more][:columns])
    kinds = {6: (5,), 7: (7, 5), 10: (5,)}
    label = draw(st.sampled_from([*kinds.get(columns, ()), None]))
    titled = [*BED_TITLES[:columns]]
    comment = "#" + "\t".join(titled) if draw(st.booleans()) else ""
    wanted: str | int | None = label
    if label is not None and comment:
        wanted = draw(st.sampled_from([label, titled[label - 1].upper()]))
    width = draw(st.integers(9, 80))
    packed = "".join(
        f">{name} x\n" + "".join(f"{s[i : i + width]}\n" for i in range(0, len(s), width))
        for name, s in genome.items()
    )
    raw = draw(bed_text(rows, comment, draw(st.integers(0, 3)) == 0))
    outside = draw(st.sampled_from(["drop", "pad", "shift"]))
    name = "a.narrowPeak" if columns == 10 else "a.bed"
    section = {
        "train": {"sequences": name},
        "genome": "g.fa",
        "window": window,
        "outside": outside,
        "columns": {"label": wanted},
    }
    chosen = [] if label is None else [label - 1]
    return Case("bed", {name: raw, "g.fa": packed.encode()}, section, [], chosen)


@st.composite
def bed_text(draw: st.DrawFn, rows: list[list[str]], comment: str, track: bool) -> bytes:
    """Lines of BED between track lines and comments, with any line ends."""
    lines = ["track name=x", comment] if track and comment else [comment] if comment else []
    for row in rows:
        lines.append("\t".join(row))
    end = draw(st.sampled_from(ENDS))
    text = end.join(lines) + end * draw(st.integers(0, 2))
    raw = ("\ufeff" * draw(st.booleans()) + text).encode()
    return gzip.compress(raw, mtime=0) if draw(st.integers(0, 7)) == 0 else raw


any_case = st.one_of(feature_files(), target_files(), table_files(), bed_files())
