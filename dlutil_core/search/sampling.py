"""Samples a search: which configuration and which seed each trial has; writes `search/plan.json`.

Trial `j` depends on the run's seed, `j` and the configurations before it alone, so a search with
more epochs begins with the very trials of the smaller one.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from dlutil_core.common import result_folder
from dlutil_core.common.errors import UserError
from dlutil_core.common.logs import log
from dlutil_core.common.reads import Read
from dlutil_core.common.seeds import pool_seed, seed_everything, trial_seed
from dlutil_core.common.wording import counted, shortened
from dlutil_core.job.loaded_run import LoadedRun
from dlutil_core.job.run_spec import RunSpec
from dlutil_core.search.known_configs import known_configs
from dlutil_core.search.plan import FIXED, Plan, Schedule, Trial, schedule
from dlutil_core.search.staged.proposals import pool_sizes, write_draws

REPEATED = 8
"""How many configurations are drawn twice, to see whether they are random by the seed alone."""

SHOWN = 100
"""How many draws at least show which keys `get_config` gives, where known ones are checked."""

DRAWS = 100
"""How often a configuration that was already drawn is drawn again before it is accepted."""


def write_plan(
    spec: RunSpec,
    method: str,
    max_epochs: int,
    eta: int,
    config: dict[str, Any],
    out: Path,
    start: Sequence[Mapping[str, Any]] = (),
    sampler: str | None = None,
) -> tuple[Read, ...]:
    """Plan and sample a search.

    Parameters
    ----------
    method
        `hyperband`, `staged`, or `fixed` for the one configuration `config`.
    out
        Where to write `plan.json`; beside it lie the draws of a staged search.
    start
        Known configurations, those of the first trials.
    sampler
        How a staged search draws; `None`: by its model.

    Returns
    -------
    What `def.py` read for it.
    """
    made = schedule(method, max_epochs, eta, sampler)
    loaded = LoadedRun(replace(spec, data_files=()))  # no configuration depends on data
    get_config = (lambda: config) if method == FIXED else _get_config(loaded)
    trials = sample_trials(get_config, made, spec.seed, spec.definition, start)
    if not is_repeatable(get_config, spec.seed):
        log.warning(
            "warning: %s: get_config gives other configurations each time under the same seed, so "
            "this search cannot be repeated; draw from random, numpy.random or torch without "
            "generators of your own, such as random.SystemRandom, secrets or default_rng()",
            spec.definition,
        )
    plan = Plan.of(made, spec.seed, trials)
    if made.is_staged:
        pools = sample_pools(get_config, made, spec.seed, spec.definition)
        write_draws(out.parent / Path(result_folder.DRAWS).name, plan, pools, len(start))
    plan.write(out)
    log.info(
        "plan: %s in %s, %s in all",
        counted(made.trial_count, "trial"),
        counted(len(made.brackets), made.kind),
        counted(made.epochs, "epoch"),
    )
    return loaded.reads() if loaded.is_loaded else ()


def _get_config(loaded: LoadedRun) -> Callable[[], Any]:
    """The whole file's `get_config`, whose errors become sentences."""
    definition = loaded.definition
    function = definition.get("get_config", "the search")
    return lambda: definition.call("get_config", function)


def is_repeatable(get_config: Callable[[], Any], seed: int) -> bool:
    """Whether `get_config` gives the same configuration twice under the same seeds."""
    for number in range(REPEATED):
        found = []
        for _ in range(2):
            seed_everything(trial_seed(seed, number))
            try:
                found.append(plain_config(get_config()))
            except UserError:  # of a list of configurations that has come to its end, say
                return False
        if found[0] != found[1]:
            return False
    return True


