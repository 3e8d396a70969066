"""Trials: configurations and seeds that depend on the run's seed and the trial's number alone."""

from __future__ import annotations

import json
import random
import secrets
import time
import uuid
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_search import Told

from dlutil_core.common.errors import UserError
from dlutil_core.common.logs import log
from dlutil_core.common.seeds import epoch_seed, loader_seed, trial_seed
from dlutil_core.job.run_spec import RunSpec
from dlutil_core.search.plan import Plan, hyperband
from dlutil_core.search.sampling import (
    is_repeatable,
    plain_config,
    sample_configs,
    sample_trials,
    write_plan,
)


def space() -> dict[str, Any]:
    return {
        "units": random.choice([8, 16, 32, 64]),
        "lr": 10 ** np.random.uniform(-4, -1),
        "init": float(torch.rand(())),
    }


@given(seed=st.integers(0, 2**31), small=st.integers(0, 20), large=st.integers(0, 20))
@settings(max_examples=25, deadline=None)
def test_a_larger_search_begins_with_the_smaller_one(seed: int, small: int, large: int) -> None:
    small, large = sorted((small, large))
    assert sample_configs(space, large, seed)[:small] == sample_configs(space, small, seed)


def test_random_state_from_before_is_no_matter() -> None:
    first = sample_configs(space, 5, 1)
    random.seed(99)
    np.random.seed(99)
    torch.manual_seed(99)
    random.random()
    assert sample_configs(space, 5, 1) == first
    assert sample_configs(space, 5, 2) != first


def test_configurations_differ_while_the_space_has_others() -> None:
    def few() -> dict[str, Any]:
        return {"a": random.choice([1, 2, 3]), "b": random.choice([True, False])}

    found = [json.dumps(config) for config in sample_configs(few, 6, 1)]
    assert len(set(found)) == 6
    # When it has none, they come again; seeds differ.
    trials = sample_trials(few, hyperband(9), 1)
    assert len(trials) > 6 and len({json.dumps(t.config) for t in trials}) == 6
    assert len({t.seed for t in trials}) == len(trials)
    assert [json.dumps(t.config) for t in trials[:6]] == found


def test_a_space_of_one_configuration() -> None:
    trials = sample_trials(lambda: {"lr": 0.1}, hyperband(3), 1)
    assert [t.config for t in trials] == [{"lr": 0.1}] * 5
    assert [t.number for t in trials] == [0, 1, 2, 3, 4]


def test_seeds_share_no_stream() -> None:
    seeds = [trial_seed(7, j) for j in range(2000)]
    seeds += [epoch_seed(7, e) for e in range(2000)]
    seeds += [loader_seed(7)]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert trial_seed(7, 3) == int(
        np.random.SeedSequence(7, spawn_key=(3,)).generate_state(1, np.uint64)[0] >> np.uint64(1)
    )


def test_neighbouring_seeds_of_runs_have_other_trials() -> None:
    for one, other in pairwise(range(20)):
        assert {trial_seed(one, j) for j in range(50)}.isdisjoint(
            trial_seed(other, j) for j in range(50)
        )


def test_numpy_scalars_become_pythons() -> None:
    config = plain_config(
        {
            "a": np.float32(0.5),
            "b": np.int64(3),
            "c": np.bool_(True),
            "d": np.str_("relu"),
            "e": (np.int8(1), [np.float64(0.25)]),
            "f": {"g": np.uint8(2)},
            "h": None,
        }
    )
    assert config == {
        "a": 0.5,
        "b": 3,
        "c": True,
        "d": "relu",
        "e": [1, [0.25]],
        "f": {"g": 2},
        "h": None,
    }
    assert json.loads(json.dumps(config)) == config
    kinds = [type(config[name]) for name in "abcd"]
    assert kinds == [float, int, bool, str]


