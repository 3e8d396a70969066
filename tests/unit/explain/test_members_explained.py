"""What is explained of an ensemble: its mean output."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from dlutil_core import base_model
from dlutil_core.common.errors import UserError
from dlutil_core.explain import attribution
from dlutil_core.explain.target import Target
from dlutil_core.run.checks import check
from dlutil_core.run.result_files import explained_files
from dlutil_core.run.run_config import RunConfig
from dlutil_core.trained.ensemble import Ensemble

DEFINITION = """
from dlutil_core import base_model

def get_train_generator(data_dir, batch_size): ...
def get_val_generator(data_dir): ...
def get_test_generator(data_dir): ...
def get_config(): ...
class Model(base_model.RegressionModel): ...
"""


def member(seed: int) -> base_model.BaseModel:
    torch.manual_seed(seed)
    network = nn.Sequential(nn.Conv2d(4, 8, (1, 5)), nn.ReLU(), nn.Flatten(), nn.Linear(288, 3))

    class Model(base_model.ClassificationModel):
        def init_model(self) -> None:
            super().init_model(network, torch.optim.SGD(network.parameters(), lr=0.1))

    return Model({}, device="cpu")


@pytest.fixture
def x() -> torch.Tensor:
    letters = np.random.default_rng(0).integers(0, 4, (6, 40))
    return torch.from_numpy(np.eye(4, dtype=np.float32)[letters].transpose(0, 2, 1)[:, :, None])


def test_attributions_of_an_ensemble_are_means_of_its_members(x: torch.Tensor) -> None:
    members = {f"fold-0/seed-{i}": member(i) for i in range(3)}
    ensemble = Ensemble(members)
    for method in (
        attribution.input_x_gradient,
        attribution.integrated_gradients,
        attribution.in_silico_mutagenesis,
    ):
        found = method(Target(ensemble, 1), x)
        each = [method(Target(one, 1), x) for one in members.values()]
        assert found == pytest.approx(np.mean(each, axis=0), abs=1e-5)
        assert np.abs(found).max() > 1e-3


def test_predictions_of_classes_are_mean_probabilities(x: torch.Tensor) -> None:
    members = {f"fold-0/seed-{i}": member(i) for i in range(2)}
    mean, sd = Ensemble(members).predict_with_sd(x)
    one, other = (model.predict(x) for model in members.values())
    assert mean == pytest.approx((one + other) / 2) and mean.dtype == np.float32
    assert mean.sum(axis=1) == pytest.approx(1)
    assert sd == pytest.approx(np.abs(one - other) / 2**0.5, abs=1e-6)


def test_the_member_that_is_explained_can_be_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("data").mkdir()
    Path("def.py").write_text(DEFINITION)

    def run(member: str | None, **repeat: int) -> RunConfig:
        base = {"definition": "def.py", "data": "data", "result": "out", "repeat": repeat}
        return RunConfig(base | {"explain": {"enabled": True, "member": member}})

    files = [f"members/fold-0/seed-{i}/model.pt" for i in range(2)]
    assert explained_files(run(None)) == ["best/model.pt"]
    assert explained_files(run(None, seeds=2)) == files
    assert explained_files(run("best", seeds=2)) == ["best/model.pt"]
    assert explained_files(run("fold-0/seed-1", seeds=2)) == files[1:]
    check(run("fold-0/seed-1", seeds=2))
    with pytest.raises(UserError, match=r"there is no fold-0/seed-2: repeat gives fold-0/seed-0 "):
        check(run("fold-0/seed-2", seeds=2))
    with pytest.raises(UserError, match="repeat gives none"):
        check(run("fold-0/seed-2"))
