"""What a run should be told before it starts: what nobody can see for it."""

from __future__ import annotations

import os
from pathlib import Path

from dlutil_core.common.errors import UserError
from dlutil_core.common.files import read_json
from dlutil_core.run.run_config import RunConfig


def run_notes(run: RunConfig) -> list[str]:
    """Sentences for the log."""
    analysis = run.analysis
    notes = []
    if analysis.whole:
        notes.append(
            f"{run.definition}: {analysis.whole}, so names cannot be followed: any change of the "
            "file runs every stage again"
        )
    notes += list(analysis.notes)
    unnamed = [n for n in analysis.environment if n in os.environ and n not in run.values["env"]]
    for name in unnamed:
        notes.append(
            f"{run.definition} reads the environment variable {name}, which env does not name: a "
            "change of it will not be noticed"
        )
    return [*notes, *new_training_files(run)]


def search_warnings(run: RunConfig) -> list[str]:
    """What speaks against the search that the result folder holds, where it is used as it is."""
    path = Path(run.result, "best", "provenance.json")
    if run.trains or not path.is_file():
        return []
    try:
        searched = read_json(path)["definition"]["train"]
    except (UserError, KeyError, TypeError):
        return []
    if searched == run.fingerprint("train"):
        return []
    return [
        f"the training part of {run.definition} has changed since the search in {run.result}; its "
        "model is used as it is, and --hyper (search.method: hyperband) searches again"
    ]


def new_training_files(run: RunConfig) -> list[str]:
    """Files that are new below the data folder, where any file may be one to train on."""
    path = Path(run.result, "best", "provenance.json")
    if run.values["data_files"]["train"] or run.planned or not run.trains or not path.is_file():
        return []
    try:
        known = read_json(path)["data_sha256"]
    except (UserError, KeyError, TypeError):
        return []
    return [
        f"{name} is new in {run.data}: without data_files.train every file there is taken for "
        "training data, so training runs again"
        for name in run.stage_files("train")
        if name not in known
    ]
