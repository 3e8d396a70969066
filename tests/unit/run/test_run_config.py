"""What a run derives from its config: its plan and seed, arguments of scripts, warnings."""

from __future__ import annotations

import argparse
import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from run_project import run_of

from dlutil_core.job.run_spec import RunSpec
from dlutil_core.model.options import TrainingOptions
from dlutil_core.run.arguments import add_run_arguments, run_arguments, run_spec_of
from dlutil_core.run.result_files import result_files
from dlutil_core.run.warnings import _other_seed, _other_training

pytestmark = pytest.mark.usefixtures("here")


def spec_of(stage: str, **changes: Any) -> RunSpec:
    """What a script makes of the command line that the workflow writes."""
    parser = argparse.ArgumentParser()
    add_run_arguments(parser)
    run = run_of(**changes)
    run.set_environment()
    return run_spec_of(parser.parse_args(shlex.split(run_arguments(run, stage))))


def searched(seed: int = 4) -> None:
    """A result folder as an earlier search with this seed leaves it."""
    Path("out/search").mkdir(parents=True)
    Path("out/best").mkdir()
    plan = {"method": "hyperband", "max_epochs": 9, "eta": 3, "seed": seed}
    Path("out/search/plan.json").write_text(json.dumps(plan))
    fingerprints = run_of().analysis.fingerprints
    provenance = {"definition": {"train": fingerprints["train"]}}
    Path("out/best/provenance.json").write_text(json.dumps(provenance))


def test_a_command_line_says_all_that_a_script_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTHER", "x")
    spec = spec_of(
        "train",
        seed=5,
        device="cpu",
        batch_size=7,
        env={"UNITS": "it's $HOME {x}", "OTHER": None},
        clip_norm=0.25,
        early_stop=3,
        precision="bf16",
        compile=True,
        tensorboard=True,
        trials_per_gpu=2,
        search={"threads_per_trial": 2, "epoch_timeout": 2.5},
        data_files={"train": ["train.h5", "new/*"]},
    )
    assert spec == RunSpec(
        definition="def.py",
        data_dir="data",
        batch_size=7,
        seed=5,
        device="cpu",
        threads=2,
        options=TrainingOptions("bf16", 0.25, 3, True),
        env=("OTHER", "UNITS"),
        stage="train",
        fingerprint=run_of().analysis.fingerprints["train"],
        result="out",
        data_files=("data/new/a.npy", "data/train.h5"),
        trials_dir="out/search/trials",
        trials_per_gpu=2,
        tensorboard="out/tensorboard",
        epoch_timeout=2.5,
    )


def test_no_command_line_shows_the_value_of_a_variable() -> None:
    run = run_of(env={"TOKEN": "s3cret"})
    run.set_environment()
    shown = run_arguments(run, "train") + json.dumps(run.shown_values)
    assert "TOKEN" in shown and "s3cret" not in shown


def test_an_earlier_search_keeps_its_seed() -> None:
    searched(seed=4)
    assert spec_of("test", search={"method": "existing"}, seed=9).seed == 4
    assert spec_of("test", seed=9).seed == 9


def test_a_training_part_that_has_changed_is_warned_of() -> None:
    searched()
    existing = {"method": "existing"}
    assert _other_training(run_of(search=existing)) == []
    text = Path("def.py").read_text()
    Path("def.py").write_text("# a comment\n" + text.replace("return pred_path", "return 3"))
    assert _other_training(run_of(search=existing)) == []
    Path("def.py").write_text(text.replace("return {}", 'return {"lr": 1}'))
    (warning,) = _other_training(run_of(search=existing))
    assert "the training part of def.py has changed since the search in out" in warning
    assert _other_training(run_of()) == [], "a run that trains warns of nothing"
    Path("out/best/provenance.json").write_text("{}")
    assert _other_training(run_of(search=existing)) == []


def test_another_seed_in_the_same_folder_is_warned_of() -> None:
    searched(seed=4)
    (warning,) = _other_seed(run_of(seed=5))
    assert "holds results of seed 4, which those of seed 5 replace" in warning
    assert _other_seed(run_of(seed=4)) == []


def test_the_limit_of_an_epoch_reaches_the_job() -> None:
    assert spec_of("train").epoch_timeout is None
    assert spec_of("train", search={"epoch_timeout": 0.5}).epoch_timeout == 0.5


def test_results_are_declared_by_the_present_config_alone() -> None:
    files = result_files(run_of(search={"max_epochs": 3}, predict=["new/a.npy"]))
    assert {"search/plan.json", "best/model.pt", "test/metrics.json"} <= set(files)
    assert "predictions/new/a.npy.npy" in files
    assert "search/bracket-1/best.pt" in files
    assert "search/bracket-2/best.pt" not in files
    plain = result_files(run_of(evaluate=False))
    assert not [n for n in plain if n.startswith(("test/", "predictions/"))]
