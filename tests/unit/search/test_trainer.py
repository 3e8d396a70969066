"""A trial through its memo: ended early, interrupted, and at other budgets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlutil_core.job.loaded_run import LoadedRun
from dlutil_core.job.run_spec import RunSpec
from dlutil_core.model.checkpoint import content_hash
from dlutil_core.model.options import TrainingOptions
from dlutil_core.search import trainer as trials
from dlutil_core.search.plan import Trial
from dlutil_core.search.trainer import Trainer

# Its rewards, one for each epoch, rise to the third epoch, fall, and would be highest at the end.
DEFINITION = """
import torch
from torch import nn
from dlutil_core import base_model, batch_generator

x = torch.randn(40, 3, generator=torch.Generator().manual_seed(0))


def get_train_generator(data_dir, batch_size):
    train = batch_generator.MatrixBatchGenerator(x, x[:, 0], batch_size, shuffle=True)
    return train, batch_generator.MatrixBatchGenerator(x, x[:, 0])


class Model(base_model.RegressionModel):
    def init_model(self):
        network = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.2), nn.Linear(4, 1), nn.Flatten(0))
        optimizer = torch.optim.Adam(network.parameters())
        scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, "max", patience=0)
        super().init_model(network, optimizer, scheduler=scheduler)

    def fit(self, train, val, epochs, first_epoch, seed, on_epoch):
        self.epoch = first_epoch - 1
        return super().fit(train, val, epochs, first_epoch, seed, on_epoch)

    def get_hyperband_reward(self, result):
        self.epoch += 1
        return [1, 2, 3, 2, 2.5, 2, 1, 9, 9][self.epoch - 1]
"""

TRIAL = Trial(number=0, seed=7, config={"lr": 0.1}, bracket=0)


class Run:
    """A new process's view of one trial in this folder, whose epochs are counted."""

    def __init__(self, folder: Path, end_after: int = 0, **options: Any) -> None:
        if not (folder / "def.py").exists():
            (folder / "def.py").write_text(DEFINITION)
        spec = RunSpec(
            definition=str(folder / "def.py"),
            data_dir=str(folder),
            batch_size=16,
            seed=1,
            device="cpu",
            options=TrainingOptions(**options),
            trials_dir=str(folder / "trials"),
        )
        self.end_after = end_after
        self.epochs: list[int] = []
        self.trainer = Trainer(LoadedRun(spec), self.progress)

    def progress(self, _: int, row: dict[str, float]) -> None:
        if row["epoch"] == self.end_after:
            raise KeyboardInterrupt
        self.epochs.append(int(row["epoch"]))

    def state(self, budget: int) -> str:
        """Everything that a bracket uses of the trial at this budget, as a hash."""
        found = self.trainer.train(TRIAL, budget)
        assert found.best_epoch is not None
        best = self.trainer.best_state(TRIAL, found.best_epoch)
        return content_hash([found.rows, found.score, found.best_epoch, best])


ALL = {"early_stop": 3, "clip_norm": 0.5, "precision": "bf16"}


@pytest.fixture
def whole(tmp_path: Path) -> dict[int, str]:
    """What a trial is at several budgets, each trained in a folder of its own."""
    found = {}
    for budget in (3, 4, 9):
        folder = tmp_path / str(budget)
        folder.mkdir()
        found[budget] = Run(folder, **ALL).state(budget)
    return found


def test_a_trial_ends_after_epochs_without_a_higher_reward(tmp_path: Path) -> None:
    run = Run(tmp_path, early_stop=3)
    found = run.trainer.train(TRIAL, 9)
    assert run.epochs == [1, 2, 3, 4, 5, 6]
    assert (found.status, found.score, found.best_epoch, len(found.rows)) == ("ok", 3, 3, 6)
    plain = Run(tmp_path)
    assert plain.trainer.train(TRIAL, 9).score == 9
    assert len(plain.epochs) == 9


@pytest.mark.parametrize("moment", [1, 3, 5, 6])
def test_an_interrupted_trial_ends_early_at_the_same_epoch(
    moment: int, whole: dict[int, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trials, "SAVE_SECONDS", 0.0)
    with pytest.raises(KeyboardInterrupt):
        Run(tmp_path, moment, **ALL).state(9)
    again = Run(tmp_path, **ALL)
    assert again.state(9) == whole[9]
    assert again.epochs == list(range(moment, 7))


def test_a_trial_that_ended_early_is_the_same_at_smaller_and_larger_budgets(
    whole: dict[int, str], tmp_path: Path
) -> None:
    assert Run(tmp_path, **ALL).state(4) == whole[4]
    grown = Run(tmp_path, **ALL)
    assert grown.state(9) == whole[9]
    assert grown.epochs == [5, 6]
    for budget in (3, 4, 9):
        later = Run(tmp_path, **ALL)
        assert later.state(budget) == whole[budget]
        assert later.epochs == []
    assert np.unique(list(whole.values())).size == 3


def test_a_trial_that_fails_by_a_wrong_input_has_a_sentence_and_no_traceback(
    tmp_path: Path,
) -> None:
    wrong = DEFINITION.replace("nn.Linear(4, 1), nn.Flatten(0))", "nn.Linear(4, 2))")
    (tmp_path / "def.py").write_text(wrong)
    found = Run(tmp_path).trainer.train(TRIAL, 1)
    assert found.status == "raised"
    assert found.traceback.startswith("labels have shape (16,) but predictions (16, 2): give")
    assert found.message == f"line 23: {found.traceback.strip()}"
