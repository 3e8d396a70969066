"""The plan of a search as plain text: `dlutil plan`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dlutil_core.common.result_folder import PLAN
from dlutil_core.common.wording import counted
from dlutil_core.members.repeat import Repeat
from dlutil_core.run.config import validated
from dlutil_core.search.plan import FIXED, MODEL, RANDOM, Schedule, schedule
from dlutil_core.watch.state import State, read_state
from dlutil_core.watch.text import duration, size_text, table

DRAWN = {MODEL: "drawn by a model", RANDOM: "drawn at random"}


def plan_text(config: Mapping[str, Any], result: Path) -> str:
    """Brackets, rungs, trials and epochs of a config's search.

    Parameters
    ----------
    config
        The config; missing keys take their defaults.
    result
        Its result folder. Where it holds trained epochs, expected time and disk are told too.
    """
    values = validated(config)
    search = values["search"]
    method, epochs, eta = (search[k] for k in ("method", "max_epochs", "eta"))
    state = read_state(result, time.time()) if (result / PLAN).is_file() else None
    if method == "existing" and state is not None:
        made: Schedule = state.plan
    else:
        made = schedule(method, epochs, eta, search["sampler"])
    rows = [[made.kind, "rung", "trials", "to epoch", "epochs"]]
    for bracket in made.brackets:
        for index, rung in enumerate(bracket.rungs):
            trained = rung.trials * rung.new_epochs
            name = str(bracket.number) if index == 0 else ""
            rows.append([name, str(index), str(rung.trials), str(rung.budget), str(trained)])
    rows.append(["in all", "", str(made.trial_count), str(made.max_epochs), str(made.epochs)])
    name = "Staged search" if made.is_staged else "Hyperband"
    what = f"{name}, R = {made.max_epochs}, eta = {made.eta}"
    if made.is_staged:
        what += f", {DRAWN[made.sampler]}"
    if made.method == FIXED:
        what = "one configuration"
    lines = [f"{what}: {counted(made.trial_count, 'trial')}, {counted(made.epochs, 'epoch')}"]
    lines += [*_repeated(Repeat.of(values["repeat"]), made), ""]
    return "\n".join(lines + table(rows) + [""] + _expected(made, state)) + "\n"


def _repeated(repeat: Repeat, made: Schedule) -> list[str]:
    """What is trained of the picked configuration after the search."""
    further = sum(not member.is_best_model for member in repeat.members)
    if not further:
        return []
    return [
        f"then {counted(further, 'member')} of the picked configuration, of at most "
        f"{counted(made.max_epochs, 'epoch')} each"
    ]


def _expected(made: Schedule, state: State | None) -> list[str]:
    """Expected time and disk, from the epochs that were trained already."""
    rate = state.epochs_per_second if state is not None else None
    if state is None or rate is None:
        return ["Time and disk are told here once the first epochs are trained."]
    slots = sum(rung.trials for bracket in made.brackets for rung in bracket.rungs)
    sizes = [size for trial in state.trials.values() for size in trial.checkpoints]
    disk = ""
    if sizes:
        disk = f"; a checkpoint takes {size_text(sum(sizes) / len(sizes))}, all rungs' about "
        disk += size_text(slots * sum(sizes) / len(sizes))
    if state.plan.settings != made.settings:
        left = ", less what is trained already"  # of another plan; the run finds what it can use
    elif state.finished:
        left = "; it has ended, so no epoch is left"
    else:
        left = f", {duration(state.remaining_epochs / rate)} from here"
    return [
        f"So far {rate:.3g} epochs/s: about {duration(made.epochs / rate)} for the whole search"
        f"{left}{disk}."
    ]
