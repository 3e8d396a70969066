"""Writes `search/plan.json`: the plan, and the trials sampled from the search space."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any

from dlutil_core import files, plan, sampling
from dlutil_core.script import LOGGER
from dlutil_core.search_space import get_config_alone
from dlutil_core.session import Session, SessionSpec

log = logging.getLogger(LOGGER)


def write_plan(
    spec: SessionSpec, method: str, max_epochs: int, eta: int, config: dict[str, Any], out: Path
) -> None:
    """Plan and sample a search.

    Parameters
    ----------
    method
        `hyperband`, or `fixed` for the one configuration `config`.
    out
        Where to write `plan.json`.
    """
    if method == "fixed":
        made = plan.fixed(max_epochs)

        def get_config() -> dict[str, Any]:
            return config

        trials = sampling.sample_trials(get_config, made.trials, spec.seed, spec.definition)
    else:
        made = plan.hyperband(max_epochs, eta)
        session = Session(spec)  # sets environment variables
        trials = _sampled_alone(spec, made.trials) or _sampled(session, made.trials)
    files.write_json(out, sampling.plan_document(made, method, spec.seed, trials))
    counts = (made.trials, "trial"), (len(made.brackets), "bracket"), (made.epochs, "epoch")
    trials_text, brackets_text, epochs_text = (f"{n} {w}{'s' * (n != 1)}" for n, w in counts)
    log.info("plan: %s in %s, %s in all", trials_text, brackets_text, epochs_text)


def _sampled_alone(spec: SessionSpec, count: int) -> list[dict[str, Any]] | None:
    """Trials by `get_config` without the rest of the file; `None` where that does not do."""
    if "torch" in sys.modules:
        return None
    get_config = get_config_alone(spec.definition)
    try:
        return get_config and sampling.sample_trials(get_config, count, spec.seed, spec.definition)
    except Exception:  # what is wrong is told by the whole file
        return None


def _sampled(session: Session, count: int) -> list[dict[str, Any]]:
    """Trials by the whole file's `get_config`."""
    definition = session.definition
    function = definition.get("get_config", "the search")

    def get_config() -> dict[str, Any]:
        found: dict[str, Any] = definition.call("get_config", function)
        return found

    return sampling.sample_trials(get_config, count, session.spec.seed, session.spec.definition)
