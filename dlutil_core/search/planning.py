"""Writes `search/plan.json`: the plan, and the trials sampled from the search space."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dlutil_core.common import files
from dlutil_core.common.logs import log
from dlutil_core.job.loaded_run import LoadedRun
from dlutil_core.job.run_spec import RunSpec
from dlutil_core.search import plan, sampling


def write_plan(
    spec: RunSpec, method: str, max_epochs: int, eta: int, config: dict[str, Any], out: Path
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
        trials = _sampled(LoadedRun(spec), made.trials)
    files.write_json(out, sampling.plan_document(made, method, spec.seed, trials))
    counts = (made.trials, "trial"), (len(made.brackets), "bracket"), (made.epochs, "epoch")
    trials_text, brackets_text, epochs_text = (f"{n} {w}{'s' * (n != 1)}" for n, w in counts)
    log.info("plan: %s in %s, %s in all", trials_text, brackets_text, epochs_text)


def _sampled(loaded: LoadedRun, count: int) -> list[dict[str, Any]]:
    """Trials by the whole file's `get_config`."""
    definition = loaded.definition
    function = definition.get("get_config", "the search")

    def get_config() -> dict[str, Any]:
        found: dict[str, Any] = definition.call("get_config", function)
        return found

    return sampling.sample_trials(get_config, count, loaded.spec.seed, loaded.spec.definition)
