"""The best model of a search, and the checkpoints that go once it is found; without torch."""

from __future__ import annotations

import shutil
from pathlib import Path

from dlutil_core.common import files, result_folder
from dlutil_core.common.errors import UserError
from dlutil_core.search import leaderboard
from dlutil_core.search.leaderboard import Standing
from dlutil_core.search.plan import Plan


def select_best(plan: Plan, brackets: list[Path], result: Path) -> Standing:
    """Write `best/` of the best trial: model, configuration, history, leaderboard, network.

    Parameters
    ----------
    brackets
        Folders of the brackets, with what their jobs left.
    result
        The result folder.

    Returns
    -------
    The winner's line of the leaderboard.
    """
    standings = leaderboard.final_standings(
        [leaderboard.read_standings(folder / result_folder.LEADERBOARD) for folder in brackets]
    )
    winner = standings[0]
    if winner.failed:
        raise UserError(f"{brackets[0].parent}: no trial of the search succeeded")
    name = Path(result_folder.bracket(winner.bracket, plan.kind)).name
    folder = next(f for f in brackets if f.name == name)
    # The last stage holds the best of all, whichever stage trained it.
    kept = brackets[-1] if plan.is_staged else folder
    _copy(kept / result_folder.BEST_STATE, result / result_folder.BEST_MODEL)
    _copy(kept / result_folder.NETWORK, result / result_folder.BEST_NETWORK)
    files.write_json(result / result_folder.BEST_CONFIG, plan.trials[winner.trial].config)
    history = leaderboard.read_histories(folder / result_folder.HISTORY)[winner.trial]
    files.write_csv(result / result_folder.BEST_HISTORY, list(history[0]), history)
    leaderboard.write_final(result / result_folder.BEST_LEADERBOARD, standings)
    return winner


def _copy(source: Path, target: Path) -> None:
    with files.atomic_path(target) as temporary:
        shutil.copyfile(source, temporary)


def prune(trials: Path, standings: list[Standing], max_epochs: int, keep: str) -> int:
    """Remove checkpoints of an ended search; histories stay. Returns how many bytes were freed.

    Parameters
    ----------
    trials
        The folder of the trials' memos.
    standings
        The lines of `best/leaderboard.csv`.
    keep
        `survivors`: those of trials that reached the last epoch stay; `best`: only the best
        trial's.
    """
    if keep == "best":
        kept = {standings[0].trial}
    else:
        kept = {found.trial for found in standings if found.budget == max_epochs}
    freed = 0
    for folder in sorted(trials.glob("[0-9]*")):
        if int(folder.name) in kept:
            continue
        for path in [*folder.glob("at-*.pt"), *folder.glob("last.pt")]:
            freed += path.stat().st_size
            path.unlink()
    return freed
