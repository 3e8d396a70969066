"""One stream of blocks for each set, whatever form its raw files have."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace

import numpy as np

from dlutil_core.common.errors import UserError
from dlutil_core.preprocess.encode.shuffle import shuffle_sequences
from dlutil_core.preprocess.read.blocks import Block
from dlutil_core.preprocess.read.cells import (
    BLANK,
    COMMAS,
    TABS,
    Row,
    Separator,
    find_separator,
)
from dlutil_core.preprocess.read.fasta import read_fasta, read_pasted
from dlutil_core.preprocess.read.intervals import Genome, looks_like_bed, read_bed
from dlutil_core.preprocess.read.labels import LabelColumns, Told, is_number
from dlutil_core.preprocess.read.numbers import NumberReader
from dlutil_core.preprocess.read.tables import (
    SEQUENCE_WORDS,
    TableReader,
    find_column,
    label_places,
)
from dlutil_core.preprocess.read.text_files import blocks, readable, shown
from dlutil_core.preprocess.section import SHUFFLE, Options, Source

SHUFFLE_SUFFIX = b"_shuf"
HEAD_LINES = 50
HEAD_BYTES = 1 << 19


class SourceReader:
    """Opens sources under the options of a section; one genome serves them all."""

    def __init__(self, options: Options, seed: int) -> None:
        self.options = options
        self.seed = seed
        self.labels = LabelColumns(options.columns.missing)
        self.told = Told()
        self._stack = ExitStack()
        self._genome: Genome | None = None

    def __enter__(self) -> SourceReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def read(self, source: Source, labelled: bool = True) -> Iterator[Block]:
        """Yield the blocks of a set, with labels where it is `labelled` and the source has them."""
        if source.positives:
            yield from self._positives_and_negatives(source.positives, str(source.negatives))
            return
        stream = (
            read_features(source.features, self.told)
            if source.features
            else self.sequences(source.sequences, labelled)
        )
        if source.paired:
            stream = _pair(stream, self.sequences(source.paired), source.paired)
        if source.targets:
            targets = NumberReader(source.targets, "target", self.labels, self.told)
            stream = _attach(stream, targets)
        for block in stream:
            self._check_columns(block, labelled)
            yield block

    def _check_columns(self, block: Block, labelled: bool) -> None:
        """Refuse columns that are asked for where a file has none."""
        columns = self.options.columns
        absent = columns.paired is not None and block.paired is None
        if absent or (columns.labels and labelled and block.labels is None):
            raise UserError(
                f"{block.path}: is no table with columns, so preprocess.columns."
                f"{'paired' if absent else 'labels'} does not apply to it; give"
                f" {'paired' if absent else 'targets'} beside it, or remove that key"
            )

    def sequences(self, path: str | None, labelled: bool = False) -> Iterator[Block]:
        """Yield the records of a file of sequences, whose form its content tells."""
        assert path is not None
        labels = self.labels if labelled else None
        columns = self.options.columns
        form = form_of(path, self.options)
        if form == "fasta":
            return read_fasta(path)
        if form == "pasted":
            return read_pasted(path)
        if form == "bed":
            padded = self.options.length in ("pad", "fit")
            read = self._bed_labels(path, labels) if labels and columns.labels else None
            return read_bed(path, self._open_genome(path), self.options.window, padded, read)
        return TableReader(path, columns, labels, self.told).read()

    def _bed_labels(self, path: str, labels: LabelColumns) -> Callable[[list[Row]], np.ndarray]:
        """What reads the labels of BED lines, shape (n, K), from the columns of the section."""
        comments = [line for line in head_of(path) if line.startswith(b"#")]
        line = comments[-1].lstrip(b"#") if comments else b""
        titles = tuple(c.decode("utf-8", "replace") for c in find_separator([line]).try_cells(line))
        wanted = self.options.columns.labels
        places = tuple(
            find_column(path, titles, c) if isinstance(c, str) else c - 1 for c in wanted
        )
        width = max(*places, len(titles) - 1)
        names = tuple(titles[k] if k < len(titles) else str(k + 1) for k in range(width + 1))

        def read(rows: list[Row]) -> np.ndarray:
            for number, cells in rows:
                if len(cells) <= max(places):
                    raise UserError(
                        f"{path}: line {number} has {len(cells)} columns, so there is no label in"
                        f" column {max(places) + 1}; write it, or correct preprocess.columns"
                    )
            stripped = [(number, [cell.strip() for cell in cells]) for number, cells in rows]
            return labels.values(path, stripped, label_places(places, names))

        return read

    def _open_genome(self, path: str) -> Genome:
        if self.options.genome is None:
            raise UserError(
                f"{path}: looks like BED, whose sequences are cut from a genome; set"
                " preprocess.genome to its FASTA file"
            )
        if self._genome is None:
            self._genome = Genome(self.options.genome)
            self._stack.callback(self._genome.close)
        return self._genome

    def _positives_and_negatives(self, positives: str, negatives: str) -> Iterator[Block]:
        for block in self.sequences(positives):
            if negatives != SHUFFLE:
                yield _labelled(block, 1)
                continue
            yield self._with_shuffles(block)
        if negatives != SHUFFLE:
            for block in self.sequences(negatives):
                yield _labelled(block, 0)

    def _with_shuffles(self, block: Block) -> Block:
        """Each record, label 1, followed by its shuffles, label 0."""
        copies = self.options.negatives_per_positive
        columns = [block.sequences]
        for copy in range(copies):
            # A seed of its own for each copy; the shuffle then mixes in the record's number.
            seed = int(np.random.SeedSequence(self.seed, spawn_key=(copy,)).generate_state(1)[0])
            columns.append(shuffle_sequences(block.sequences, seed, block.first))
        suffixes = [b""] + [
            SHUFFLE_SUFFIX + (b"%d" % (copy + 1) if copies > 1 else b"") for copy in range(copies)
        ]
        count, repeats = len(block), copies + 1
        labels = np.zeros((count, repeats))
        labels[:, 0] = 1
        return Block(
            block.path,
            block.first,
            [name + suffix for name in block.names for suffix in suffixes],
            [column[i] for i in range(count) for column in columns],
            labels=labels.reshape(-1, 1),
            intervals=_repeated(block.intervals, repeats),
            chromosomes=_repeated(block.chromosomes, repeats),
        )


def _repeated(values: list[bytes] | None, repeats: int) -> list[bytes] | None:
    return None if values is None else [value for value in values for _ in range(repeats)]


def _labelled(block: Block, label: int) -> Block:
    return replace(block, labels=np.full((len(block), 1), float(label)))


def head_of(path: str) -> list[bytes]:
    """The first lines of a file that are not blank, comments among them; at most `HEAD_LINES`."""
    head = b""
    for text, _ in blocks(path):
        head += text
        if len(_lines(head)) >= HEAD_LINES or len(head) > HEAD_BYTES:
            break
    return _lines(head)[:HEAD_LINES]


def _lines(text: bytes) -> list[bytes]:
    return [line for line in text.split(b"\n") if line.strip()]


def form_of(path: str, options: Options) -> str:
    """`fasta`, `pasted`, `bed` or `table`: what the first lines of a file say that it is."""
    head = head_of(path)
    if not head:
        raise UserError(f"{path}: holds nothing but blanks; give a file with at least one record")
    lines = [line for line in head if not line.startswith(b"#")] or head
    if lines[0].lstrip().startswith(b">"):
        two_fields = len(lines[0].split()) > 1
        alone = len(lines) == 1 or lines[1].startswith(b">")
        return "pasted" if two_fields and alone else "fasta"
    if options.columns.sequence is not None:
        return "table"
    separator = find_separator(lines)
    if looks_like_bed(lines[0]) and (options.genome or separator is not COMMAS):
        return "bed"
    if _names_sequence(head, lines[0], separator) or options.columns.paired is not None:
        return "table"
    first = separator.try_cells(lines[0])
    if len(lines[0].split()) == 2 and separator in (TABS, BLANK):
        _check_pasted(path, lines)
        return "pasted"
    raise UserError(_unknown(path, lines[0], first))


def _names_sequence(head: list[bytes], first: bytes, separator: Separator) -> bool:
    """Whether the first row, or the comment above it, has a column called `sequence`."""
    above = head[head.index(first) - 1] if head.index(first) else b""
    rows = [first, above.lstrip(b"#")]
    return any(b"sequence" in [cell.lower() for cell in separator.try_cells(row)] for row in rows)


def _check_pasted(path: str, lines: list[bytes]) -> None:
    """Refuse two columns that are not names and sequences but hold numbers for labels."""
    rows = [line.split() for line in lines if len(line.split()) == 2]
    names, sequences = [row[0] for row in rows], [row[1] for row in rows]
    if all(map(is_number, sequences)) and not any(map(is_number, names)):
        raise UserError(
            f"{path}: line 1 is {shown(lines[0])}, whose second column is a number and no sequence;"
            f" set {_COLUMNS.format(1, 2)} if the sequence stands first"
        )
    counts = any(names == [b"%d" % (k + i) for i in range(len(names))] for k in (0, 1))
    if all(map(is_number, names)) and not counts:
        raise UserError(
            f"{path}: line 1 is {shown(lines[0])}, whose first column is a number: a label, or a"
            f" name? set {_COLUMNS.format(2, 1)} if it is a label, or columns: {{sequence: 2, name:"
            " 1}} if it is a name".replace("}}", "}")
        )


_COLUMNS = "preprocess.columns: {{sequence: {}, labels: [{}]}}"


def _unknown(path: str, line: bytes, cells: list[bytes]) -> str:
    """What is wrong with a file of no known form, by what its first line looks like."""
    start = f"{path}: line 1 is {shown(line)}, which is neither FASTA nor BED nor a name and a"
    start += " sequence;"
    letters = [place for place, cell in enumerate(cells, 1) if _like_sequence(cell)]
    values = [place for place, cell in enumerate(cells, 1) if is_number(cell)]
    if letters and values:
        return f"{start} for a table without column names set " + _COLUMNS.format(
            letters[0], values[0]
        )
    titles = [cell.decode("utf-8", "replace") for cell in cells]
    near = [title for title in titles if title.lower() in SEQUENCE_WORDS]
    if near:
        return (
            f"{start} it looks like a header line (column names), so name the sequences' column,"
            f" as in preprocess.columns: {{sequence: {readable(near[0], 30)}}}, and those of labels"
        )
    return f"{start} for a table, name its columns in preprocess.columns"


def _like_sequence(cell: bytes) -> bool:
    return len(cell) > 1 and not cell.upper().translate(None, b"ACGTUN")


def read_features(path: str, told: Told) -> Iterator[Block]:
    """Yield the rows of a numeric table as records called by their number."""
    first = 1
    for array in NumberReader(path, "feature", told=told):
        names = [b"row %d" % number for number in range(first, first + len(array))]
        yield Block(path, first, names, [], features=array)
        first += len(array)


def _attach(stream: Iterator[Block], targets: NumberReader) -> Iterator[Block]:
    """Give each record its line of targets; the numbers of both must be equal."""
    records = 0
    path = ""
    for block in stream:
        path = block.path
        labels = targets.take(len(block))
        if len(labels) < len(block):
            total = records + len(block) + sum(map(len, stream))
            raise UserError(_unequal(targets.path, targets.rows, "targets", path, total))
        if block.labels is not None:
            raise UserError(
                f"{path}: has label columns, and {targets.path} gives targets too; keep one"
            )
        records += len(block)
        yield block.with_labels(labels)
    rest = targets.rest()
    if rest:
        raise UserError(_unequal(targets.path, records + rest, "targets", path, records))


def _unequal(path: str, found: int, what: str, other: str, expected: int) -> str:
    header = " (is its first line a header line?)" if found == expected + 1 else ""
    return (
        f"{path}: has {found} {what}, but {other} has {expected} records{header}; give one for each"
        " record, in the same order"
    )


def _pair(stream: Iterator[Block], others: Iterator[Block], other_path: str) -> Iterator[Block]:
    """Give each record the sequence of the same place in the paired file."""
    held: list[bytes] = []
    records, path = 0, ""
    for block in stream:
        path = block.path
        while len(held) < len(block):
            more = next(others, None)
            if more is None:
                found = records + len(held)
                total = records + len(block) + sum(map(len, stream))
                raise UserError(_unequal(other_path, found, "records", path, total))
            held.extend(more.sequences)
        yield replace(block, paired=held[: len(block)])
        held = held[len(block) :]
        records += len(block)
    found = records + len(held) + sum(map(len, others))
    if found != records:
        raise UserError(_unequal(other_path, found, "records", path, records))
