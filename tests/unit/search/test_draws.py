"""The draws of a staged search: pure, spread, and better than chance."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from dlutil_core.search.staged.draws import Seen, chosen, placed, pool_size, targets
from dlutil_core.search.staged.points import Space, flattened


def drawn(count: int, seed: int) -> list[dict[str, Any]]:
    rng = random.Random(seed)
    return [
        {"lr": 10 ** rng.uniform(-5, -1), "act": rng.choice(["relu", "tanh"]), "x": rng.random()}
        for _ in range(count)
    ]


def reward(config: dict[str, Any]) -> float:
    return -abs(float(np.log10(config["lr"])) + 3) - abs(config["x"] - 0.2)


def trials(count: int, seed: int = 1) -> list[Seen]:
    return [Seen(j, c, 1, reward(c)) for j, c in enumerate(drawn(count, seed))]


def test_few_results_leave_the_plain_draws() -> None:
    plain = drawn(6, 3)
    assert chosen(plain, drawn(150, 4), trials(7), 0) == plain


def test_every_fourth_is_plain_and_nothing_is_drawn_twice() -> None:
    plain, pool, seen = drawn(20, 3), drawn(200, 4), trials(30)
    picks = chosen(plain, [*pool, seen[0].config, plain[3]], seen, 0)  # type: ignore[list-item]
    assert picks[3::4] == plain[3::4]
    texts = [repr(config) for config in picks]
    assert len(set(texts)) == 20
    assert not set(texts) & {repr(found.config) for found in seen}
    assert all(config in [*plain, *pool] for config in picks)


def test_the_model_draws_better_than_chance_in_every_seed() -> None:
    for seed in range(5):
        plain, pool = drawn(20, 100 + seed), drawn(200, 200 + seed)
        picks = chosen(plain, pool, trials(60, 300 + seed), seed)
        assert np.mean([reward(c) for c in picks]) > np.mean([reward(c) for c in plain]) + 0.2


def test_equal_arguments_give_equal_draws_in_any_process() -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from test_draws import *; "
        "print(chosen(drawn(72, 3), drawn(400, 4), trials(250), 7))"
    )
    here = os.path.dirname(__file__)
    told = set()
    for threads, hash_seed in (("1", "0"), ("4", "5")):
        env = os.environ | {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
        env["PYTHONHASHSEED"] = hash_seed
        command = [sys.executable, "-c", code, here]
        told.add(subprocess.run(command, env=env, check=True, capture_output=True).stdout)
    assert told == {f"{chosen(drawn(72, 3), drawn(400, 4), trials(250), 7)}\n".encode()}


def test_the_order_of_results_is_nothing() -> None:
    plain, pool, seen = drawn(20, 3), drawn(200, 4), trials(30)
    assert chosen(plain, pool, seen, 0) == chosen(plain, pool, seen[::-1], 0)


def test_places_are_by_budget_then_score_and_failed_ones_share_the_last() -> None:
    found = [Seen(0, {}, 1, 9.0), Seen(1, {}, 3, 2.0), Seen(2, {}, 3, None), Seen(3, {}, 3, 2.0)]
    found.append(Seen(4, {}, 1, None))
    order = placed(found)
    assert [s.trial for s in order] == [1, 3, 0, 2, 4]
    scores = targets(order)
    assert list(scores) == sorted(scores, reverse=True)
    assert scores[3] == scores[4]
    assert scores[2] == pytest.approx(0.0)


def test_points_know_numbers_texts_options_nesting_and_constants() -> None:
    configs: list[dict[str, Any]] = [
        {"a": 1, "b": "x", "c": True, "n": {"k": [1, 2]}, "same": 3, "mixed": None},
        {"a": 10, "b": "y", "c": False, "n": {"k": [1, 5]}, "same": 3, "mixed": 2.0},
        {"a": 100, "b": "y", "c": False, "n": {"k": [1, 5, 7]}, "same": 3, "mixed": 4.0},
    ]
    space = Space(configs)
    points = space.points(configs)
    assert points.shape == (3, space.dimensions)
    scaled = [dict(c, a=c["a"] ** 3) for c in configs]
    assert (Space(scaled).points(scaled) == points).all(), "no scale need be declared"
    assert not [name for name in space.numbers | space.categories if "same" in name]
    assert set(space.flagged) == {'/"n"/"k"/2'}
    assert len({tuple(point) for point in points.tolist()}) == 3
    assert flattened({"e": [], "f": {}}) == {'/"e"': "[]", '/"f"': "{}"}


def test_a_space_of_constants_leaves_the_plain_draws() -> None:
    plain = [{"a": 1}] * 5
    seen = [Seen(j, {"a": 1}, 1, 0.0) for j in range(10)]
    assert chosen(plain, plain, seen, 0) == plain


@pytest.mark.parametrize(("count", "size"), [(1, 150), (20, 200), (72, 400)])
def test_the_pool_grows_with_the_stage(count: int, size: int) -> None:
    assert pool_size(count) == size
