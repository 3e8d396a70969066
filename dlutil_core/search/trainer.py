"""Trains a trial to a budget: through its memo, so that nothing finished is trained again."""

from __future__ import annotations

import os
import re
import time
import traceback
from collections.abc import Callable
from typing import Any

from dlutil_core.common.errors import UserError
from dlutil_core.common.files import DISK_ERRORS, disk_error
from dlutil_core.common.logs import log
from dlutil_core.common.run_lock import check_owner, owned_by
from dlutil_core.common.seeds import seed_everything
from dlutil_core.common.shown_text import shown
from dlutil_core.definition.executed import kept_folder, put_back, told
from dlutil_core.job.loaded_run import LoadedRun
from dlutil_core.model.checkpoint import canonical
from dlutil_core.model.compiling import CompileFailure
from dlutil_core.search import outcome as outcomes
from dlutil_core.search.outcome import Outcome
from dlutil_core.search.plan import Trial
from dlutil_core.search.restored import StateOutsideSave, check_restored, machine
from dlutil_core.search.trial_folder import EpochRow, Failure, Record, TrialFolder
from dlutil_core.search.trial_key import memo_of

SAVE_SECONDS = 3.0
"""Inside a rung, a checkpoint is written at the first epoch's end after this many seconds."""

LIVE_MODELS = 32
"""Trials whose models a process keeps in memory between rungs."""

MACHINE = "trained_on"
"""The key of a checkpoint that tells which machine's bits it holds."""

Progress = Callable[[int, EpochRow], None]


class StoreFailure(UserError):
    """The memo cannot be written: a fault of the machine, never a trial's result."""


class OutOfMemory(Exception):
    """A trial ran out of memory while others ran beside it; it deserves another try alone."""


class LiveTrial:
    """A trial in memory: its model after `len(rows)` epochs, and its best state so far."""

    def __init__(self, model: Any, seed: int) -> None:
        self.model = model
        self.seed = seed
        self.rows: list[EpochRow] = []
        self.best: dict[str, Any] | None = None
        self.best_epoch = 0

    @property
    def epoch(self) -> int:
        """How many epochs it has been trained."""
        return len(self.rows)

    def add(self, row: EpochRow) -> None:
        """Take note of an epoch that was just trained."""
        self.rows.append(row)
        if self.best_epoch == 0 or outcomes.better(row, self.rows[self.best_epoch - 1]):
            self.best_epoch = self.epoch
            self.best = weights_only(self._saved())

    def content(self) -> dict[str, Any]:
        """The dictionary of a checkpoint. `best` is `None` where the best weights are these."""
        best = None if self.best_epoch == self.epoch else self.best
        return {
            **self._saved(),
            MACHINE: machine(),
            "epoch": self.epoch,
            "history": self.rows,
            "best": best,
            "best_epoch": self.best_epoch,
        }

    def _saved(self) -> dict[str, Any]:
        with kept_folder():
            found: dict[str, Any] = self.model.save()
        return found

    def restore(self, content: dict[str, Any]) -> None:
        """Take over a checkpoint."""
        self.model.load(content)
        self.rows = list(content["history"])
        self.best_epoch = content["best_epoch"]
        self.best = content["best"] or weights_only(content)


def weights_only(state: dict[str, Any]) -> dict[str, Any]:
    """A copy of what `save` returned without what only further training needs."""
    left_out = {"optimizer", "scheduler", "epoch", "history", "best", "best_epoch", "key", "reads"}
    left_out.add(MACHINE)
    kept: dict[str, Any] = canonical({k: v for k, v in state.items() if k not in left_out})
    return kept


