"""Which configurations a stage tries: `search/draws.json` and `search/stage-{k}/trials.json`.

All draws of `get_config` are made when the search is planned, so that a stage's choice among them
takes files alone, and a moment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dlutil_core.common import files, result_folder
from dlutil_core.common.errors import UserError
from dlutil_core.common.logs import log
from dlutil_core.common.seeds import sampler_seed
from dlutil_core.search.plan import MODEL, Plan, Schedule
from dlutil_core.search.staged.draws import LEAST_SEEN, chosen, pool_size
from dlutil_core.search.staged.earlier import Earlier


def pool_sizes(planned: Schedule) -> dict[int, int]:
    """How many draws each stage picks from beside its plain ones, by its number."""
    return {
        stage.number: pool_size(len(stage.trials))
        for stage in planned.brackets
        if planned.sampler == MODEL and stage.first_trial >= LEAST_SEEN
    }


def write_draws(
    path: Path, plan: Plan, pools: Mapping[int, Sequence[dict[str, Any]]], known: int
) -> None:
    """Write what each stage draws from.

    Parameters
    ----------
    plan
        The plan, whose trials have their plain draws.
    pools
        Further draws of stages by number.
    known
        How many of the first trials have configurations of `search.start`.
    """
    stages = [
        {
            result_folder.STAGE: stage.number,
            "known": max(0, min(known, stage.trials.stop) - stage.first_trial),
            "plain": [plan.trials[j].config for j in stage.trials],
            "pool": list(pools.get(stage.number, ())),
        }
        for stage in plan.brackets
    ]
    files.write_json(path, {"sampler": plan.sampler, "stages": stages})


def propose(plan: Path, draws: Path, stage: int, out: Path) -> None:
    """Write the configurations of a stage's trials.

    Parameters
    ----------
    plan, draws
        `search/plan.json` and `search/draws.json`; the stages before lie beside them.
    """
    planned = Plan.read(plan)
    bracket = planned.bracket(stage)
    told = files.read_json(draws)
    entry = next((e for e in told["stages"] if e[result_folder.STAGE] == stage), None)
    if entry is None or len(entry["plain"]) != len(bracket.trials):
        raise UserError(f"{draws}: not the draws of {plan}; remove both and run again")
    configs = entry["plain"]
    if told["sampler"] == MODEL:
        seen = Earlier.read(planned, stage, plan.parent.parent).seen(planned)
        seed = sampler_seed(planned.seed, stage)
        configs = chosen(configs, entry["pool"], seen, seed, entry["known"])
    trials = [
        {"trial": number, "config": config}
        for number, config in zip(bracket.trials, configs, strict=True)
    ]
    files.write_json(out, {result_folder.STAGE: stage, "trials": trials})
    log.debug("stage %d: %d trials are proposed", stage, len(trials))
