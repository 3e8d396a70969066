"""Whether a trial is what its seed and configuration make it: looked at once, in a process apart.

A process is forked that has trained nothing. There a trial that was trained after others is trained
for its first epoch again, which shows what one trial leaves behind for the next, and is restored
from its checkpoint, which shows what that does not hold. It works while the search goes on.
"""

from __future__ import annotations

import multiprocessing as mp
import os
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from dlutil_core.common.errors import UserError
from dlutil_core.common.logs import log
from dlutil_core.job.loaded_run import LoadedRun
from dlutil_core.search.outcome import Outcome
from dlutil_core.search.plan import Trial
from dlutil_core.search.restored import StateOutsideSave, difference
from dlutil_core.search.trial_folder import EpochRow
from dlutil_core.search.trial_key import memo_of

VARIABLE = "DLUTIL_SECOND_LOOK"
"""Set to 1 where an epoch is trained to compare it, for code that counts or writes as it trains."""


@dataclass(frozen=True)
class Looked:
    """What was seen: what is different, the sentence that ends the job, whether all is well."""

    leak: str | None = None
    failure: str | None = None
    restored: bool = False


class SecondLook:
    """A trial that is trained and restored again in a process of its own.

    Parameters
    ----------
    loaded
        The run, with its definition and loaders.
    trial, outcome, budget
        The trial, what came of it in the first rung, and that rung's budget.
    retrain
        Whether its first epoch is trained again.
    """

    def __init__(
        self, loaded: LoadedRun, trial: Trial, outcome: Outcome, budget: int, retrain: bool
    ) -> None:
        from dlutil_core.search.workers import leave_with

        self.trial = trial
        self.memo = memo_of(loaded, trial)
        limit = loaded.spec.epoch_timeout
        self.patience = None if limit is None else 120 * limit
        self.connection, far = mp.Pipe()
        context: Any = mp.get_context("fork")

        def look() -> None:
            threading.Thread(target=leave_with, args=(parent,), daemon=True).start()
            os.environ[VARIABLE] = "1"
            with suppress(OSError):
                far.send(_looked(loaded, trial, outcome, budget, retrain))

        parent = os.getpid()
        self.process = context.Process(target=look)
        self.process.start()
        far.close()

    def finish(self) -> None:
        """Wait for it, and say what was seen; what a checkpoint does not hold is an error."""
        found = Looked()
        with suppress(EOFError, OSError):  # what ends its process is told where trials are trained
            if self.connection.poll(self.patience):
                found = self.connection.recv()
        self.stop()
        if found.leak is not None:
            log.warning(
                "warning: trial %d: its first epoch is another one when it is trained again in a "
                "process that has trained nothing before (%s), so results depend on what is "
                "trained where; something in the definition is random without the seed, or goes "
                "from one trial to the next, such as a generator or a counter of the module: make "
                "it in init_model",
                self.trial.number,
                found.leak,
            )
        if found.failure is not None:
            raise UserError(found.failure)
        if found.restored:
            self.memo.note_restored()

    def stop(self) -> None:
        """End the process, whatever it does."""
        self.process.kill()
        self.process.join()
        self.connection.close()


def _looked(
    loaded: LoadedRun, trial: Trial, outcome: Outcome, budget: int, retrain: bool
) -> Looked:
    """Called in the process apart."""
    from dlutil_core.search.trainer import Trainer

    leak = failure = None
    restored = False
    try:
        if retrain:
            leak = difference(first_epoch(loaded, trial, budget), outcome.rows[0])
    except (Exception, SystemExit) as error:
        leak = f"it raised {type(error).__name__}: {error}"
    try:
        restored = Trainer(loaded, device="cpu").restore_again(trial, len(outcome.rows))
    except StateOutsideSave as error:
        failure = str(error)
    except (Exception, SystemExit) as error:
        log.debug("second look at trial %d: %s", trial.number, error)
    return Looked(leak, failure, restored)


def first_epoch(loaded: LoadedRun, trial: Trial, budget: int) -> EpochRow:
    """The row of a trial's first epoch, trained anew; nothing of it is kept."""
    from dlutil_core.common.seeds import seed_everything

    rows: list[EpochRow] = []

    def on_epoch(row: EpochRow) -> bool:
        rows.append(row)
        return True

    seed_everything(trial.seed)
    model = loaded.model(trial.config, "cpu")
    train, val = loaded.loaders
    model.fit(train, val, epochs=budget, first_epoch=1, seed=trial.seed, on_epoch=on_epoch)
    return rows[0]
