"""Generates Friedman's first regression problem as a table.

    python make_data.py DIR [--rows 500] [--seed 1]

writes five CSV files, each with a header row and comma-separated numbers of six decimals:

=============  ======  ======================================================================
file           rows    columns
=============  ======  ======================================================================
X_train.csv    --rows  x0 … x9, independent and uniform on [0, 1]
y_train.csv    --rows  y = 10 sin(pi x0 x1) + 20 (x2 - 1/2)^2 + 10 x3 + 5 x4 + N(0, 1)
X_test.csv     500     as X_train.csv
y_test.csv     500     as y_train.csv
X_pred.csv     100     as X_train.csv, without targets
=============  ======  ======================================================================

The last five features have no influence. The noise has standard deviation 1, so the mean squared
error of no model is below 1 on average; the targets' variance is about 25.

Source of the function: J. H. Friedman (1991), Multivariate adaptive regression splines, The Annals
of Statistics 19(1), section 4.3.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import numpy as np

FEATURES = 10
TEST_ROWS = 500
PRED_ROWS = 100


def friedman1(x: np.ndarray) -> np.ndarray:
    """The function without noise: (N, 10) features in [0, 1] to (N,) values."""
    return (
        10 * np.sin(np.pi * x[:, 0] * x[:, 1])
        + 20 * (x[:, 2] - 0.5) ** 2
        + 10 * x[:, 3]
        + 5 * x[:, 4]
    )


def sample(rows: int, seed: int, part: int) -> tuple[np.ndarray, np.ndarray]:
    """Features (rows, 10) and noisy targets (rows,) of one part of the data.

    Each part has random numbers of its own, so that another number of training rows leaves the test
    set as it is. `RandomState` and not `default_rng`: numpy promises its stream for every version.
    """
    random = np.random.RandomState([seed, part])
    # Rounded before use, so that the targets belong to the very numbers that the files hold.
    x = random.uniform(size=(rows, FEATURES)).round(6)
    return x, friedman1(x) + random.standard_normal(rows)


def write(path: Path, header: list[str], table: np.ndarray) -> None:
    """Write a table of shape (rows, columns), whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        np.savetxt(temporary, table, "%.6f", ",", header=",".join(header), comments="")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def make(directory: Path, rows: int, seed: int) -> None:
    """Write the five files into `directory`, which is made where it is missing."""
    directory.mkdir(parents=True, exist_ok=True)
    names = [f"x{i}" for i in range(FEATURES)]
    for part, (name, count) in enumerate(
        [("train", rows), ("test", TEST_ROWS), ("pred", PRED_ROWS)]
    ):
        x, y = sample(count, seed, part)
        write(directory / f"X_{name}.csv", names, x)
        if name != "pred":
            write(directory / f"y_{name}.csv", ["y"], y[:, None])


def main() -> None:
    """Parse the command line and write the files."""
    parser = argparse.ArgumentParser(description="Write Friedman's first problem as CSV files.")
    parser.add_argument("directory", metavar="DIR", type=Path, help="folder for the five files")
    parser.add_argument("--rows", type=int, default=500, help="training rows (default 500)")
    parser.add_argument("--seed", type=int, default=1, help="of the random numbers (default 1)")
    arguments = parser.parse_args()
    if arguments.rows < 1:
        parser.error(f"--rows {arguments.rows}: give a number of rows of at least 1")
    if not 0 <= arguments.seed < 2**32:
        parser.error(f"--seed {arguments.seed}: give a whole number from 0 to 4294967295")
    try:
        make(arguments.directory, arguments.rows, arguments.seed)
    except OSError as error:
        place = error.filename or arguments.directory
        sys.exit(f"error: {place}: cannot be written ({error.strerror}); choose another folder")


if __name__ == "__main__":
    main()
