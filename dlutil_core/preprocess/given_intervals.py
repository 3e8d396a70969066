"""Intervals in a data frame, cut from the genome as the lines of a BED file are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from dlutil_core.common.errors import UserError
from dlutil_core.preprocess.kept_encoding import FEATURES, OWN, KeptEncoding
from dlutil_core.preprocess.read.bed_rows import title_order
from dlutil_core.preprocess.read.blocks import Block
from dlutil_core.preprocess.read.cells import Row
from dlutil_core.preprocess.read.sources import SourceReader

FRAME = "the data frame"
STRAND = "strand"
SUMMITS = ("peak", "relsummit")
"""Titles of a summit counted from the start: those of narrowPeak's own table and of bioframe."""


def are_intervals(given: Any, encoding: KeptEncoding) -> bool:
    """Whether a data frame tells places of the genome that the model's training data were cut from.

    Columns of sequences, where it has them too, are taken before places.
    """
    if encoding.genome is None or encoding.kind in (FEATURES, OWN):
        return False
    if not (hasattr(given, "iloc") and hasattr(given, "columns")):
        return False
    titles = _titles(given)
    wanted = str((encoding.columns or {}).get("sequence") or "sequence").lower()
    return wanted not in titles and title_order([title.encode() for title in titles]) is not None


def interval_blocks(frame: Any, reader: SourceReader) -> Iterator[Block]:
    """The sequences of a data frame's intervals, cut as the lines of a BED file are.

    Parameters
    ----------
    frame
        With columns of chromosome, start (from 0) and end, whatever their order; `strand`, and
        `peak` or `relSummit` where windows are centred on summits.
    reader
        With the options of the training data, and the genome.

    Raises
    ------
    UserError
        A place is none of the genome, or its window is one that training left out.
    """
    if not len(frame):
        raise UserError(f"{FRAME}: there is no record to predict; give at least one")
    for block in reader.intervals(FRAME, _rows(frame)):
        dropped = [k for k, letters in enumerate(block.sequences) if not letters]
        if dropped:
            row = block.first + dropped[0]
            raise UserError(
                f"{FRAME}: row {row} ({block.names[dropped[0]].decode()}) makes a window past the"
                " chromosome's end, which training left out (preprocess.outside is drop); remove"
                " the row, since each one has a prediction"
            )
        yield block


def _rows(frame: Any) -> list[Row]:
    titles = _titles(frame)
    order = title_order([title.encode() for title in titles])
    assert order is not None
    columns = [_cells(frame, place) for place in order]
    count = len(frame)
    strands = _cells(frame, titles.index(STRAND)) if STRAND in titles else [b"."] * count
    columns += [[b"."] * count, [b"0"] * count, strands]
    summit = next((titles.index(title) for title in SUMMITS if title in titles), None)
    if summit is not None:
        columns += [[b"0"] * count, [b"-1"] * count, [b"-1"] * count, _cells(frame, summit)]
    return list(enumerate((list(cells) for cells in zip(*columns, strict=True)), 1))


def _titles(frame: Any) -> list[str]:
    return [str(title).strip().lower() for title in frame.columns]


def _cells(frame: Any, place: int) -> Sequence[bytes]:
    return [str(value).strip().encode("utf-8", "replace") for value in frame.iloc[:, place]]
