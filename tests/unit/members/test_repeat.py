"""What `repeat` asks for, and how values spread over folds and seeds."""

from __future__ import annotations

import math
from pathlib import Path, PurePath

import numpy as np
import pytest
from scipy import stats

from dlutil_core.cli.plan_text import plan_text
from dlutil_core.common.errors import UserError
from dlutil_core.common.nested import tree_leaves, tree_of_leaves
from dlutil_core.common.result_folder import member_of
from dlutil_core.common.seeds import epoch_seed, loader_seed, member_seed, trial_seed
from dlutil_core.members.repeat import Member, Repeat
from dlutil_core.members.spread import spread_of
from dlutil_core.run.config import validated

BASE = {"definition": "def.py", "data": "data", "result": "out"}


def repeat_of(section: object) -> Repeat:
    return Repeat.of(validated(BASE | {"repeat": section})["repeat"])


@pytest.mark.parametrize("section", [None, {}, {"seeds": 1}, {"search": "each"}])
def test_one_split_and_one_seed_are_no_members(section: object) -> None:
    assert not repeat_of(section).is_set
    assert repeat_of(section).members == []


def test_members_are_numbered_from_zero_fold_by_fold() -> None:
    names = [member.name for member in repeat_of({"folds": 3, "seeds": 2}).members]
    assert names[:3] == ["fold-0/seed-0", "fold-0/seed-1", "fold-1/seed-0"] and len(names) == 6
    assert repeat_of({"folds": [["chr1"], ["chr2", 3], ["chrX"]]}).fold_count == 3


@pytest.mark.parametrize(
    "section,told",
    [
        ({"seeds": 0}, "repeat.seeds is 0, but must be at least 1"),
        ({"folds": 1}, "repeat.folds is 1, but must be at least 3"),
        ({"folds": [["a"], ["b"]]}, "but must hold 3 at least"),
        ({"search": "twice"}, "repeat.search is 'twice', but must be one of once, each"),
        ({"seed": 3}, "did you mean 'seeds'?"),
    ],
)
def test_what_it_must_not_be(section: object, told: str) -> None:
    with pytest.raises(UserError, match=told.replace("?", r"\?")):
        repeat_of(section)


@pytest.mark.parametrize("repeat,told", [({}, ""), ({"seeds": 3}, "then 2 members of the picked")])
def test_the_plan_tells_of_members(tmp_path: Path, repeat: object, told: str) -> None:
    text = plan_text(BASE | {"repeat": repeat}, tmp_path)
    assert told in text and ("member" in text) == bool(told)


def test_a_member_has_a_name() -> None:
    assert Member.named("fold-1/seed-12") == Member(1, 12)
    with pytest.raises(UserError, match="member 1: must be fold-"):
        Member.named("1")


def test_seeds_of_members_are_their_own() -> None:
    seeds = [trial_seed(1, j) for j in range(5)]
    drawn = [member_seed(seed, i) for seed in seeds for i in range(5)]
    assert drawn[0] == seeds[0], "the first member is the trial"
    others = [f(s, n) for f in (epoch_seed, trial_seed) for s in seeds for n in range(5)]
    others += [loader_seed(seed) for seed in seeds]
    assert len({*drawn, *others}) == len({*drawn}) + len({*others})
    assert len({*drawn}) == 25


def test_spread_of_seeds_is_that_of_a_text_book() -> None:
    values = [0.91, 0.93, 0.9, 0.95]
    found = spread_of({0: values})
    limits = stats.t.interval(0.95, 3, np.mean(values), stats.sem(values))
    assert found.mean == pytest.approx(np.mean(values))
    assert found.sd == pytest.approx(np.std(values, ddof=1))
    assert found.interval == pytest.approx(limits)


def test_with_folds_the_interval_is_that_of_their_means() -> None:
    values = {0: [1.0, 2.0], 1: [3.0, 5.0], 2: [4.0, math.nan]}
    found = spread_of(values)
    means = [1.5, 4.0, 4.0]
    assert found.mean == pytest.approx(3.0)
    limits = stats.t.interval(0.95, 2, np.mean(means), stats.sem(means))
    assert found.interval == pytest.approx(limits)


def test_of_one_value_and_of_none_there_is_no_spread() -> None:
    assert (spread_of({0: [2.0]}).mean, spread_of({0: [2.0]}).sd) == (2.0, None)
    assert spread_of({0: [math.nan]}).mean is None


@pytest.mark.parametrize("tree", [1, {"a": 1, "b": {"c": 2, "d": (3, 4)}}, (1, {"x": 2})])
def test_a_tree_is_made_of_its_leaves(tree: object) -> None:
    assert tree_of_leaves(dict(tree_leaves(tree))) == tree


@pytest.mark.parametrize(
    "folder,name",
    [
        ("out/members/fold-0/seed-3", "fold-0/seed-3"),
        ("best", ""),
        ("out/best", ""),
        ("members/fold-0/x", ""),
        ("", ""),
    ],
)
def test_a_folder_tells_its_member(folder: str, name: str) -> None:
    assert member_of(PurePath(folder)) == name
