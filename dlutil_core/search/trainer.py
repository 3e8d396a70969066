"""Trains a trial to a budget: through its memo, so that nothing finished is trained again."""

from __future__ import annotations

import os
import re
import time
import traceback
from collections.abc import Callable
from typing import Any

from dlutil_core.common import run_lock
from dlutil_core.common.errors import UserError
from dlutil_core.common.files import DISK_ERRORS
from dlutil_core.common.logs import log
from dlutil_core.common.seeds import seed_everything
from dlutil_core.definition.executed import told
from dlutil_core.job.loaded_run import LoadedRun
from dlutil_core.model.checkpoint import canonical
from dlutil_core.model.compiling import CompileFailure
from dlutil_core.search import outcome as outcomes
from dlutil_core.search.outcome import Outcome
from dlutil_core.search.trial_folder import Failure, Record, Row, TrialFolder
from dlutil_core.search.trial_key import memo_of

SAVE_SECONDS = 3.0
"""Inside a rung, a checkpoint is written at the first epoch's end after this many seconds."""

LIVE_MODELS = 32
"""Trials whose models a process keeps in memory between rungs."""

Progress = Callable[[int, Row], None]


class StoreFailure(UserError):
    """The memo cannot be written: a fault of the machine, never a trial's result."""


class OutOfMemory(Exception):
    """A trial ran out of memory while others ran beside it; it deserves another try alone."""


class LiveTrial:
    """A trial in memory: its model after `len(rows)` epochs, and its best state so far."""

    def __init__(self, model: Any, seed: int) -> None:
        self.model = model
        self.seed = seed
        self.rows: list[Row] = []
        self.best: dict[str, Any] | None = None
        self.best_epoch = 0

    @property
    def epoch(self) -> int:
        """How many epochs it has been trained."""
        return len(self.rows)

    def add(self, row: Row) -> None:
        """Take note of an epoch that was just trained."""
        self.rows.append(row)
        reward = row["reward"]
        if self.best_epoch == 0 or reward > self.rows[self.best_epoch - 1]["reward"]:
            self.best_epoch = self.epoch
            self.best = weights_only(self.model.save())

    def content(self) -> dict[str, Any]:
        """The dictionary of a checkpoint. `best` is `None` where the best weights are these."""
        best = None if self.best_epoch == self.epoch else self.best
        return {
            **self.model.save(),
            "epoch": self.epoch,
            "history": self.rows,
            "best": best,
            "best_epoch": self.best_epoch,
        }

    def restore(self, content: dict[str, Any]) -> None:
        """Take over a checkpoint."""
        self.model.load(content)
        self.rows = list(content["history"])
        self.best_epoch = content["best_epoch"]
        self.best = content["best"] or weights_only(content)


def weights_only(state: dict[str, Any]) -> dict[str, Any]:
    """A copy of what `save` returned without what only further training needs."""
    left_out = {"optimizer", "scheduler", "epoch", "history", "best", "best_epoch", "key"}
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

    def outcome(self, trial: dict[str, Any], record: Record, budget: int) -> Outcome | None:
        """What the memo holds for this budget."""
        patience = self.loaded.spec.options.early_stop
        return outcomes.outcome(trial["trial"], record, budget, patience)

    def train(self, trial: dict[str, Any], budget: int, alone: bool = False) -> Outcome:
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

    def best_state(self, trial: dict[str, Any], epoch: int) -> dict[str, Any]:
        """A trial's state after `epoch`, its best one; trained again where it is not stored."""
        store = memo_of(self.loaded, trial)
        with store.lock():
            found = self._stored_state(store, epoch)
            if found is None:
                log.info("trial %d: training again up to epoch %d", trial["trial"], epoch)
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

    def _advance(self, trial: dict[str, Any], store: TrialFolder, budget: int, alone: bool) -> None:
        """Train to `budget`; a trial that raises leaves a failure in its memo."""
        _ = self.loaded.loaders  # what fails here is no trial's fault
        live: LiveTrial | None = None
        try:
            live = self._live(trial, store, budget)
            self._fit(trial, live, store, budget)
        except (StoreFailure, CompileFailure, KeyboardInterrupt, OutOfMemory):
            raise
        except BaseException as error:
            if isinstance(error, OSError) and error.errno in DISK_ERRORS:
                raise StoreFailure(f"the disk is full ({error})") from error
            self.live.pop(trial["trial"], None)
            rows = live.rows if live is not None else []
            status = outcomes.RAISED
            if _is_out_of_memory(error):
                _release_memory()
                if not alone:
                    raise OutOfMemory(str(error)) from None
                status = outcomes.OUT_OF_MEMORY
            self._keep_failure(store, rows, status, error)

    def _live(self, trial: dict[str, Any], store: TrialFolder, budget: int) -> LiveTrial:
        """The trial in memory, at the largest epoch of at most `budget` that is to be had."""
        kept = self.live.pop(trial["trial"], None)
        # Another process (of a run that was killed, say) may have got further meanwhile.
        stored = max((e for e in store.checkpoint_epochs() if e <= budget), default=0)
        if kept is not None and stored <= kept.epoch <= budget:
            return kept
        seed_everything(trial["seed"])
        live = LiveTrial(self.loaded.model(trial["config"], self.device), trial["seed"])
        if os.environ.get("DLUTIL_DEBUG"):
            log.info("%s\n%s", live.model.network, live.model.optimizer)
        content = store.latest(budget)
        if content is not None:
            live.restore(content)
        return live

    def _fit(self, trial: dict[str, Any], live: LiveTrial, store: TrialFolder, budget: int) -> None:
        patience = self.loaded.spec.options.early_stop
        saved = time.monotonic()

        def on_epoch(row: Row) -> bool:
            nonlocal saved
            live.add(row)
            self.progress(trial["trial"], row)
            if outcomes.diverged(row):
                _stored(store.write_history, live.rows)
                return True
            ended = live.epoch == budget or outcomes.stopped_early(live.rows, patience)
            if ended or time.monotonic() - saved >= SAVE_SECONDS:
                _stored(store.write, live.content(), ended)
                saved = time.monotonic()
            return ended

        self.begins(trial["trial"], live.epoch + 1)
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
            self.live[trial["trial"]] = live
            while len(self.live) > LIVE_MODELS:
                self.live.pop(next(iter(self.live)))

    def _keep_failure(
        self, store: TrialFolder, rows: list[Row], status: str, error: BaseException
    ) -> None:
        text = "".join(traceback.format_exception(error))
        if isinstance(error, UserError):  # a wrong input is a sentence, not a traceback
            log.debug("%s", text)
            text = f"{error}\n"
        message = re.sub(r"0x[0-9a-f]{6,}", "0x…", told(error, self.loaded.spec.definition))
        number = store.identity["trial"]
        log.debug("trial %d failed in epoch %d: %s", number, len(rows) + 1, message)
        if rows:
            _stored(store.write_history, rows)
        _stored(store.write_failure, Failure(len(rows) + 1, status, message, text))


def _stored(write: Callable[..., None], *arguments: Any) -> None:
    try:
        with run_lock.unchecked():
            write(*arguments)
        run_lock.check()
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
