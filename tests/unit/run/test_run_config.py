"""What a run derives from its config: files of each stage, identities, arguments, warnings."""

from __future__ import annotations

import argparse
import json
import os
import shlex
from pathlib import Path
from typing import Any

import pytest

from dlutil_core.common.errors import UserError
from dlutil_core.run.arguments import add_run_arguments, run_spec_of
from dlutil_core.run.run_config import RunConfig
from dlutil_core.run.warnings import search_warnings

DEFINITION = """
import os
from dlutil_core import base_model

def get_train_generator(data_dir, batch_size):
    return data_dir, os.environ["UNITS"]

def get_val_generator(data_dir):
    return data_dir

def get_test_generator(data_dir):
    return data_dir

def get_pred_generator(pred_path):
    return pred_path

def get_config():
    return {}

class Model(base_model.RegressionModel):
    pass
"""


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: `def.py`, and files below `data/`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    Path("def.py").write_text(DEFINITION)
    for name in ("train.h5", "valid.h5", "test.h5.batch2", "test.h5.batch10", "new/a.npy", ".x"):
        Path("data", name).parent.mkdir(parents=True, exist_ok=True)
        Path("data", name).write_text(name)
    return tmp_path


def run(**changes: Any) -> RunConfig:
    config = {"definition": "def.py", "data": "data", "result": "out"}
    return RunConfig(config | changes)


def searched(seed: int = 4) -> None:
    """A result folder as an earlier search with this seed leaves it."""
    Path("out/search").mkdir(parents=True)
    Path("out/best").mkdir()
    plan = {"method": "hyperband", "max_epochs": 9, "eta": 3, "seed": seed}
    Path("out/search/plan.json").write_text(json.dumps(plan))
    provenance = {"definition": {"train": run().fingerprint("train")}}
    Path("out/best/provenance.json").write_text(json.dumps(provenance))


# Files


def test_without_data_files_every_file_below_data_counts_but_hidden_ones() -> None:
    wanted = ["new/a.npy", "test.h5.batch2", "test.h5.batch10", "train.h5", "valid.h5"]
    assert run().stage_files("train") == run().stage_files("test") == wanted


def test_data_files_say_what_a_stage_reads() -> None:
    made = run(data_files={"train": ["train.h5", "valid*"], "test": ["test.h5*"]})
    assert made.stage_files("train") == ["train.h5", "valid.h5"]
    assert made.stage_files("test") == ["test.h5.batch2", "test.h5.batch10"]
    with pytest.raises(UserError, match=r"data_files\.train: 'x\*' matches no file under data"):
        run(data_files={"train": ["x*"]}).stage_files("train")


def test_the_result_folder_below_data_is_no_data() -> None:
    Path("data/out/best").mkdir(parents=True)
    Path("data/out/best/model.pt").write_text("")
    assert "out/best/model.pt" not in run(result="data/out").available
    assert "out/best/model.pt" in run().available


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
    assert run(predict=patterns).predicted == found


def test_an_absolute_path_below_data_is_one_below_data() -> None:
    assert run(predict=[os.path.abspath("data/train.h5")]).predicted == ["train.h5"]


@pytest.mark.parametrize("pattern", ["../def.py", "new/../../def.py", "/etc/passwd", ".."])
def test_a_pattern_that_leaves_data_is_refused(pattern: str) -> None:
    with pytest.raises(UserError, match="leaves the data folder data; give a path below it"):
        _ = run(predict=[pattern]).predicted


def test_names_that_snakemake_would_take_for_wildcards_are_refused() -> None:
    Path("data/x{1}.h5").write_text("")
    with pytest.raises(UserError, match=r"x\{1\}\.h5: file names must not hold braces"):
        run().check()
    run(data_files={"train": ["train.h5"], "test": ["test*"]}).check()


# Checks


def test_a_whole_run_passes() -> None:
    run(predict=["new/a.npy"]).check()


def test_what_is_asked_for_must_be_defined() -> None:
    Path("def.py").write_text("def get_train_generator(data_dir, batch_size): pass\n")
    with pytest.raises(UserError, match="Model"):
        run().check()
    Path("def.py").write_text(DEFINITION.replace("def get_test_generator", "def tests"))
    with pytest.raises(UserError, match=r"get_test_generator.*evaluation"):
        run().check()
    run(evaluate=False).check()
    Path("def.py").write_text(DEFINITION.replace("def get_config", "def space"))
    with pytest.raises(UserError, match=r"get_config.*the search"):
        run().check()
    run(search={"method": "fixed", "config": {"lr": 1}}).check()


