"""Valid odd files of intervals and sequences: what comes out is what a slow reader says."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin  # noqa: F401
import numpy as np
import odd_intervals
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from odd_intervals import Case, Refused

from dlutil_core.common.errors import UserError
from dlutil_core.preprocess.pipeline import preprocess

EXAMPLES = 30 if settings().max_examples <= 100 else 2500
SETTINGS = settings(
    max_examples=EXAMPLES,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    deadline=None,
)


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def run(case: Case, folder: Path) -> dict[str, dict[str, np.ndarray]]:
    """Write the files, preprocess, and return the arrays of each set."""
    for name, raw in case.files.items():
        (folder / name).write_bytes(raw)
    preprocess(rooted(case.section, folder, set(case.files)), folder / "data", 1)
    found = {}
    for path in (folder / "data").glob("*.h5"):
        with h5py.File(path) as file:
            found[path.stem] = {key: file[key][:] for key in file}
    return found


def rooted(value: Any, folder: Path, names: set[str]) -> Any:
    if isinstance(value, dict):
        return {key: rooted(v, folder, names) for key, v in value.items()}
    return str(folder / value) if isinstance(value, str) and value in names else value


def texts(array: np.ndarray) -> list[str]:
    return [value.decode() for value in array.tolist()]


def letters(array: np.ndarray) -> list[str]:
    best = np.where(array.any(axis=1), array.argmax(axis=1), 4)[:, 0]
    return ["".join("ACGTN"[code] for code in row) for row in best]


def fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


@given(st.integers(0, 2**40))
@SETTINGS
def test_valid_intervals(tmp_path: Path, seed: int) -> None:
    folder = fresh(tmp_path / "case")
    case = odd_intervals.intervals(seed, folder)
    try:
        expected = odd_intervals.expected_intervals(case)
    except Refused:
        with pytest.raises(UserError):
            run(case, folder)
        return
    made = run(case, folder)["train"]
    assert texts(made["interval"]) == [interval for _, _, interval, _ in expected]
    assert letters(made["data"]) == [sequence for _, sequence, _, _ in expected]
    assert texts(made["name"]) == [name.strip() for name, _, _, _ in expected]
    if "label" in made:
        assert made["label"].ravel().tolist() == [number for _, _, _, number in expected]


@given(st.integers(0, 2**40))
@SETTINGS
def test_valid_sequences(tmp_path: Path, seed: int) -> None:
    folder = fresh(tmp_path / "case")
    case = odd_intervals.sequences(seed)
    try:
        expected = odd_intervals.expected_sets(case)
    except Refused:
        with pytest.raises(UserError):
            run(case, folder)
        return
    made = run(case, folder)
    assert {
        n: list(zip(texts(s["name"]), letters(s["data"]), strict=True)) for n, s in made.items()
    } == expected
