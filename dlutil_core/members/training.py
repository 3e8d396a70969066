"""Trains a member: the configuration that a search picked, from another seed or on another fold.

A member is trained as the picked trial was, through a memo like a trial's, so that a killed one
goes on and a larger `repeat` trains the new ones alone.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from dlutil_core.common import files, result_folder
from dlutil_core.common.errors import UserError
from dlutil_core.common.logs import log
from dlutil_core.common.reads import Read
from dlutil_core.common.seeds import member_seed
from dlutil_core.job.loaded_run import LoadedRun
from dlutil_core.members.repeat import Member
from dlutil_core.search.leaderboard import read_standings
from dlutil_core.search.messages import Task
from dlutil_core.search.outcome import Outcome, outcome
from dlutil_core.search.plan import Plan, Trial
from dlutil_core.search.trial_folder import EpochRow
from dlutil_core.search.trial_key import memo_of
from dlutil_core.search.workers import WorkerPool


def keep_best_model(result: Path, out: Path) -> None:
    """The first member is the best model of the search: its weights and history, byte for byte.

    Parameters
    ----------
    result
        The result folder, with `best/`.
    out
        The member's folder.
    """
    for source, name in (
        (result_folder.BEST_MODEL, result_folder.MEMBER_MODEL),
        (result_folder.BEST_HISTORY, result_folder.MEMBER_HISTORY),
    ):
        with files.atomic_path(out / name) as temporary:
            shutil.copyfile(result / source, temporary)


def train_member(
    loaded: LoadedRun, plan: Plan, leaderboard: Path, member: Member, out: Path
) -> tuple[Read, ...]:
    """Train a member and write its weights and history to the folder `out`.

    It gets the picked trial's configuration and as many epochs at most as that trial was given;
    kept are the weights of its own best epoch.

    Parameters
    ----------
    loaded
        The run, with the data of the member's fold and a folder of memos of its own.
    plan, leaderboard
        The search, and its `best/leaderboard.csv`.

    Returns
    -------
    What it read.

    Raises
    ------
    UserError
        The training diverges or fails from this seed.
    """
    from dlutil_core.model.checkpoint import write_checkpoint
    from dlutil_core.search.trainer import Trainer

    picked = read_standings(leaderboard)[0]
    trial = trial_of(plan.trials[picked.trial], member)
    found = _trained(loaded, trial, picked.budget, member)
    if found.failed:
        raise UserError(_sentence(member, trial, found))
    assert found.best_epoch is not None
    state = Trainer(loaded).best_state(trial, found.best_epoch)
    told: dict[str, Any] = {"trial": trial.number, "epoch": found.best_epoch, "score": found.score}
    content = {**state, **told, "config": trial.config}
    write_checkpoint(out / result_folder.MEMBER_MODEL, content)
    files.write_csv(out / result_folder.MEMBER_HISTORY, list(found.rows[0]), found.rows)
    log.info(
        "member %s: best score %.6g in epoch %d of %d",
        *(member.name, found.score, found.best_epoch, len(found.rows)),
    )
    own = set(loaded.reads()) if loaded.is_loaded else set()
    return tuple(sorted(own | set(memo_of(loaded, trial).read_by_trial())))


def trial_of(picked: Trial, member: Member) -> Trial:
    """The picked trial with the member's seed; seed 0 is the trial's own."""
    seed = member_seed(picked.seed, member.seed)
    return Trial(picked.number, seed, picked.config, picked.bracket)


def _trained(loaded: LoadedRun, trial: Trial, budget: int, member: Member) -> Outcome:
    """What came of it at this budget, trained as far as its memo does not hold it."""
    patience = loaded.spec.options.early_stop
    held = outcome(trial.number, memo_of(loaded, trial).record(), budget, patience)
    if held is not None:
        return held

    def progress(_: int, row: EpochRow) -> None:
        shown = " ".join(f"{k}={v:.6g}" for k, v in row.items() if k != "epoch")
        log.debug("member %s epoch %d/%d %s", member.name, row["epoch"], budget, shown)

    with WorkerPool(loaded, 1, progress) as pool:
        return pool.train([Task(trial, budget)])[trial.number]


def _sentence(member: Member, trial: Trial, found: Outcome) -> str:
    return (
        f"member {member.name}: trial {trial.number}, which the search picked, "
        f"{found.status.replace('-', ' ')} from another seed or on another fold ({found.message}); "
        "make its training steadier (a smaller learning rate, clip_norm), or repeat fewer seeds"
    )
