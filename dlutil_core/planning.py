"""Writes `search/plan.json`: the plan, and the trials sampled from the search space."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from dlutil_core import files, plan, sampling
from dlutil_core.script import LOGGER
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

    else:
        made = plan.hyperband(max_epochs, eta)
        definition = Session(spec).definition
        function = definition.get("get_config", "the search")

        def get_config() -> dict[str, Any]:
            found: dict[str, Any] = definition.call("get_config", function)
            return found

    trials = sampling.sample_trials(get_config, made.trials, spec.seed, spec.definition)
    files.write_json(out, sampling.plan_document(made, method, spec.seed, trials))
    counts = (made.trials, "trial"), (len(made.brackets), "bracket"), (made.epochs, "epoch")
    trials_text, brackets_text, epochs_text = (f"{n} {w}{'s' * (n != 1)}" for n, w in counts)
    log.info("plan: %s in %s, %s in all", trials_text, brackets_text, epochs_text)