class Trainer:
    """Trains the trials of a run, one at a time, and keeps a few models alive between rungs.

    Parameters
    ----------
    loaded
        The run.
    progress
        Called with the trial's number and each row as it is trained.
    device
        Where to train; `None`: the device that the run holds.
    begins
        Called with the trial's number and the epoch that its training begins with.
    """

    def __init__(
        self,
        loaded: LoadedRun,
        progress: Progress | None = None,
        device: str | None = None,
        begins: Callable[[int, int], None] | None = None,
    ) -> None:
        self.loaded = loaded
        self.progress = progress or (lambda trial, row: None)
        self.begins = begins or (lambda trial, epoch: None)
        self.device = device
        self.live: dict[int, LiveTrial] = {}

    def outcome(self, trial: Trial, record: Record, budget: int) -> Outcome | None:
        """What the memo holds for this budget."""
        patience = self.loaded.spec.options.early_stop
        return outcomes.outcome(trial.number, record, budget, patience)

    def train(self, trial: Trial, budget: int, alone: bool = False) -> Outcome:
        """The outcome of a trial at `budget` epochs, trained as far as the memo does not hold it.

        Parameters
        ----------
        alone
            Whether nothing else runs beside the trial; if not, running out of memory raises
            `OutOfMemory`, otherwise it is the trial's result.
        """
        store = memo_of(self.loaded, trial)
        with store.lock():
            found = self.outcome(trial, store.record(), budget)
            if found is None:
                store.prepare()
                self._advance(trial, store, budget, alone)
                found = self.outcome(trial, store.record(), budget)
        if found is None:
            raise StoreFailure(
                f"{store.folder}: epochs 1 to {budget} were trained but are not stored; is the "
                "folder written by something else?"
            )
        return found

    def best_state(self, trial: Trial, epoch: int) -> dict[str, Any]:
        """A trial's state after `epoch`, its best one; trained again where it is not stored."""
        store = memo_of(self.loaded, trial)
        with store.lock():
            found = self._stored_state(store, epoch)
            if found is None:
                log.info("trial %d: training again up to epoch %d", trial.number, epoch)
                store.prepare()
                self._advance(trial, store, epoch, alone=True)
                found = self._stored_state(store, epoch)
        if found is None:
            raise StoreFailure(f"{store.folder}: no checkpoint of epoch {epoch} could be written")
        return found

    def _stored_state(self, store: TrialFolder, epoch: int) -> dict[str, Any] | None:
        for stored in reversed([e for e in store.checkpoint_epochs() if e >= epoch]):
            content = store.at(stored)
            if content is not None and content["epoch"] == epoch:
                return weights_only(content)
            if content is not None and content["best_epoch"] == epoch:
                best: dict[str, Any] = content["best"]
                return best
        return None

    def _advance(self, trial: Trial, store: TrialFolder, budget: int, alone: bool) -> None:
        """Train to `budget`; a trial that raises leaves a failure in its memo."""
        _ = self.loaded.loaders  # what fails here is no trial's fault
        live: LiveTrial | None = None
        try:
            with kept_folder():
                live = self._live(trial, store, budget)
                self._fit(trial, live, store, budget)
        except (StoreFailure, StateOutsideSave, CompileFailure, KeyboardInterrupt, OutOfMemory):
            raise
        except BaseException as error:
            if isinstance(error, OSError) and error.errno in DISK_ERRORS:
                raise StoreFailure(
                    str(disk_error(error.filename or store.folder, error))
                ) from error
            self.live.pop(trial.number, None)
            rows = live.rows if live is not None else []
            status = outcomes.RAISED
            if _is_out_of_memory(error):
                _release_memory()
                if not alone:
                    raise OutOfMemory(str(error)) from None
                status = outcomes.OUT_OF_MEMORY
            self._keep_failure(store, rows, status, error)

    def _live(self, trial: Trial, store: TrialFolder, budget: int) -> LiveTrial:
        """The trial in memory, at the largest epoch of at most `budget` that is to be had."""
        kept = self.live.pop(trial.number, None)
        # Another process (of a run that was killed, say) may have got further meanwhile.
        stored = max((e for e in store.checkpoint_epochs() if e <= budget), default=0)
        if kept is not None and stored <= kept.epoch <= budget:
            return kept
        seed_everything(trial.seed)
        live = LiveTrial(self.loaded.model(trial.config, self.device), trial.seed)
        if os.environ.get("DLUTIL_DEBUG"):
            log.info("%s\n%s", live.model.network, live.model.optimizer)
        content = store.latest(budget)
        if content is not None:
            live.restore(content)
            if live.epoch < budget:
                self._check_restored(trial, live, content)
        return live

    def _check_restored(self, trial: Trial, live: LiveTrial, content: dict[str, Any]) -> None:
        """Refuse to go on from a checkpoint that does not hold all that the model is."""
        spec = self.loaded.spec
        alike = content.get(MACHINE) == machine()
        exactly = alike and (self.loaded.device_kind == "cpu" or spec.options.deterministic)
        val = self.loaded.loaders[1]
        check_restored(live.model, val, trial.number, live.seed, live.rows[-1], exactly)

    def restore_again(self, trial: Trial, epoch: int) -> bool:
        """Restore a trial from its checkpoint of this epoch, only to see whether it is the same.

        Returns
        -------
        `False` where there is no such checkpoint.

        Raises
        ------
        StateOutsideSave
            It is another model.
        """
        content = memo_of(self.loaded, trial).at(epoch)
        if content is None:
            return False
        seed_everything(trial.seed)
        live = LiveTrial(self.loaded.model(trial.config, self.device), trial.seed)
        live.restore(content)
        self._check_restored(trial, live, content)
        return True

    def _fit(self, trial: Trial, live: LiveTrial, store: TrialFolder, budget: int) -> None:
        patience = self.loaded.spec.options.early_stop
        saved = time.monotonic()
        folder = os.getcwd()

        def on_epoch(row: EpochRow) -> bool:
            nonlocal saved
            put_back(folder)
            live.add(row)
            self.progress(trial.number, row)
            if outcomes.diverged(row):
                _stored(store.write_history, live.rows)
                return True
            ended = live.epoch == budget or outcomes.stopped_early(live.rows, patience)
            if ended or time.monotonic() - saved >= SAVE_SECONDS:
                _stored(store.write, live.content(), ended)
                saved = time.monotonic()
            return ended

        self.begins(trial.number, live.epoch + 1)
        if live.epoch < budget:
            train, val = self.loaded.loaders
            live.model.fit(
                train,
                val,
                epochs=budget,
                first_epoch=live.epoch + 1,
                seed=live.seed,
                on_epoch=on_epoch,
            )
        elif store.at(budget) is None or not store.record().rows[budget - 1 :]:
            _stored(store.write, live.content(), True)
        if live.rows and not outcomes.diverged(live.rows[-1]):
            self.live[trial.number] = live
            while len(self.live) > LIVE_MODELS:
                self.live.pop(next(iter(self.live)))

    def _keep_failure(
        self, store: TrialFolder, rows: list[EpochRow], status: str, error: BaseException
    ) -> None:
        text = "".join(traceback.format_exception(error))
        if isinstance(error, UserError):  # a wrong input is a sentence, not a traceback
            log.debug("%s", text)
            text = f"{error}\n"
        message = re.sub(r"0x[0-9a-f]{6,}", "0x…", shown(told(error, self.loaded.spec.definition)))
        number = store.trial.number
        log.debug("trial %d failed in epoch %d: %s", number, len(rows) + 1, message)
        if rows:
            _stored(store.write_history, rows)
        _stored(store.write_failure, Failure(len(rows) + 1, status, message, shown(text)))


def _stored(write: Callable[..., None], *arguments: Any) -> None:
    try:
        with owned_by(None):
            write(*arguments)
        check_owner()
    except (UserError, OSError) as error:
        raise StoreFailure(str(error)) from error


def _is_out_of_memory(error: BaseException) -> bool:
    import torch

    return isinstance(error, (MemoryError, torch.OutOfMemoryError))


def _release_memory() -> None:
    import gc

    import torch

    gc.collect()
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
