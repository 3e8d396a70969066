"""The data of the examples: what is shipped is as published, what is made is reproducible."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
MAKE_DATA = EXAMPLES / "function_regressor" / "make_data.py"
FILES = ["X_pred.csv", "X_test.csv", "X_train.csv", "y_test.csv", "y_train.csv"]


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(MAKE_DATA), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def read(folder: Path, name: str) -> np.ndarray:
    return np.loadtxt(folder / name, delimiter=",", skiprows=1)


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("friedman") / "data"
    assert run(folder).returncode == 0
    return folder


def test_peaks_are_the_published_ones() -> None:
    raw = EXAMPLES / "conv_seq_classifier" / "raw_data"
    data = (raw / "ctcf_peaks.fa").read_bytes()
    assert hashlib.sha256(data).hexdigest() in (raw / "README.md").read_text()
    lines = data.decode().splitlines()
    assert len(lines) == 1000 and {len(sequence) for sequence in lines[1::2]} == {200}


def test_table_has_the_documented_files_and_sizes(made: Path) -> None:
    assert sorted(path.name for path in made.iterdir()) == FILES
    shapes = [read(made, name).shape for name in FILES]
    assert shapes == [(100, 10), (500, 10), (500, 10), (500,), (500,)]
    assert (made / "X_train.csv").read_text().splitlines()[0] == ",".join(
        f"x{i}" for i in range(10)
    )
    assert (made / "y_train.csv").read_text().splitlines()[0] == "y"


@pytest.mark.parametrize("part", ["train", "test"])
def test_targets_are_the_function_and_unit_noise(made: Path, part: str) -> None:
    x, y = read(made, f"X_{part}.csv"), read(made, f"y_{part}.csv")
    clean = 10 * np.sin(np.pi * x[:, 0] * x[:, 1]) + 20 * (x[:, 2] - 0.5) ** 2
    noise = y - (clean + 10 * x[:, 3] + 5 * x[:, 4])
    assert abs(noise.mean()) < 0.2
    assert 0.85 < noise.std() < 1.15
    assert x.min() >= 0 and x.max() <= 1


def test_same_seed_gives_the_same_bytes(made: Path, tmp_path: Path) -> None:
    run(tmp_path / "again")
    assert bytes_of(tmp_path / "again") == bytes_of(made)


def test_rows_change_the_training_files_alone(made: Path, tmp_path: Path) -> None:
    run(tmp_path, "--rows", 20)
    changed = {name for name, data in bytes_of(tmp_path).items() if data != bytes_of(made)[name]}
    assert changed == {"X_train.csv", "y_train.csv"}
    assert read(tmp_path, "X_train.csv").shape == (20, 10)


def test_another_seed_gives_other_data_everywhere(made: Path, tmp_path: Path) -> None:
    run(tmp_path, "--seed", 2)
    assert all(data != bytes_of(made)[name] for name, data in bytes_of(tmp_path).items())


@pytest.mark.parametrize(
    ("arguments", "named"), [(["--rows", 0], "--rows 0"), (["--seed", -1], "--seed -1")]
)
def test_wrong_numbers_are_a_sentence(tmp_path: Path, arguments: list, named: str) -> None:
    result = run(tmp_path / "data", *arguments)
    assert result.returncode != 0 and named in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "data").exists()


def test_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = run(tmp_path / "file" / "data")
    assert result.returncode == 1
    assert str(tmp_path / "file") in result.stderr and "Traceback" not in result.stderr
