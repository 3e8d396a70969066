"""The stages of a staged search against their own arithmetic."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from dlutil_core.common.errors import UserError
from dlutil_core.search.outcome import promoted, ranked
from dlutil_core.search.plan import Bracket, hyperband
from dlutil_core.search.staged.stages import candidates, staged

STAGES = [[1], [6, 2], [20, 10, 3], [72, 36, 12, 4], [244, 124, 41, 15, 4]]
EPOCHS = [1, 10, 58, 288, 1224]


@dataclass(frozen=True)
class Found:
    trial: int
    score: float | None


def slots(max_epochs: int, eta: int = 3) -> list[list[int]]:
    return [[rung.trials for rung in stage.rungs] for stage in staged(max_epochs, eta).brackets]


def test_slots_and_epochs_are_those_of_the_documentation() -> None:
    assert slots(81) == STAGES
    assert [stage.epochs for stage in staged(81).brackets] == EPOCHS


@pytest.mark.parametrize("eta", [2, 3, 4, 5])
def test_a_smaller_search_is_the_beginning_of_a_larger_one(eta: int) -> None:
    larger = staged(eta**4, eta).brackets
    for power in range(4):
        assert staged(eta**power, eta).brackets == larger[: power + 1]


@pytest.mark.parametrize("eta", [2, 3, 4, 7, 10])
def test_any_search_spends_what_hyperband_spends_and_no_more(eta: int) -> None:
    for max_epochs in range(1, 260):
        made = staged(max_epochs, eta)
        assert made.epochs == hyperband(max_epochs, eta).epochs
        first = 0
        for stage in made.brackets:
            budgets = [rung.budget for rung in stage.rungs]
            assert stage.trials.start == first
            assert all(rung.trials >= 1 and rung.new_epochs >= 1 for rung in stage.rungs)
            assert budgets == sorted(set(budgets))
            first = stage.trials.stop
        assert made.brackets[-1].rungs[-1].budget == max_epochs


def planned_budgets(ended: list[tuple[Bracket, list[list[int]]]]) -> dict[int, int]:
    """How many epochs the plan gave each trial: those of its last rung in any stage."""
    budgets: dict[int, int] = {}
    for stage, rungs in ended:
        for rung, trials in zip(stage.rungs, rungs, strict=False):
            budgets |= {j: max(rung.budget, budgets.get(j, 0)) for j in trials}
    return budgets


@pytest.mark.parametrize("eta", [2, 3, 4, 7])
def test_there_are_trials_enough_for_every_slot(eta: int) -> None:
    for max_epochs in range(1, 200):
        ended: list[tuple[Bracket, list[list[int]]]] = []
        for stage in staged(max_epochs, eta).brackets:
            budgets = planned_budgets(ended)
            running, rungs = list(stage.trials), []
            for rung, planned in enumerate(stage.rungs):
                assert len(running) == planned.trials
                rungs.append(running)
                own = [Found(trial, 1.0) for trial in running]
                earlier = [Found(trial, 1.0) for trial in candidates(stage, rung, budgets)]
                assert not {f.trial for f in own} & {f.trial for f in earlier}
                running = promoted(ranked([*own, *earlier]), stage.slots_after(rung))
            ended.append((stage, rungs))


def test_trials_of_stages_before_compete_where_they_stopped() -> None:
    stages = staged(9).brackets
    budgets = planned_budgets([(stages[0], [[0]]), (stages[1], [[1, 2, 3, 4, 5, 6], [2, 0]])])
    assert candidates(stages[2], 0, budgets) == [1, 3, 4, 5, 6]
    assert candidates(stages[2], 1, budgets) == [0, 2]
    assert candidates(stages[2], 2, budgets) == []
    own = [Found(7, 0.5), Found(8, None), Found(9, 0.1)]
    earlier = [Found(0, 0.5), Found(2, 0.7)]
    assert promoted(ranked([*own, *earlier]), stages[2].slots_after(1)) == [2, 0, 7]


@pytest.mark.parametrize("wrong", [(0, 3), (9, 1), (2.5, 3), (True, 3)])
def test_a_wrong_number_is_a_sentence(wrong: tuple[int, int]) -> None:
    with pytest.raises(UserError, match="must be a whole number"):
        staged(*wrong)