def sample_trials(
    get_config: Callable[[], Any],
    planned: Schedule,
    seed: int,
    source: str = "def.py",
    start: Sequence[Mapping[str, Any]] = (),
) -> tuple[Trial, ...]:
    """Draw the trials of a schedule, each under its own seed.

    Parameters
    ----------
    get_config
        The function of `def.py`, called without arguments.
    planned
        How many trials there are, and which bracket each starts in.
    source
        The file's name, for error messages.
    start
        Known configurations, those of the first trials; the others are what they are without.
    """
    count = planned.trial_count
    configs = sample_configs(get_config, count, seed, source)
    if start:
        known = known_configs(start, configs + _more(get_config, count, seed, source), source)
        configs = sample_configs(get_config, count, seed, source, known)
    owner = {j: bracket.number for bracket in planned.brackets for j in bracket.trials}
    return tuple(
        Trial(number, trial_seed(seed, number), config, owner[number])
        for number, config in enumerate(configs)
    )


def sample_configs(
    get_config: Callable[[], Any],
    count: int,
    seed: int,
    source: str = "def.py",
    known: Sequence[dict[str, Any]] = (),
) -> list[dict[str, Any]]:
    """Draw `count` configurations, each under its trial's seed; equal ones are drawn again.

    The first ones are those that are known.
    """
    configs = [dict(config) for config in known]
    seen = {json.dumps(config, sort_keys=True) for config in known}
    for number in range(len(known), count):
        seed_everything(trial_seed(seed, number))
        for _ in range(DRAWS):
            config = plain_config(_drawn(get_config, number, count, source), source)
            key = json.dumps(config, sort_keys=True)
            if key not in seen:
                break
        seen.add(key)
        configs.append(config)
    return configs


def sample_pools(
    get_config: Callable[[], Any], planned: Schedule, seed: int, source: str = "def.py"
) -> dict[int, list[dict[str, Any]]]:
    """Draws that the stages of a staged search may pick, by stage, each under its own seed."""
    found: dict[int, list[dict[str, Any]]] = {}
    sizes = pool_sizes(planned)
    count = planned.trial_count + sum(sizes.values())
    number = planned.trial_count
    for stage, size in sizes.items():
        found[stage] = []
        for draw in range(size):
            seed_everything(pool_seed(seed, stage, draw))
            found[stage].append(plain_config(_drawn(get_config, number, count, source), source))
            number += 1
    return found


def _more(
    get_config: Callable[[], Any], count: int, seed: int, source: str
) -> list[dict[str, Any]]:
    """Draws of a search's next trials, so that a small one shows a key that few draws have."""
    found = []
    for number in range(count, SHOWN):
        seed_everything(trial_seed(seed, number))
        found.append(plain_config(_drawn(get_config, number, SHOWN, source), source))
    return found


def _drawn(get_config: Callable[[], Any], number: int, count: int, source: str) -> Any:
    """What `get_config` gives for trial `number`; that it gives no more is told with how many."""
    try:
        return get_config()
    except StopIteration:
        why = "get_config gave no more (StopIteration)"
    except UserError as error:
        if not number:
            raise
        why = str(error)
    raise UserError(
        f"{source}: the search takes {count} configurations, and after {number} {why}: draw at "
        "random, begin anew after the last one (itertools.cycle), or search with fewer epochs"
    )


def plain_config(config: Any, source: str = "def.py") -> dict[str, Any]:
    """A configuration of JSON values: numpy's scalars become Python's, tuples become lists."""
    if not isinstance(config, dict):
        raise UserError(
            f"{source}: get_config returned {_shown(config)}, but must return a dictionary of "
            "hyperparameters"
        )
    plain: dict[str, Any] = _plain(config, f"{source}: get_config", "")
    return plain


def _plain(value: Any, source: str, key: str) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, dict):
        for name in value:
            if not isinstance(name, str):
                raise UserError(f"{source} returned the key {name!r}, but keys must be texts")
        return {name: _plain(part, source, f"{key}.{name}") for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part, source, key) for part in value]
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    raise UserError(
        f"{source} returned {_shown(value)} for '{key.lstrip('.')}', which JSON cannot hold: use "
        "finite numbers, texts, booleans, lists and dictionaries"
    )


def _shown(value: Any) -> str:
    return f"{shortened(repr(value), 60)} ({type(value).__name__})"
