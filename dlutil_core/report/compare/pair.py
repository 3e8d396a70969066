"""Two results that were tested on the same records."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dlutil_core.common.errors import UserError
from dlutil_core.common.files import read_json
from dlutil_core.common.hashes import sha256_file
from dlutil_core.common.identity import Identity, identity_path
from dlutil_core.common.paths import natural_key
from dlutil_core.common.result_folder import TEST_OUTPUTS, TEST_PROVENANCE
from dlutil_core.loaders.hdf5 import read_names
from dlutil_core.report.tasks import OTHER, Task, read_task
from dlutil_core.trained.run_note import noted_data


@dataclass(frozen=True)
class Pair:
    """Predictions of two models for the same records, in the same order.

    Parameters
    ----------
    a, b
        Labels, which are equal, and predictions.
    names
        What to call the two: the folders as they were given.
    """

    a: Task
    b: Task
    names: tuple[str, str]

    @property
    def records(self) -> int:
        """How many records both were tested on."""
        return self.a.records


def read_pair(first: Path, second: Path) -> Pair:
    """The test results of two result folders.

    Raises
    ------
    UserError
        A folder holds no test, or one that was edited; the records differ, or cannot be told to be
        the same; labels and predictions are of different kinds.
    """
    for folder in (first, second):
        _check_test(folder)
    labels = [_labels(folder / TEST_OUTPUTS) for folder in (first, second)]
    _check_same_labels(first, second, *labels)
    if not _same_data(first, second):
        raise UserError(
            f"{first} and {second}: were tested on different files, so their records may not be "
            "the same ones; test both on the same data folder"
        )
    a, b = (read_task(folder / TEST_OUTPUTS) for folder in (first, second))
    for folder, task in ((first, a), (second, b)):
        if task.kind == OTHER:
            raise UserError(
                f"{folder}: its predictions are of no kind that has metrics (several tasks, or a "
                "shape of their own), so there is nothing to compare"
            )
    if (a.kind, a.truth.shape) != (b.kind, b.truth.shape):
        raise UserError(
            f"{first} and {second}: predict different things, {_told(a)} and {_told(b)}; compare "
            "models of the same task"
        )
    return Pair(a, b, (str(first), str(second)))


def _told(task: Task) -> str:
    return f"{task.kind} with {task.truth.shape[1]} column{'s'[: task.truth.shape[1] != 1]}"


def _check_test(folder: Path) -> None:
    if not (folder / TEST_OUTPUTS).is_file():
        raise UserError(
            f"{folder}: holds no test of a model ({TEST_OUTPUTS}); give a result folder of a run "
            "with evaluate: true"
        )
    identity = Identity.read(identity_path(folder, "test"))
    if identity is None:
        return
    for name in (TEST_OUTPUTS, TEST_PROVENANCE):
        wanted = identity.outputs.get(name)
        path = folder / name
        if wanted is not None and (not path.is_file() or sha256_file(path) != wanted):
            raise UserError(
                f"{path}: is not what the test wrote; run the command of this result again, which "
                "makes it anew"
            )


def _labels(outputs: Path) -> dict[str, np.ndarray]:
    with np.load(outputs) as arrays:
        return {n: arrays[n] for n in arrays.files if n.split(".")[0] == "y_true"}


def _check_same_labels(
    first: Path, second: Path, a: dict[str, np.ndarray], b: dict[str, np.ndarray]
) -> None:
    for name in sorted(a.keys() | b.keys()):
        if name not in a or name not in b:
            raise UserError(f"{first} and {second}: only one of them has labels called {name}")
        x, y = (v.reshape(len(v), -1) for v in (a[name], b[name]))
        if len(x) != len(y):
            raise UserError(
                f"{first} and {second}: were tested on {len(x)} and {len(y)} records; compare "
                "models that were tested on the same ones"
            )
        if x.shape != y.shape:
            raise UserError(
                f"{first} and {second}: have {x.shape[1]} and {y.shape[1]} labels a record; "
                "compare models that were tested on the same ones"
            )
        differs = ~((x == y) | (_missing(x) & _missing(y))).all(axis=1)
        if differs.any():
            raise UserError(
                f"{first} and {second}: the labels of test record {int(differs.argmax())} (counted "
                "from 0) differ; compare models that were tested on the same records in the same "
                "order"
            )


def _missing(values: np.ndarray) -> np.ndarray:
    missing: np.ndarray = values != values  # NaN alone, of any dtype
    return missing


def _same_data(first: Path, second: Path) -> bool:
    """Whether both tests read files of the same contents, or records of the same names."""
    a, b = _tested_on(first), _tested_on(second)
    if set(a.values()) == set(b.values()):
        return True
    names = [_record_names(folder, files) for folder, files in ((first, a), (second, b))]
    return names[0] is not None and names[0] == names[1]


def _tested_on(folder: Path) -> dict[str, str]:
    """Hashes of the files that a test read below its data folder, by name."""
    found = read_json(folder / TEST_PROVENANCE).get("data_sha256")
    return found if isinstance(found, dict) else {}


def _record_names(folder: Path, files: dict[str, str]) -> list[str] | None:
    """Names of the test records, in order; `None` where the files are gone, edited or nameless."""
    data = noted_data(folder)
    names: list[str] = []
    for name in sorted(files, key=natural_key):
        path = data / name if data is not None else None
        if path is None or not path.is_file() or sha256_file(path) != files[name]:
            return None
        found = read_names(str(path)) if path.suffix in (".h5", ".hdf5") else None
        if found is None:
            return None
        names += found
    # Numbers may be counted in any file, so they name nothing.
    return None if all(name.isdigit() for name in names) else names
