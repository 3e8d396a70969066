"""The stages of a staged search: how many trials reach which budget, known before anything runs.

Stage `k` looks at trials of at most `eta**k` epochs, the last one at those of `R`. It spends what
Hyperband with that cap spends beyond Hyperband with the cap before, in equal shares over its rungs.
The closest precedent is Brandt, Wever, Bengs, Hüllermeier (2023): Iterative Deepening Hyperband.
"""

from __future__ import annotations

from collections.abc import Sequence

from dlutil_core.search.plan import (
    MODEL,
    STAGED,
    Bracket,
    Schedule,
    check_whole_number,
    hyperband,
    rungs_of,
)


def staged(max_epochs: int, eta: int = 3, sampler: str = MODEL) -> Schedule:
    """Schedule a staged search; its brackets are the stages, from 0 up.

    Where `max_epochs` is a power of `eta`, the stages of a smaller such search are the first ones
    of a larger. Otherwise the last stage is another one.

    Parameters
    ----------
    max_epochs
        `R`, the epochs of a trial that is never cut; at least 1.
    eta
        A rung's budget is `eta` times the one before; at least 2.
    sampler
        `model`: stages draw by what came of the ones before; `random`: without.
    """
    check_whole_number("max_epochs", max_epochs, least=1)
    check_whole_number("eta", eta, least=2)
    stages: list[Bracket] = []
    first_trial = 0
    spent = 0
    caps = caps_of(max_epochs, eta)
    for number, cap in enumerate(caps):
        budgets = [*caps[:number], cap]
        total = hyperband(cap, eta).epochs
        sizes = slots_of(budgets, total - spent)
        stages.append(
            Bracket(number, first_trial, rungs_of(list(zip(sizes, budgets, strict=True))))
        )
        first_trial += sizes[0]
        spent = total
    return Schedule(STAGED, max_epochs, eta, tuple(stages), sampler=sampler)


def caps_of(max_epochs: int, eta: int) -> list[int]:
    """The largest budget of each stage: 1, eta, eta² …, and `max_epochs` in place of the last."""
    caps = [1]
    while caps[-1] * eta <= max_epochs:
        caps.append(caps[-1] * eta)
    return [*caps[:-1], max_epochs]


def slots_of(budgets: Sequence[int], epochs: int) -> list[int]:
    """How many trials each rung of a stage takes, so that it spends `epochs` as far as it can.

    Each rung gets an equal share; what is left goes to the dearest slot that fits, again and again,
    where the rung before has trials for it. A rung has one slot at least.
    """
    costs = [b - before for b, before in zip(budgets, [0, *budgets], strict=False)]
    share = epochs // len(costs)
    slots = [max(1, share // cost) for cost in costs]
    left = epochs - sum(n * cost for n, cost in zip(slots, costs, strict=True))
    while rung := _dearest(slots, costs, left):
        slots[rung - 1] += 1
        left -= costs[rung - 1]
    return slots


def _dearest(slots: Sequence[int], costs: Sequence[int], left: int) -> int:
    """The last rung, counted from 1, that can have a slot more; 0 where none can."""
    for rung in reversed(range(len(slots))):
        if costs[rung] <= left and (rung == 0 or slots[rung] < slots[rung - 1]):
            return rung + 1
    return 0


def candidates(stage: Bracket, rung: int, budgets: dict[int, int]) -> list[int]:
    """The trials of stages before that compete for the promotions of a stage's rung.

    These are all whose planned budget is at least the rung's and below the next one's.
    """
    if rung + 1 >= len(stage.rungs):
        return []
    least, below = stage.rungs[rung].budget, stage.rungs[rung + 1].budget
    return sorted(trial for trial, budget in budgets.items() if least <= budget < below)
