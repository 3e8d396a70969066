"""The searches that are compared: what each picks when all may train equally many epochs.

A search asks an `Objective` for outcomes and knows nothing else of it, so it runs alike on trials
that are trained and on tables of learning curves.
"""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Protocol

from spaces import Space, drawn

from dlutil_core.common.seeds import sampler_seed, trial_seed
from dlutil_core.search import sampling
from dlutil_core.search.outcome import Outcome, promoted, ranked
from dlutil_core.search.plan import MODEL, RANDOM, Trial, hyperband
from dlutil_core.search.staged.draws import Seen, chosen
from dlutil_core.search.staged.stages import candidates, staged

ETA = 3
OTHER_TRIALS = 10_000
"""Peers train trials of numbers from here on, so that these begin otherwise than dlutil's."""


class Objective(Protocol):
    """What is searched."""

    epochs: int
    """How many were trained so far."""

    def to(self, trial: Trial, budget: int) -> Outcome:
        """The outcome of a trial at a budget, trained on from where it is."""


Search = Callable[[Objective, Space, int, int], Outcome]
"""Of an objective, a space, R and a seed: the outcome of the trial that is picked."""


def of_hyperband(objective: Objective, space: Space, max_epochs: int, seed: int) -> Outcome:
    """Hyperband as dlutil plans and ranks it."""
    plan = hyperband(max_epochs, ETA)
    trials = sampling.sample_trials(partial(drawn, space), plan, seed)
    last: dict[int, Outcome] = {}
    for bracket in plan.brackets:
        running = list(bracket.trials)
        for i, rung in enumerate(bracket.rungs):
            order = ranked([objective.to(trials[j], rung.budget) for j in running])
            last |= {one.trial: one for one in order}
            running = promoted(order, bracket.slots_after(i))
    return ranked(last.values())[0]


def of_stages(
    objective: Objective, space: Space, max_epochs: int, seed: int, sampler: str = MODEL
) -> Outcome:
    """The staged search as dlutil plans, draws and ranks it."""
    plan = staged(max_epochs, ETA, sampler)
    get_config = partial(drawn, space)
    trials = {t.number: t for t in sampling.sample_trials(get_config, plan, seed)}
    pools = sampling.sample_pools(get_config, plan, seed)
    last: dict[int, Outcome] = {}
    budgets: dict[int, int] = {}
    for stage in plan.brackets:
        if sampler == MODEL:
            seen = [Seen(j, trials[j].config, budgets[j], last[j].score) for j in sorted(last)]
            plain = [trials[j].config for j in stage.trials]
            pool = pools.get(stage.number, [])
            picks = chosen(plain, pool, seen, sampler_seed(seed, stage.number))
            for j, config in zip(stage.trials, picks, strict=True):
                trials[j] = Trial(j, trials[j].seed, config, stage.number)
        before = dict(budgets)
        running = list(stage.trials)
        for i, rung in enumerate(stage.rungs):
            earlier = [last[j] for j in candidates(stage, i, before)]
            own = [objective.to(trials[j], rung.budget) for j in running]
            last |= {one.trial: one for one in own}
            budgets |= dict.fromkeys(running, rung.budget)
            running = promoted(ranked([*own, *earlier]), stage.slots_after(i))
    return ranked(last.values())[0]


def at_random(objective: Objective, space: Space, max_epochs: int, seed: int) -> Outcome:
    """As many trials at random, each trained to the end, as the epochs allow."""
    count = hyperband(max_epochs, ETA).epochs // max_epochs
    configs = sampling.sample_configs(partial(drawn, space), count, OTHER_TRIALS + seed)
    return ranked([objective.to(other(j, seed, c), max_epochs) for j, c in enumerate(configs)])[0]


def other(number: int, seed: int, config: dict[str, Any]) -> Trial:
    """A trial of a peer."""
    return Trial(number, trial_seed(OTHER_TRIALS + seed, number), config, 0)


def of_optuna(objective: Objective, space: Space, max_epochs: int, seed: int) -> Outcome:
    """Optuna's Hyperband drawn by TPE, with trials until the epochs are spent."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    allowed = hyperband(max_epochs, ETA).epochs
    last: dict[int, Outcome] = {}

    def rewarded(trial: Any) -> float:
        config = {name: domain.suggest(trial, name) for name, domain in space.items()}
        for epoch in range(1, max_epochs + 1):
            found = objective.to(other(trial.number, seed, config), epoch)
            last[trial.number] = found
            if found.score is None or objective.epochs >= allowed:
                trial.study.stop() if objective.epochs >= allowed else None
                raise optuna.TrialPruned
            trial.report(found.score, epoch)
            if trial.should_prune():
                raise optuna.TrialPruned
        return found.score

    study = optuna.create_study(
        study_name=f"seed {seed}",  # which a trial's bracket depends on
        sampler=optuna.samplers.TPESampler(seed=seed),
        pruner=optuna.pruners.HyperbandPruner(1, max_epochs, ETA),
        direction="maximize",
    )
    study.optimize(rewarded)
    return ranked(last.values())[0]


def of_bohb(objective: Objective, space: Space, max_epochs: int, seed: int) -> Outcome:
    """BOHB (Falkner et al. 2018): Hyperband's brackets, drawn by hpbandster's model.

    That model is what Ray's `TuneBOHB` draws by, too.
    """
    from ConfigSpace import ConfigurationSpace
    from hpbandster.optimizers.config_generators.bohb import BOHB

    told = ConfigurationSpace(seed=seed)
    plan = hyperband(max_epochs, ETA)
    last: dict[int, Outcome] = {}
    with quiet():
        import numpy as np

        np.random.seed(seed)
        told.add([domain.parameter(name) for name, domain in space.items()])
        model = BOHB(told)
        for bracket in plan.brackets:
            drawn_: dict[int, dict[str, Any]] = {}
            running = list(bracket.trials)
            for i, rung in enumerate(bracket.rungs):
                found = []
                for j in running:
                    if i == 0:
                        drawn_[j] = dict(model.get_config(rung.budget)[0])
                    config = {name: space[name].value(value) for name, value in drawn_[j].items()}
                    found.append(objective.to(other(j, seed, config), rung.budget))
                    model.new_result(Job(drawn_[j], rung.budget, found[-1].score))
                order = ranked(found)
                last |= {one.trial: one for one in order}
                running = promoted(order, bracket.slots_after(i))
    return ranked(last.values())[0]


class Job:
    """A result as hpbandster takes it."""

    def __init__(self, config: dict[str, Any], budget: int, score: float | None) -> None:
        self.exception = None
        self.timestamps: dict[str, float] = {}
        self.kwargs = {"config": config, "budget": float(budget)}
        self.result = None if score is None else {"loss": -score}


@contextlib.contextmanager
def quiet() -> Any:
    """Without what a library of 2018 says to numpy and ConfigSpace of today."""
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(logging.NOTSET)


def contestants(installed: Iterable[str]) -> dict[str, Search]:
    """All searches that can run here, by name; dlutil's first."""
    found: dict[str, Search] = {
        "staged, model": of_stages,
        "staged, random": partial(of_stages, sampler=RANDOM),
        "hyperband": of_hyperband,
        "random search": at_random,
    }
    if "optuna" in installed:
        found["Optuna, TPE"] = of_optuna
    if "hpbandster" in installed:
        found["BOHB"] = of_bohb
    return found
