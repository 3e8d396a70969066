"""Records that are in memory, texts and data frames, as the blocks that files are read into."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from dlutil_core.common.errors import UserError
from dlutil_core.preprocess.kept_encoding import FEATURES, OWN, KeptEncoding
from dlutil_core.preprocess.read.blocks import Block
from dlutil_core.preprocess.read.feature_columns import FeatureColumns
from dlutil_core.preprocess.read.tables import listed, place_of

SEQUENCES, FRAME = "the sequences", "the data frame"
BLOCK = 4096
TRAINED_TABLE = "the table that the model was trained on"


def given_blocks(given: Any, encoding: KeptEncoding) -> Iterator[Block]:
    """The records in their order.

    Parameters
    ----------
    given
        A text; a list, array or Series of texts; two of these for pairs; or a data frame.
    encoding
        How the training data were encoded.

    Raises
    ------
    UserError
        The records are not of the kind that the model takes.
    """
    if encoding.kind == OWN:
        raise UserError(
            "the model's training files were not made by preprocess, so texts and data frames"
            " cannot be encoded for it; give an array in the shape that its network takes"
        )
    frame = _is_frame(given)
    if encoding.kind == FEATURES:
        if not frame:
            raise UserError(
                "the model was trained on a table of numbers, not on sequences; give a data frame"
                " with its columns, or an array"
            )
        return _feature_blocks(given, encoding)
    columns = _columns_of(given, encoding) if frame else _lists(given)
    return _text_blocks(FRAME if frame else SEQUENCES, columns, encoding.shape[1])


def _is_frame(given: Any) -> bool:
    return hasattr(given, "iloc") and hasattr(given, "columns")


def _lists(given: Any) -> list[list[Any]]:
    """The texts of each input."""
    if isinstance(given, str):
        return [[given]]
    items = list(given)
    if not any(isinstance(item, str) for item in items):
        if any(_is_frame(item) for item in items):
            raise UserError("the model takes one data frame, not a list of them")
        return [[part] if isinstance(part, str) else list(part) for part in items]
    return [items]


def _text_blocks(where: str, columns: list[list[Any]], wanted: int) -> Iterator[Block]:
    if len(columns) != wanted:
        takes = "pairs of sequences" if wanted == 2 else "one sequence a record"
        form = "give [firsts, seconds]" if wanted == 2 else "give one list of texts"
        raise UserError(f"the model takes {takes}, but {where} are {len(columns)} lists; {form}")
    counts = {len(column) for column in columns}
    if len(counts) > 1:
        told = " and ".join(str(len(column)) for column in columns)
        raise UserError(f"the lists of a model of pairs have {told} sequences; give equally many")
    if counts == {0}:
        raise UserError(f"{where}: there is no record to predict; give at least one")
    letters = [[_letters(where, k, text) for k, text in enumerate(part)] for part in columns]
    for start in range(0, len(letters[0]), BLOCK):
        cut = slice(start, start + BLOCK)
        names = [b"index %d" % k for k in range(start, start + len(letters[0][cut]))]
        paired = letters[1][cut] if wanted == 2 else None
        yield Block(where, start + 1, names, letters[0][cut], paired=paired)


def _letters(where: str, index: int, text: Any) -> bytes:
    if not isinstance(text, str):
        raise UserError(
            f"{where}: record {index + 1} (index {index}) is {text!r:.40}, but must be a text of"
            " letters"
        )
    found = "".join(text.split()).encode("latin-1", "replace")
    if not found:
        raise UserError(f"{where}: record {index + 1} (index {index}) is empty; remove it")
    return found


def _columns_of(frame: Any, encoding: KeptEncoding) -> list[list[Any]]:
    """The columns of sequences: those that the training table had them in."""
    titles = [str(title) for title in frame.columns]
    kept = encoding.columns or {}
    wanted = [kept.get("sequence") or "sequence"]
    if encoding.shape[1] == 2:
        if not kept.get("paired"):
            raise UserError("the model takes pairs of two files; give [firsts, seconds], two lists")
        wanted.append(kept["paired"])
    return [frame.iloc[:, _place(titles, column)].tolist() for column in wanted]


def _place(titles: Sequence[str], column: str | int) -> int:
    """Where a column is, by its name or its number from 1, as in a table."""
    if isinstance(column, int):
        place = column - 1 if column <= len(titles) else -1
    else:
        place = place_of(FRAME, list(titles), column)
    if place < 0:
        raise UserError(
            f"{FRAME}: has no column {column!r} of sequences, but {listed(list(titles))}; name it"
            " so, or give the sequences as a list"
        )
    return place


def _feature_blocks(frame: Any, encoding: KeptEncoding) -> Iterator[Block]:
    titles = [str(title).strip() for title in frame.columns]
    columns = FeatureColumns(
        list(encoding.features), TRAINED_TABLE, encoding.shape[-1], needed=True
    )
    columns.check(FRAME, titles if encoding.features else [], len(titles))
    if not len(frame):
        raise UserError(f"{FRAME}: there is no record to predict; give at least one")
    values = np.column_stack([_numbers(frame, k, title) for k, title in enumerate(titles)])
    for start in range(0, len(values), BLOCK):
        rows = values[start : start + BLOCK]
        names = [b"row %d" % k for k in range(start + 1, start + 1 + len(rows))]
        yield Block(FRAME, start + 1, names, [], features=rows)


def _numbers(frame: Any, place: int, title: str) -> np.ndarray:
    """A column as float64; what is missing or no number is refused, as in a file."""
    try:
        values: np.ndarray = frame.iloc[:, place].to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise UserError(f"{FRAME}: the column {title} holds no numbers ({error})") from None
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        raise UserError(
            f"{FRAME}: the column {title} has {values[bad[0]]} in row {bad[0] + 1}, but the model"
            " takes finite numbers; fill it in or remove the row"
        )
    return values
