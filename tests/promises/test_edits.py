"""Promise 2: only what changed is done again; for each edit the exact jobs that run."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pytest
from support import REPOSITORY, Project, edit, table

Jobs = dict[str, int]

NOTHING: Jobs = {}
EVALUATION = {"evaluate": 1, "plot": 1, "report": 1, "manifest": 1}
PREDICTION = {"predict": 1, "manifest": 1}
BEHIND_TRAINING = {"select": 1} | EVALUATION | PREDICTION
TRAINING = {"bracket": 3} | BEHIND_TRAINING
SEARCH = {"plan": 1} | TRAINING


@dataclass(frozen=True)
class Row:
    """One edit and the jobs that it runs."""

    name: str
    edit: Callable[[Project], None]
    jobs: Jobs


def in_definition(old: str, new: str) -> Callable[[Project], None]:
    return lambda project: edit(project.folder / "def.py", old, new)


def in_module(old: str, new: str) -> Callable[[Project], None]:
    return lambda project: edit(project.folder / "features.py", old, new)


def reformat(project: Project) -> None:
    path = project.folder / "def.py"
    text = path.read_text().replace('"', "'").replace("'''", '"""')
    arguments = "(table[:, :4], table[:, 4], 50)"
    assert arguments in text
    text = text.replace(arguments, "(\n        table[:, :4],\n\n  table[:, 4],\n    50,\n    )")
    assert text != path.read_text()
    path.write_text(text)


def touch(path: Path) -> None:
    later = path.stat().st_mtime + 1000
    os.utime(path, (later, later))


def touch_inputs(project: Project) -> None:
    inputs = list((project.folder / "data").iterdir())
    inputs += [project.folder / name for name in ("def.py", "features.py", "config.yaml")]
    for path in inputs:
        touch(path)


def move_repository(project: Project) -> None:
    """As a fresh checkout in another place: each file has a new time."""
    moved = project.folder.parent / "moved repository"
    for name in ("workflow", "scripts", "dlutil_core", "config"):
        shutil.copytree(
            REPOSITORY / name, moved / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    for path in moved.rglob("*"):
        touch(path)
    project.repository = moved


def touch_all_but_results(project: Project) -> None:
    move_repository(project)
    touch_inputs(project)


def save(name: str, seed: int, rows: int = 120) -> Callable[[Project], None]:
    return lambda project: np.save(project.folder / "data" / name, table(seed, rows))


def change_training_data(project: Project) -> None:
    with h5py.File(project.folder / "data" / "train.h5", "r+") as file:
        file["table"][7, 2] += 1


def rewrite_training_data(project: Project) -> None:
    """The same bytes, written anew."""
    path = project.folder / "data" / "train.h5"
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content)


def add_prediction(project: Project) -> None:
    save("added.npy", 12)(project)
    project.configure(predict=["new.npy", "added.npy"])


def comment_in_config(project: Project) -> None:
    path = project.folder / "config.yaml"
    path.write_text(f"# a comment\n{path.read_text()}")


def configure(**changes: object) -> Callable[[Project], None]:
    return lambda project: project.configure(**changes)


TEST_TABLE = 'for_test(load(data_dir + "/test.npy"))'
VALID_TABLE = 'scaled(load(data_dir + "/valid.npy"))'
MODEL = "class Model(base_model.RegressionModel):\n"

IN_DEFINITION: list[tuple[str, str, str, Jobs]] = [
    # What cannot change a result.
    ("comment", "def trace(", "# of each epoch\ndef trace(", NOTHING),
    ("comment in the model", "super().init_model", "# ends\n        super().init_model", NOTHING),
    ("docstring", '"""Regression on four', '"""A regression on four', NOTHING),
    ("docstring of a class", MODEL, MODEL + '    """A small network."""\n\n', NOTHING),
    # One stage's part.
    ("get_test_generator", TEST_TABLE, TEST_TABLE + "[1:]", EVALUATION),
    ("helper of the test", "return table * 1.0  # test", "return table * 2.0", EVALUATION),
    ("get_pred_generator", "load(pred_path)", "load(pred_path)[1:]", PREDICTION),
    ("helper of the prediction", "return table * 1.0  # pred", "return table * 2.0", PREDICTION),
    ("save_prediction", "for_saving(Y)\n", "for_saving(Y + 1)\n", PREDICTION),
    ("helper of save_prediction", "return Y * 1.0", "return Y * 2.0", PREDICTION),
    ("get_config", "[4, 8, 16]", "[4, 8, 32]", SEARCH),
    ("Model", "nn.ReLU()", "nn.Tanh()", SEARCH),
    ("a method of Model", "self.epoch += 1", "self.epoch = self.epoch + 1", SEARCH),
    ("get_train_generator", "batch_size, shuffle=True)", "batch_size)", SEARCH),
    ("get_val_generator", VALID_TABLE, VALID_TABLE + "[1:]", SEARCH),
    (
        "a new statement",
        "def load(path):",
        "torch.set_printoptions(4)\n\n\ndef load(path):",
        SEARCH,
    ),
]

