"""How often another seed would have picked the same configuration, and the band of curves."""

from __future__ import annotations

import numpy as np
import pytest

from dlutil_core.report.collect import Members
from dlutil_core.report.stability import Choice, _text, band, runners_up
from dlutil_core.search.leaderboard import Standing


def standing(trial: int, score: float) -> Standing:
    return Standing(1, trial, 0, 9, score, 3, "ok", "", {}, {})


def choice(scores: list[float], others: list[float]) -> Choice:
    sd = float(np.std(scores, ddof=1))
    rivals = [standing(k, score) for k, score in enumerate(others, start=1)]
    return Choice(scores, float(np.mean(scores)), sd, rivals)


def test_other_seeds_that_score_above_the_next_best_are_counted() -> None:
    assert choice([5.0, 4.0, 2.0, 3.5], [3.0, 1.0]).ahead == 2, "not the picked one itself"


def test_the_chance_is_that_of_many_searches() -> None:
    found = choice([1.0, 1.2, 0.9, 1.3], [1.05, 0.9, 0.5])
    rng = np.random.default_rng(1)
    own = rng.normal(found.mean, found.sd, 200_000)
    rivals = [rng.normal(other.score, found.sd, 200_000) for other in found.others]
    drawn = float(np.mean(own > np.max(rivals, axis=0)))
    assert found.again() == pytest.approx(drawn, abs=0.005)


def test_the_chance_lies_between_none_and_all() -> None:
    assert choice([9.0, 9.1], [1.0]).again() == pytest.approx(1)
    assert choice([1.0, 1.1], [9.0]).again() == pytest.approx(0, abs=1e-9)
    assert choice([1.0, 2.0], [1.5]).again() == pytest.approx(0.5)


def test_runners_up_are_told_by_their_distance_in_deviations() -> None:
    found = choice([1.0, 3.0], [1.0, 0.0, -1.0, -2.0, -3.0, -4.0])
    table = runners_up(found, standing(0, 3.0))
    assert [row[1] for row in table.rows] == ["0", "1", "2", "3", "4", "5"]
    assert table.rows[1][2:] == ["1", "1", "0.71"]


def test_a_band_is_that_of_the_members_that_were_trained_so_long() -> None:
    middle, lower, upper = band([[(1, 1.0), (2, 2.0)], [(1, 3.0)]])
    assert middle == [(1, 2.0), (2, 2.0)]
    assert lower[0][1] == pytest.approx(2 - 2**0.5) and upper[0][1] == pytest.approx(2 + 2**0.5)
    assert lower[1] == upper[1] == (2, 2.0)


def test_that_other_folds_test_what_the_choice_saw_is_told_where_there_are_folds() -> None:
    def told(folds: int) -> str:
        rows = [{"fold": str(k), "seed": str(i)} for k in range(folds) for i in range(2)]
        return _text(Members(rows, {}, {}))

    assert "picked in fold 0" in told(3) and "on 3 folds from 2 seeds each" in told(3)
    assert "fold" not in told(1)
