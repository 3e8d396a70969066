"""What preprocessing makes of valid odd files, against the plain reader."""

from __future__ import annotations

import gzip
import shutil
import tempfile
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin  # noqa: F401
import numpy as np
import plain_reader
import valid_tables

from dlutil_core.common.errors import UserError
from dlutil_core.preprocess.pipeline import preprocess
from dlutil_core.preprocess.read import text_files

AMBIGUOUS = (
    "make windows past a chromosome's end",
    "may be columns or a ",
    "are they names",
    "header line",
    "a number, but",
)
"""Of what is refused, the sentences that say that a file has two meanings, or no record left."""


def check(case: valid_tables.Case, block: int) -> str:
    """Read the files in blocks of so many bytes; equal arrays, or refused for two meanings.

    Returns
    -------
    The kind of the files, with `` refused`` behind it where they were.
    """
    folder = Path(tempfile.mkdtemp())
    before, text_files.BLOCK_BYTES = text_files.BLOCK_BYTES, block
    try:
        made = _made(case, folder)
    finally:
        text_files.BLOCK_BYTES = before
        shutil.rmtree(folder)
    if made:
        _compare(case, made)
    return case.kind if made else f"{case.kind} refused"


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
    if case.kind == "bed":
        _compare_bed(case, made["train"])
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


def _compare_bed(case: valid_tables.Case, made: dict[str, Any]) -> None:
    genome, name = {}, ""
    for line in case.files["g.fa"].decode().split("\n"):
        if line.startswith(">"):
            name = line[1:].split()[0]
        genome[name] = genome.get(name, "") + (line if line[:1] != ">" else "")
    file = next(file for file in case.files if file != "g.fa")
    names, sequences, places, rows = plain_reader.intervals(
        _plain(case, file), genome, case.section["window"], case.section["outside"]
    )
    assert np.array_equal(made["data"], plain_reader.onehot(sequences))
    assert [text.decode() for text in made["name"].tolist()] == names
    assert [text.decode() for text in made["interval"].tolist()] == places
    if case.columns:
        [expected], _ = plain_reader.labels([[[row[k] for k in case.columns] for row in rows]], [])
        assert np.array_equal(made["label"], expected.astype(made["label"].dtype))
    else:
        assert "label" not in made