ROWS = [
    Row("nothing", lambda project: None, NOTHING),
    *[Row(name, in_definition(old, new), jobs) for name, old, new, jobs in IN_DEFINITION],
    Row("a module that def.py imports", in_module("FACTOR = 1.0", "FACTOR = 2.0"), SEARCH),
    # What cannot change a result.
    Row("reformatted", reformat, NOTHING),
    Row("comment in a module", in_module("def scaled", "# again\ndef scaled"), NOTHING),
    Row("comment in the config", comment_in_config, NOTHING),
    Row("touched inputs", touch_inputs, NOTHING),
    Row("training data written anew", rewrite_training_data, NOTHING),
    Row("moved repository, new times", move_repository, NOTHING),
    Row("all of it touched", touch_all_but_results, NOTHING),
    Row("a new file that nothing reads", save("other.npy", 9), NOTHING),
    # Data.
    Row("training data", change_training_data, TRAINING),
    Row("validation data", save("valid.npy", 10), TRAINING),
    Row("test data", save("test.npy", 10), EVALUATION),
    Row("a predicted file", save("new.npy", 10), PREDICTION),
    Row("a file to predict added", add_prediction, PREDICTION),
    Row("a file to predict left out", configure(predict=[]), {"manifest": 1}),
    # The config.
    Row("seed", configure(seed=4), SEARCH),
    Row("a named environment variable", configure(env={"DLUTIL_TEST_UNITS": "amperes"}), SEARCH),
    Row("batch size", configure(batch_size=40), TRAINING),
    Row("max_epochs", configure(search={"max_epochs": 27}), SEARCH | {"bracket": 4}),
    Row(
        "max_epochs and eta", configure(search={"max_epochs": 3, "eta": 9}), SEARCH | {"bracket": 1}
    ),
    Row("keep_checkpoints", configure(keep_checkpoints="survivors"), {"prune": 1}),
]


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A finished project with a file above Snakemake's own limit of 1 MB for hashing inputs."""
    project = Project.make(tmp_path_factory.mktemp("large") / "project")
    save("new.npy", 8, 60_000)(project)
    assert (project.folder / "data" / "new.npy").stat().st_size > 1_000_000
    project.succeed()
    return project


@pytest.mark.parametrize("row", ROWS, ids=[row.name.replace(" ", "-") for row in ROWS])
def test_jobs_of_an_edit(row: Row, large: Project, tmp_path: Path, tally: Counter[str]) -> None:
    project = large.copy(tmp_path / "another place")
    row.edit(project)
    assert dict(project.would_run()) == row.jobs
    tally["edits"] += 1


@pytest.mark.slow
def test_the_dry_run_is_true(finished: Project, tmp_path: Path, tally: Counter[str]) -> None:
    """A file added, then the test edited, for real: those jobs alone, and no epoch is trained."""
    project = finished.copy(tmp_path / "project")
    project.forget_epochs()
    add_prediction(project)
    assert dict(project.succeed().ran) == PREDICTION
    in_definition('load(data_dir + "/test.npy")', 'load(data_dir + "/test.npy")[1:]')(project)
    metrics = (project.result / "test" / "metrics.json").read_text()
    assert dict(project.succeed().ran) == EVALUATION
    assert (project.result / "test" / "metrics.json").read_text() != metrics
    assert project.would_run() == Counter()
    assert project.epochs() == []
    assert len(project.manifest.splitlines()) == len(finished.manifest.splitlines()) + 2
    tally["edits"] += 2


@pytest.mark.slow
def test_a_touched_project_keeps_its_manifest(finished: Project, tmp_path: Path) -> None:
    project = finished.copy(tmp_path / "project")
    project.forget_epochs()
    touch_all_but_results(project)
    assert not project.succeed().ran
    assert project.manifest == finished.manifest
    assert project.epochs() == []


@pytest.mark.slow
def test_without_data_files_what_is_read_counts_and_nothing_else(tmp_path: Path) -> None:
    search = {"max_epochs": 1}
    project = Project.make(tmp_path / "project", data_files={}, search=search, predict=[])
    project.succeed()
    save("other.npy", 9)(project)
    (project.folder / "data" / "notes.txt~").write_text("an editor's backup")
    assert project.would_run() == Counter()
    save("test.npy", 10)(project)
    assert dict(project.would_run()) == EVALUATION
    change_training_data(project)
    assert dict(project.would_run()) == {"bracket": 1, "select": 1} | EVALUATION
