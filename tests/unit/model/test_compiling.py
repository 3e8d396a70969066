"""`compile: true`: real kernels, and bits that do not depend on what the process did before."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support import Project
from torch import nn
from torch._dynamo.utils import counters

from dlutil_core import base_model
from dlutil_core.batch_generator import MatrixBatchGenerator
from dlutil_core.common.seeds import seed_everything
from dlutil_core.model.checkpoint import canonical, content_hash
from dlutil_core.model.compiling import compiled
from dlutil_core.model.options import TrainingOptions

needs_compiler = pytest.mark.skipif(
    shutil.which(os.environ.get("CXX", "g++")) is None, reason="no C++ compiler"
)

RNG = np.random.default_rng(0)
X = RNG.normal(size=(50, 12)).astype(np.float32)
Y = X[:, 0] * X[:, 1]


class Model(base_model.RegressionModel):
    def init_model(self) -> None:  # type: ignore[override]
        network = nn.Sequential(
            nn.Linear(12, 8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 1), nn.Flatten(0)
        )
        super().init_model(network, torch.optim.Adam(network.parameters(), lr=0.01))

    def get_hyperband_reward(self, result: Any) -> float:
        return -float(result["train_loss"])


def trained(first_epoch: int, epochs: int, state: Any = None) -> Any:
    """A compiled model that was trained, from this state on."""
    seed_everything(1)
    model = Model({}, options=TrainingOptions(compile=True))
    if state is not None:
        model.load(state)
    train = MatrixBatchGenerator(X, Y, 25, shuffle=True)
    model.fit(train, None, epochs, first_epoch, seed=3)
    return model


@needs_compiler
def test_a_compiled_model_resumes_to_the_same_bits_and_loads_without_being_compiled() -> None:
    torch.set_num_threads(1)
    stopped = canonical(trained(1, 1).save())
    torch.compiler.reset()  # as in a process of its own
    resumed = trained(2, 2, stopped)
    state = canonical(trained(1, 2).save())
    assert content_hash(canonical(resumed.save())) == content_hash(state)

    plain = Model({}, options=TrainingOptions())
    assert list(state["weights"]) == list(plain.network.state_dict())
    plain.load(state)
    found = resumed.predict([X])
    assert np.array_equal(found, resumed.predict([X])), "no dropout in evaluation"
    assert np.allclose(found, plain.predict([X]), atol=1e-5)
    resumed.network.train()
    x = torch.from_numpy(X[:25])
    drawn = [resumed.forward(x)[0].detach() for _ in range(2)]
    assert not torch.equal(*drawn), "dropout in training"


@needs_compiler
def test_each_shape_has_a_graph_of_its_own_whatever_was_compiled_before() -> None:
    """Or a trial's bits would depend on which trials its process trained before."""
    torch.compiler.reset()
    counters.clear()
    shapes = range(2, 14)
    for width in (2, 3):
        forward = compiled(nn.Linear(4, width))
        with torch.no_grad():
            for rows in shapes:
                forward(torch.ones(rows, 4))
    assert counters["stats"]["unique_graphs"] == 2 * len(shapes)


@pytest.mark.slow
def test_without_a_compiler_the_run_ends_in_a_sentence_and_no_trial_has_failed(
    tmp_path: Path,
) -> None:
    config = {"units": 4, "lr": 0.1, "dropout": 0.1, "momentum": 0.5}
    search = {"method": "fixed", "max_epochs": 1, "config": config}
    project = Project.make(tmp_path / "project", compile=True, search=search)
    cache = str(tmp_path / "cache")
    done = project.run(CXX="no-such-compiler", TORCHINDUCTOR_CACHE_DIR=cache)
    assert done.code != 0
    (sentence,) = done.sentences
    assert sentence.startswith("compile is true, but torch.compile finds no working C++ compiler")
    assert "set compile: false" in sentence
    assert "Traceback" not in done.output
    assert not list(project.result.glob("search/trials/*/error.txt"))