def test_a_data_folder_that_is_none() -> None:
    with pytest.raises(UserError, match="data: nowhere is not a folder"):
        run(data="nowhere").check()
    with pytest.raises(UserError, match=r"data: def\.py is not a folder"):
        run(data="def.py").check()


def test_to_use_a_search_there_must_be_one() -> None:
    with pytest.raises(UserError, match=r"out: holds no earlier search.*--hyper"):
        run(search={"method": "existing"}).check()
    searched()
    made = run(search={"method": "existing", "max_epochs": 81})
    made.check()
    assert made.plan.max_epochs == 9, "the plan is that of the search"


# An earlier search


def test_an_earlier_search_keeps_its_seed() -> None:
    searched(seed=4)
    words = shlex.split(run(search={"method": "existing"}, seed=9).arguments("test"))
    assert words[words.index("--seed") + 1] == "4"
    words = shlex.split(run(seed=9).arguments("test"))
    assert words[words.index("--seed") + 1] == "9"


def test_a_training_part_that_has_changed_is_warned_of() -> None:
    searched()
    existing = {"method": "existing"}
    assert search_warnings(run(search=existing)) == []
    text = Path("def.py").read_text()
    Path("def.py").write_text("# a comment\n" + text.replace("return pred_path", "return 3"))
    assert search_warnings(run(search=existing)) == []
    Path("def.py").write_text(text.replace("return {}", 'return {"lr": 1}'))
    (warning,) = search_warnings(run(search=existing))
    assert "the training part of def.py has changed since the search in out" in warning
    assert search_warnings(run()) == [], "a run that trains warns of nothing"
    Path("out/best/provenance.json").write_text("{}")
    assert search_warnings(run(search=existing)) == []


# Identity


def changed(stage: str, **changes: Any) -> bool:
    return run().identity(stage) != run(**changes).identity(stage)


def test_each_stage_depends_on_what_it_must() -> None:
    assert changed("train", batch_size=7)
    assert not changed("test", batch_size=7)
    assert changed("plan", seed=7) and changed("train", seed=7)
    assert not changed("predict", seed=7), "the model brings it"
    assert changed("plan", search={"max_epochs": 9}) and not changed(
        "train", search={"max_epochs": 9}
    )
    for stage in ("train", "test", "predict"):
        assert changed(stage, env={"UNITS": "V"})
        assert changed(stage, device="cpu")
        assert changed(stage, precision="bf16")
        assert changed(stage, search={"threads_per_trial": 2})
        assert not changed(stage, search={"jobs": "trial"})
        assert not changed(stage, predict=["train.h5"])
        assert not changed(stage, keep_checkpoints="best")


def test_r_and_eta_swapped_are_not_the_same() -> None:
    a = set(run(search={"max_epochs": 9, "eta": 3}).identity("plan"))
    b = set(run(search={"max_epochs": 3, "eta": 9}).identity("plan"))
    assert a != b, "Snakemake compares parameters as sets of values"


def test_further_files_of_the_definition_belong_to_every_stage() -> None:
    Path("words.txt").write_text("a")
    first = {s: run(definition_files=["*.txt"]).identity(s) for s in ("train", "test", "predict")}
    Path("words.txt").write_text("b")
    second = {s: run(definition_files=["*.txt"]).identity(s) for s in first}
    assert all(first[s] != second[s] for s in first)
    with pytest.raises(UserError, match=r"definition_files: '\*\.csv' matches no file"):
        run(definition_files=["*.csv"]).identity("train")


def test_arguments_survive_a_shell() -> None:
    made = run(env={"UNITS": "it's $HOME {x}"}, definition="def.py")
    words = shlex.split(made.arguments("train"))
    assert "UNITS=it's $HOME {x}" in words


def test_the_limit_of_an_epoch_reaches_the_job_and_is_no_part_of_identities() -> None:
    plain, limited = run(), run(search={"epoch_timeout": 0.5})
    parser = argparse.ArgumentParser()
    add_run_arguments(parser)
    for made, wanted in ((plain, None), (limited, 0.5)):
        words = shlex.split(made.arguments("train"))
        assert run_spec_of(parser.parse_args(words)).epoch_timeout == wanted
    assert plain.identity("train") == limited.identity("train")


def test_results_are_declared_by_the_present_config_alone() -> None:
    files = run(search={"max_epochs": 3}, predict=["new/a.npy"]).result_files()
    assert {"search/plan.json", "best/model.pt", "test/metrics.json"} <= set(files)
    assert "predictions/new/a.npy.npy" in files
    assert "search/bracket-1/best.pt" in files
    assert "search/bracket-2/best.pt" not in files
    plain = run(evaluate=False).result_files()
    assert not [n for n in plain if n.startswith(("test/", "predictions/"))]
