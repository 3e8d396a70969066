"""Trials: which configuration and which seed each has.

Trial `j` depends on the run's seed, `j` and the configurations before it alone, so a search with
more epochs begins with the very trials of the smaller one.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from dlutil_core.common.errors import UserError
from dlutil_core.common.seeds import seed_everything, trial_seed
from dlutil_core.search.plan import Plan

DRAWS = 100
"""How often a configuration that was already drawn is drawn again before it is accepted."""


def sample_trials(
    get_config: Callable[[], Any], count: int, seed: int, source: str = "def.py"
) -> list[dict[str, Any]]:
    """Draw `count` trials: dictionaries with `trial`, `seed` and `config`.

    Parameters
    ----------
    get_config
        The function of `def.py`, called without arguments under the trial's seed.
    source
        The file's name, for error messages.
    """
    trials = []
    seen: set[str] = set()
    for number in range(count):
        own_seed = trial_seed(seed, number)
        seed_everything(own_seed)
        for _ in range(DRAWS):
            config = plain_config(_drawn(get_config, number, count, source), source)
            key = json.dumps(config, sort_keys=True)
            if key not in seen:
                break
        seen.add(key)
        trials.append({"trial": number, "seed": own_seed, "config": config})
    return trials


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


def plan_document(
    plan: Plan, method: str, seed: int, trials: list[dict[str, Any]]
) -> dict[str, Any]:
    """The content of `search/plan.json`."""
    owner = {j: bracket.number for bracket in plan.brackets for j in bracket.trials}
    return {
        "method": method,
        "max_epochs": plan.max_epochs,
        "eta": plan.eta,
        "seed": seed,
        "brackets": [
            {
                "bracket": bracket.number,
                "trials": list(bracket.trials),
                "rungs": [{"trials": r.trials, "epochs": r.epochs} for r in bracket.rungs],
            }
            for bracket in plan.brackets
        ],
        "trials": [
            {
                "trial": t["trial"],
                "bracket": owner[t["trial"]],
                "seed": t["seed"],
                "config": t["config"],
            }
            for t in trials
        ],
    }


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
    text = repr(value)
    if len(text) > 60:
        text = text[:57] + "..."
    return f"{text} ({type(value).__name__})"
