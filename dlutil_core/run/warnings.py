"""What a run should be told before it starts: what nobody can see for it."""

from __future__ import annotations

import os
from pathlib import Path

from dlutil_core.common.errors import UserError
from dlutil_core.common.files import read_json
from dlutil_core.common.result_folder import BEST_PROVENANCE
from dlutil_core.run.judge import Judge
from dlutil_core.run.run_config import RunConfig


def run_warnings(run: RunConfig) -> list[str]:
    """Sentences for the terminal."""
    analysis = run.analysis
    found = []
    if analysis.whole:
        found.append(
            f"{run.definition}: {analysis.whole}, so names cannot be followed: any change of the "
            "file runs every stage again"
        )
    found += list(analysis.warnings)
    unnamed = [n for n in analysis.environment if n in os.environ and n not in run.values["env"]]
    for name in unnamed:
        found.append(
            f"{run.definition} reads the environment variable {name}, which env does not name: a "
            "change of it will not be noticed"
        )
    return found


def result_warnings(run: RunConfig, judge: Judge) -> list[str]:
    """What the result folder holds that this run does not go on with."""
    found = [
        f"{path}: is damaged (it is not what the run wrote), so it is made again"
        for path in judge.damaged
    ]
    folder = Path(run.result)
    if (folder / "search" / "plan.json").is_file() and not (folder / "identity").is_dir():
        found.append(
            f"{run.result}: its results were made by a version of dlutil that kept no identities; "
            "all but trials that are the present ones is made again"
        )
    return found + _other_seed(run) + _other_training(run)


def _other_seed(run: RunConfig) -> list[str]:
    """Another seed in the same folder is most often an oversight."""
    if not run.trains or not run.plan_path.is_file():
        return []
    try:
        before = read_json(run.plan_path)["seed"]
    except (UserError, KeyError, TypeError):
        return []
    if before == run.seed:
        return []
    return [
        f"{run.result}: holds results of seed {before}, which those of seed {run.seed} replace; "
        "give another result folder to keep both"
    ]


def _other_training(run: RunConfig) -> list[str]:
    """What speaks against the search that the result folder holds, where it is used as it is."""
    path = Path(run.result, BEST_PROVENANCE)
    if run.trains or not path.is_file():
        return []
    try:
        searched = read_json(path)["definition"]["train"]
    except (UserError, KeyError, TypeError):
        return []
    if searched == run.analysis.fingerprints["train"]:
        return []
    return [
        f"the training part of {run.definition} has changed since the search in {run.result}; its "
        "model is used as it is, and --hyper (search.method: hyperband) searches again"
    ]