@pytest.mark.parametrize(
    "config, told",
    [
        ([1, 2], "get_config returned [1, 2] (list), but must return a dictionary"),
        (None, "get_config returned None (NoneType), but must return a dictionary"),
        ({"lr": float("nan")}, "returned nan (float) for 'lr', which JSON cannot hold"),
        ({"lr": np.float32("inf")}, "returned inf (float) for 'lr', which JSON cannot hold"),
        ({"a": {"b": {1, 2}}}, "returned {1, 2} (set) for 'a.b', which JSON cannot hold"),
        ({"net": torch.nn.ReLU()}, "returned ReLU() (ReLU) for 'net', which JSON cannot hold"),
        ({"w": np.zeros(2)}, "returned array([0., 0.]) (ndarray) for 'w', which JSON cannot hold"),
        ({3: "x"}, "returned the key 3, but keys must be texts"),
    ],
)
def test_what_is_refused(config: Any, told: str) -> None:
    with pytest.raises(UserError) as caught:
        sample_configs(lambda: config, 1, 1, "my/def.py")
    assert str(caught.value).startswith("my/def.py: get_config")
    assert told in str(caught.value)


def test_the_file_names_each_trials_bracket_and_reads_back(tmp_path: Path) -> None:
    made = hyperband(9)
    plan = Plan.of(made, 4, sample_trials(space, made, 4))
    plan.write(tmp_path / "plan.json")
    document = json.loads((tmp_path / "plan.json").read_text())
    assert list(document) == ["method", "max_epochs", "eta", "seed", "brackets", "trials"]
    assert [list(t) for t in document["trials"]] == [["trial", "bracket", "seed", "config"]] * len(
        plan.trials
    )
    assert [b["bracket"] for b in document["brackets"]] == [2, 1, 0]
    for bracket in document["brackets"]:
        assert list(bracket) == ["bracket", "trials", "rungs"]
        for number in bracket["trials"]:
            assert document["trials"][number]["bracket"] == bracket["bracket"]
            assert document["trials"][number]["trial"] == number
    numbers = [j for bracket in document["brackets"] for j in bracket["trials"]]
    assert numbers == list(range(plan.trial_count))
    assert Plan.read(tmp_path / "plan.json") == plan


def test_a_file_that_is_no_plan_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text('{"method": "hyperband", "max_epochs": 9}')
    with pytest.raises(UserError, match=r"plan.json: not the plan of a search \(KeyError: 'eta'"):
        Plan.read(tmp_path / "plan.json")


SYSTEM, GRID = random.SystemRandom(), iter([{"lr": k} for k in range(7)])


@pytest.mark.parametrize(
    "get_config",
    [
        lambda: {"lr": SYSTEM.uniform(0, 1)},
        lambda: {"lr": secrets.choice(range(100))},
        lambda: {"lr": float(np.random.default_rng().uniform())},
        lambda: {"lr": random.random(), "units": SYSTEM.choice([4, 8, 16, 32])},
        lambda: {"lr": id(object()) and time.perf_counter_ns()},
        lambda: {"net": {"width": [uuid.uuid4().hex]}},
        lambda: next(GRID),
    ],
)
def test_configurations_without_the_seed_are_noticed(get_config: Any) -> None:
    assert not is_repeatable(get_config, 1)


def test_seeded_configurations_are_repeatable() -> None:
    assert is_repeatable(space, 1)
    assert is_repeatable(lambda: {"lr": 0.1}, 1)


def test_a_plan_that_cannot_be_repeated_is_warned_of(tmp_path: Path) -> None:
    told = Told()
    log.addHandler(told)
    for source in ("random", "random.SystemRandom()"):
        text = f"import random\ndef get_config():\n    return {{'lr': {source}.random()}}\n"
        (tmp_path / "def.py").write_text(text)
        spec = RunSpec(str(tmp_path / "def.py"), str(tmp_path), 1, seed=1, device="cpu")
        write_plan(spec, "hyperband", 3, 3, {}, tmp_path / "plan.json")
    log.removeHandler(told)
    assert len(told.warnings) == 1 and "get_config gives other configurations" in told.warnings[0]


def test_a_grid_that_ends_tells_how_many_configurations_it_gave() -> None:
    grid = iter([{"lr": rate} for rate in (0.1, 0.2, 0.3)])
    with pytest.raises(UserError, match=r"takes 5 configurations, and after 3 get_config gave no"):
        sample_configs(lambda: next(grid), 5, seed=1)
    left = [{"lr": 0.1}, {"lr": 0.2}]

    def popped() -> Any:
        try:
            return left.pop()
        except IndexError as error:
            raise UserError("def.py: get_config failed: pop from empty list") from error

    with pytest.raises(UserError, match=r"takes 5 configurations, and after 2 def.py: get_config"):
        sample_configs(popped, 5, seed=1)
