"""The tables of learning curves: what a stack of networks learns, and what is read off a table."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from support import REPOSITORY

sys.path.insert(0, str(REPOSITORY / "benchmarks"))

import curves
import torch
from lookup import Lookup
from problems import LATE_BLOOMERS, MOTIFS, PROBLEMS, Problem, Records
from searches import contestants
from spaces import Values

from dlutil_core.search.plan import Trial, hyperband


def line() -> Records:
    """One input decides, the others are noise."""
    random = np.random.RandomState(1)
    inputs = random.standard_normal((300, 3)).astype(np.float32)
    return Records(inputs, inputs[:, 0])


SPACE = {
    "learning_rate": Values((1e-5, 5e-2)),
    "hidden": Values((4, 8)),
    "dropout": Values((0.0,)),
    "weight_decay": Values((0.0,)),
    "activation": Values(("relu", "tanh"), ordered=False),
}


def test_networks_of_a_stack_learn_each_at_its_own_rate() -> None:
    table = curves.trained(Problem("line", line, SPACE, 150, 50), epochs=10)
    assert table.val.shape == (3, 8, 10) and table.sizes == (12, 25, 50)
    fast = [config["learning_rate"] == 5e-2 for config in table.configs]
    last = table.test[:, -1]
    assert last[fast].min() > -0.3 > last[np.logical_not(fast)].max()


def test_a_network_is_the_same_alone_and_in_a_stack() -> None:
    config = {name: domain.values[0] for name, domain in SPACE.items()}
    x, y = torch.randn(20, 3), torch.randn(20)
    many = curves.Stack([config, config | {"learning_rate": 0.1}], (3,), 1, seed=1)
    one = curves.Stack([config], (3,), 1, seed=1)
    for weight, alone in zip(many.weights, one.weights, strict=True):
        alone.data = weight.data[:1].clone()
    for _ in range(3):
        many.train_batch(x, y)
        one.train_batch(x, y)
    assert torch.allclose(many(x)[:1], one(x), atol=1e-6)


def test_filters_see_both_strands() -> None:
    config = {name: domain.values[0] for name, domain in MOTIFS.items()}
    stack = curves.Stack([config], (4, 30), 2, seed=1)
    x = torch.eye(4)[torch.randint(0, 4, (5, 30))].transpose(1, 2)
    assert torch.allclose(stack(x), stack(x.flip(1, 2)), atol=1e-6)


@pytest.mark.parametrize("name", contestants(["optuna"]))
def test_a_search_on_a_table_spends_what_it_may(name: str) -> None:
    table = curves.late_bloomers(epochs=9)
    trials = Lookup(table, 0)
    pick = contestants(["optuna"])[name](trials, LATE_BLOOMERS.space, 9, 1)
    assert 0.9 * hyperband(9).epochs <= trials.epochs <= hyperband(9).epochs
    assert pick.score == trials.test_reward(pick) <= table.val.max()


def test_a_lookup_is_a_trial() -> None:
    table = curves.late_bloomers(epochs=9)
    trials = Lookup(table, 0)
    config = table.configs[123]
    assert trials.to(Trial(0, 1, config, 0), 3).score == table.val[0, 123, :3].max()
    assert trials.to(Trial(0, 1, config, 0), 9).score == table.val[0, 123].max()
    assert trials.epochs == 9


def test_problems_have_records_for_all_parts() -> None:
    for problem in PROBLEMS:
        if problem.is_real:
            records = problem.records()
            assert len(records.labels) - problem.training - problem.validating >= 100, problem.name
            assert np.isfinite(records.inputs).all()
