"""Jobs that do not compile never import torch's compiler, and train to the same bits."""

from __future__ import annotations

import subprocess
import sys

import pytest

TRAINING = """
import sys, warnings
warnings.simplefilter("error")
import torch
from torch import nn, optim
from dlutil_core.base_model import RegressionModel
from dlutil_core.batch_generator import MatrixBatchGenerator
from dlutil_core.model.options import TrainingOptions
from dlutil_core.job.loaded_run import set_up_torch

if sys.argv[1] == "set up":
    set_up_torch("cpu", TrainingOptions())

class Model(RegressionModel):
    def init_model(self):
        network = nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.2), nn.Linear(3, 1), nn.Flatten(0))
        optimizer = getattr(optim, sys.argv[2])(network.parameters(), lr=0.01)
        scheduler = optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.5)
        super().init_model(network, optimizer, scheduler=scheduler)

torch.set_num_threads(1)
torch.manual_seed(0)
model = Model({})
data = MatrixBatchGenerator(torch.rand(50, 4), torch.rand(50), 10, shuffle=True)
model.fit(data, data, epochs=2)
again = Model({})
again.load(model.save())
rows = again.fit(data, data, epochs=3, first_epoch=3)
print([w.tolist() for w in again.network.parameters()], rows)
print("torch._dynamo" in sys.modules)
"""


@pytest.mark.parametrize("optimizer", ["Adam", "SGD"])
def test_the_compiler_stays_out_and_nothing_changes(optimizer: str) -> None:
    told = []
    for setting in ("set up", "as it is"):
        command = [sys.executable, "-c", TRAINING, setting, optimizer]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        told.append(done.stdout.splitlines())
    (result, compiler), (expected, _) = told
    assert compiler == "False"
    assert result == expected
