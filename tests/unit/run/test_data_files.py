"""Which files below the data folder a run is known to need."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from run_project import run_of

from dlutil_core.common.errors import UserError

pytestmark = pytest.mark.usefixtures("here")


def test_without_data_files_nothing_is_known_before_it_is_read() -> None:
    wanted = ["new/a.npy", "test.h5.batch2", "test.h5.batch10", "train.h5", "valid.h5"]
    assert run_of().files.of_stage("train") == run_of().files.of_stage("test") == []
    assert run_of().files.available == wanted


def test_data_files_say_what_a_stage_reads() -> None:
    made = run_of(data_files={"train": ["train.h5", "valid*"], "test": ["test.h5*"]})
    assert made.files.of_stage("train") == ["train.h5", "valid.h5"]
    assert made.files.of_stage("test") == ["test.h5.batch2", "test.h5.batch10"]
    with pytest.raises(UserError, match=r"data_files\.train: 'x\*' matches no file under data"):
        run_of(data_files={"train": ["x*"]}).files.of_stage("train")


def test_the_result_folder_below_data_is_no_data() -> None:
    Path("data/out/best").mkdir(parents=True)
    Path("data/out/best/model.pt").write_text("")
    assert "out/best/model.pt" not in run_of(result="data/out").files.available
    assert "out/best/model.pt" in run_of().files.available


@pytest.mark.parametrize(
    ("patterns", "found"),
    [
        (["test.h5*"], ["test.h5.batch2", "test.h5.batch10"]),
        (["test.h5.batch10", "test.h5*"], ["test.h5.batch2", "test.h5.batch10"]),
        (["new/*"], ["new/a.npy"]),
        (["**/*.npy"], ["new/a.npy"]),
        (["./new/../train.h5"], ["train.h5"]),
        (["*"], ["test.h5.batch2", "test.h5.batch10", "train.h5", "valid.h5"]),
    ],
)
def test_predict_takes_files_and_globs_in_natural_order(
    patterns: list[str], found: list[str]
) -> None:
    assert run_of(predict=patterns).files.predicted == found


def test_an_absolute_path_below_data_is_one_below_data() -> None:
    assert run_of(predict=[os.path.abspath("data/train.h5")]).files.predicted == ["train.h5"]


@pytest.mark.parametrize("pattern", ["../def.py", "new/../../def.py", "/etc/passwd", ".."])
def test_a_pattern_that_leaves_data_is_refused(pattern: str) -> None:
    with pytest.raises(UserError, match="leaves the data folder data; give a path below it"):
        _ = run_of(predict=[pattern]).files.predicted
