"""Valid odd files give the arrays that a slow plain reader gives, or are refused as ambiguous."""

from __future__ import annotations

import gzip
import logging
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import plain_reader
import pytest
import valid_tables
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dlutil_core.common.errors import UserError
from dlutil_core.preprocess.pipeline import preprocess
from dlutil_core.preprocess.read import text_files

OUTCOMES: Counter[str] = Counter()
EXAMPLES = max(60, 10 * settings().max_examples if settings().max_examples >= 500 else 0)
"""A few dozen in a plain run; 5,000 in the profile `fuzz`."""

AMBIGUOUS = ("may be columns or a number", "are they names", "header line", "a number, but")
"""Of what is refused, the sentences that say that a file has two meanings."""


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@given(valid_tables.any_case, st.sampled_from([9, 200, 1 << 19]))
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
def test_valid_tables_are_read_as_the_plain_reader_reads_them(
    case: valid_tables.Case, block: int
) -> None:
    folder = Path(tempfile.mkdtemp())
    before, text_files.BLOCK_BYTES = text_files.BLOCK_BYTES, block
    try:
        made = _made(case, folder)
    finally:
        text_files.BLOCK_BYTES = before
        shutil.rmtree(folder)
    OUTCOMES[case.kind if made else f"{case.kind} refused"] += 1
    if made:
        _compare(case, made)


def test_few_of_them_are_refused() -> None:
    """The files are made to be valid; those with two meanings are the exception."""
    refused = sum(count for kind, count in OUTCOMES.items() if kind.endswith("refused"))
    print(dict(OUTCOMES))
    assert OUTCOMES and refused < 0.2 * sum(OUTCOMES.values()), OUTCOMES


def _made(case: valid_tables.Case, folder: Path) -> dict[str, dict[str, Any]]:
    """The arrays of each set, or nothing where a file is refused for its two meanings."""
    for name, raw in case.files.items():
        (folder / name).write_bytes(raw)
    try:
        preprocess(_rooted(case.section, folder, set(case.files)), folder / "data", 1)
    except UserError as error:
        assert any(words in str(error) for words in AMBIGUOUS), error
        return {}
    made = {}
    for name in case.sets:
        with h5py.File(folder / "data" / f"{name}.h5") as file:
            made[name] = {key: file[key][:] for key in file} | {"attrs": dict(file.attrs)}
    return made


def _rooted(value: Any, folder: Path, names: set[str]) -> Any:
    if isinstance(value, dict):
        return {key: _rooted(v, folder, names) for key, v in value.items()}
    return str(folder / value) if isinstance(value, str) and value in names else value


def _plain(case: valid_tables.Case, name: str) -> bytes:
    raw = case.files[name]
    return gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw


def _compare(case: valid_tables.Case, made: dict[str, dict[str, Any]]) -> None:
    if case.kind == "features":
        expected = plain_reader.features(_plain(case, "x.txt"))
        assert np.array_equal(made["new"]["data"][:, 0, 0], expected)
        return
    files = ["a.t"] if case.kind == "targets" else [f"{name}.csv" for name in case.sets]
    cells = []
    for file, name in zip(files, case.sets, strict=True):
        blank = case.kind == "targets" and "" in case.missing
        rows = plain_reader.Table(_plain(case, file), blank).rows[
            int(case.sequence >= 0 and case.header) :
        ]
        if case.sequence >= 0:
            sequences = [row[case.sequence] for row in rows]
            assert np.array_equal(made[name]["data"], plain_reader.onehot(sequences))
        cells.append([[row[k] for k in case.columns] for row in rows])
    arrays, classes = plain_reader.labels(cells, case.missing)
    dtype = plain_reader.dtype_of(arrays)
    for name, expected in zip(case.sets, arrays, strict=True):
        found = made[name]["label"]
        assert found.dtype == dtype
        assert np.array_equal(found, expected.astype(dtype), equal_nan=True)
        for k, names in enumerate(classes):
            key = "classes" if len(classes) == 1 else f"classes.{k}"
            told = made[name]["attrs"].get(key)
            assert (None if told is None else [t.decode() for t in told.tolist()]) == names
