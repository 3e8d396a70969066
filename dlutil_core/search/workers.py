"""Worker processes that train trials side by side, and what happens when one of them dies.

The job's own process loads torch, the definition and the data once, with one thread, and forks
(fork after a multi-threaded torch operation can hang; none has happened by then). On a GPU workers
are started afresh, since CUDA does not survive a fork. What crosses are the
dataclasses of `messages`, of builtins and text.
"""

from __future__ import annotations

import multiprocessing as mp
import os
import signal
import threading
import time
import traceback
from collections import Counter, deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Any

from dlutil_core.common.errors import UserError
from dlutil_core.common.logs import log
from dlutil_core.job.devices import device_slot
from dlutil_core.job.loaded_run import LoadedRun
from dlutil_core.job.run_spec import RunSpec
from dlutil_core.search.messages import Begins, EpochDone, JobFailed, NeedsMemory, Ready, Task
from dlutil_core.search.outcome import CRASHED, DIVERGED, Outcome, outcome
from dlutil_core.search.trial_folder import EpochRow, Failure
from dlutil_core.search.trial_key import memo_of

if TYPE_CHECKING:
    from dlutil_core.search.trainer import Trainer

MAX_DEATHS = 3
"""A trial whose worker is killed this often in one epoch fails the job; if its worker crashes, the
trial has failed."""

FAULTS = {
    signal.SIGSEGV,
    signal.SIGABRT,
    signal.SIGBUS,
    signal.SIGFPE,
    signal.SIGILL,
}
"""Signals that a process brings upon itself; every other one comes from outside: a kill."""

Progress = Callable[[int, EpochRow], None]


class Worker:
    """One worker process and its end of the pipe; `ready` when it has a device to train on."""

    def __init__(self, context: Any, loaded: LoadedRun, alone: bool) -> None:
        self.connection, far = context.Pipe()
        carried = loaded if context.get_start_method() == "fork" else loaded.spec
        self.process = context.Process(target=worker_main, args=(carried, far, os.getpid(), alone))
        self.process.start()
        far.close()
        self.ready = False
        self.task: Task | None = None
        self.epoch = 0
        self.since = time.monotonic()
        self.rows: list[EpochRow] = []
        self.has_live: set[int] = set()

    def give(self, task: Task) -> None:
        """Start on a task; a worker that was killed meanwhile is noticed where it is heard."""
        self.task = task
        self.epoch = 0
        self.rows = []
        self.since = time.monotonic()
        with suppress(OSError):
            self.connection.send(task)

    def has_trained(self, row: EpochRow) -> None:
        """Take note of an epoch of the task."""
        self.rows.append(row)
        self.begins(int(row["epoch"]) + 1)

    def begins(self, epoch: int) -> None:
        """Take note that an epoch of the task begins."""
        self.epoch = epoch - 1
        self.since = time.monotonic()

    def stop(self) -> None:
        """End the process at once; nothing in it is worth waiting for."""
        self.process.kill()
        self.process.join()
        self.connection.close()


class WorkerPool:
    """Workers that are started with the first task and kept between rungs.

    Parameters
    ----------
    loaded
        The run; its definition and data are loaded before the first fork.
    workers
        How many trials are trained side by side.
    progress
        Called with the trial's number and each row as it is trained.
    """

    def __init__(self, loaded: LoadedRun, workers: int, progress: Progress | None = None) -> None:
        self.loaded = loaded
        self.size = workers
        self.progress = progress or (lambda trial, row: None)
        self.workers: list[Worker] = []
        self.deaths: Counter[tuple[int, int, bool]] = Counter()
        self.early_deaths = 0
        self.told: set[str] = set()

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop_workers()

    def train(self, tasks: Iterable[Task]) -> dict[int, Outcome]:
        """Outcomes by trial number. Trials that run out of memory are tried again, one by one."""
        waiting = deque(tasks)
        results: dict[int, Outcome] = {}
        again: list[Task] = []
        self._run(waiting, results, again)
        for task in again:
            log.info("trial %d: out of memory, trying it alone", task.trial.number)
            self._stop_workers()
            self._run(deque([replace(task, alone=True)]), results, [])
        if again:
            self._stop_workers()  # the last one has a device to itself
        return results

    def _run(self, waiting: deque[Task], results: dict[int, Outcome], again: list[Task]) -> None:
        self._start(min(self.size, len(waiting)), alone=any(task.alone for task in waiting))
        while waiting or any(w.task for w in self.workers):
            self._hand_out(waiting)
            ends: list[Any] = [w.connection for w in self.workers]
            for ready in wait(ends, self._patience()):
                worker = next(w for w in self.workers if w.connection is ready)
                self._receive(worker, waiting, results, again)

    def _patience(self) -> float | None:
        """Seconds until an epoch takes too long, where there is a limit; then it is an error."""
        limit = self.loaded.spec.epoch_timeout
        busy = [worker for worker in self.workers if worker.task is not None]
        if limit is None or not busy:
            return None
        slowest = min(busy, key=lambda worker: worker.since)
        left = slowest.since + 60 * limit - time.monotonic()
        if left <= 0 and not slowest.connection.poll():
            assert slowest.task is not None
            raise UserError(
                f"trial {slowest.task.trial.number}: epoch {slowest.epoch + 1} takes longer than "
                f"the {limit:g} minutes of search.epoch_timeout; look for what it waits for, or "
                f"raise the limit, then run the same command again (configuration: "
                f"{slowest.task.trial.config})"
            )
        return max(left, 0.0)

    def _start(self, count: int, alone: bool = False) -> None:
        if len(self.workers) < count:
            on_gpu = self.loaded.device_kind == "cuda"
            if not on_gpu:
                _ = self.loaded.loaders
            context = mp.get_context("spawn" if on_gpu else "fork")
            while len(self.workers) < count:
                self.workers.append(Worker(context, self.loaded, alone))

    def _stop_workers(self) -> None:
        """End all workers, which frees their memory and their devices."""
        for worker in self.workers:
            worker.stop()
        self.workers = []

    def _hand_out(self, waiting: deque[Task]) -> None:
        for worker in [w for w in self.workers if w.ready and w.task is None]:
            if not waiting:
                return
            own = next((t for t in waiting if t.trial.number in worker.has_live), None)
            task = own or self._unclaimed(waiting)
            waiting.remove(task)
            worker.give(task)

    def _unclaimed(self, waiting: deque[Task]) -> Task:
        """The first trial that no other worker keeps in memory, or else simply the first."""
        claimed = set().union(*(w.has_live for w in self.workers))
        return next((t for t in waiting if t.trial.number not in claimed), waiting[0])

    def _receive(
        self,
        worker: Worker,
        waiting: deque[Task],
        results: dict[int, Outcome],
        again: list[Task],
    ) -> None:
        try:
            message = worker.connection.recv()
        except (EOFError, OSError):
            self._died(worker, waiting, results)
            return
        match message:
            case Ready():
                worker.ready = True
            case Begins(epoch=epoch):
                worker.begins(epoch)
            case EpochDone(trial=trial, row=row):
                worker.has_trained(row)
                self.progress(trial, row)
            case JobFailed(sentence=sentence, traceback=trace):
                if trace:
                    log.error("%s", trace)
                raise UserError(sentence)
            case Outcome(trial=trial):
                results[trial] = message
                self._tell(message)
                worker.has_live.add(trial)
                worker.task = None
            case NeedsMemory(task=task):
                again.append(task)
                worker.task = None

    def _tell(self, found: Outcome) -> None:
        """Say why a trial failed; the same of another one is in the log alone."""
        if not found.failed or found.message in self.told:
            return
        self.told.add(found.message)
        epoch = len(found.rows) + (found.status != DIVERGED)
        log.warning("warning: trial %d failed in epoch %d: %s", found.trial, epoch, found.message)

    def _died(self, worker: Worker, waiting: deque[Task], results: dict[int, Outcome]) -> None:
        """A worker that was killed is no result: its trial resumes. One that crashes may be one."""
        worker.process.join()
        self.workers.remove(worker)
        worker.connection.close()
        death = Death(worker.process.exitcode or 0)
        task = worker.task
        if task is None and not worker.ready:
            self._died_early(death)
        elif task is not None:
            trial, epoch = task.trial.number, worker.epoch + 1
            self.deaths[trial, epoch, death.by_own_fault] += 1
            if self.deaths[trial, epoch, death.by_own_fault] < MAX_DEATHS:
                log.warning(
                    f"warning: trial {trial}: its worker ended with {death}, the trial resumes"
                )
                waiting.appendleft(task)
            elif death.by_own_fault:
                results[trial] = self._crashed(worker, task, death)
                self._tell(results[trial])
            else:
                raise UserError(
                    f"trial {trial}: its worker ended with {death} {MAX_DEATHS} times at epoch "
                    f"{epoch}; if the machine ran out of memory, give the job more or use fewer "
                    f"threads, then run the same command again (configuration: "
                    f"{task.trial.config})"
                )
        alone = task is not None and task.alone
        self._start(min(self.size, len(self.workers) + 1), alone)

    def _died_early(self, death: Death) -> None:
        self.early_deaths += 1
        if self.early_deaths >= MAX_DEATHS:
            raise UserError(
                f"a worker ended with {death} before it trained anything, {MAX_DEATHS} times; if "
                "the machine ran out of memory, give the job more or use fewer threads, then "
                "run the same command again"
            )

    def _crashed(self, worker: Worker, task: Task, death: Death) -> Outcome:
        """The outcome of a trial that ends its process, kept in its memo like any other failure."""
        memo = memo_of(self.loaded, task.trial)
        with memo.lock():
            memo.prepare()
            rows = memo.record().rows
            rows += [row for row in worker.rows if row["epoch"] > len(rows)]
            epoch = len(rows) + 1
            message = f"ended its process with {death} in epoch {epoch}, {MAX_DEATHS} times"
            if rows:
                memo.write_history(rows)
            memo.write_failure(Failure(epoch, CRASHED, message, f"{message}\n"))
            patience = self.loaded.spec.options.early_stop
            found = outcome(task.trial.number, memo.record(), task.budget, patience)
        assert found is not None
        return found


@dataclass(frozen=True)
class Death:
    """How a worker ended: `code` is its exit code, or minus the signal."""

    code: int

    @property
    def by_own_fault(self) -> bool:
        """Whether what runs in it ended it: by a crash, or by `os._exit`."""
        return self.code >= 0 or -self.code in FAULTS

    def __str__(self) -> str:
        if self.code >= 0:
            return f"exit code {self.code}"
        return f"signal {-self.code} ({signal.strsignal(-self.code)})"


def worker_main(
    carried: LoadedRun | RunSpec, connection: Connection, parent: int, on_own: bool
) -> None:
    """The loop of a worker: a task comes, progress and an outcome go back.

    Nothing comes before it has a device: another job may hold the last one for hours, and a trial
    that waits for it could be trained by the job's other workers.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=leave_with, args=(parent,), daemon=True).start()
    from dlutil_core.search.trainer import Trainer

    loaded = carried if isinstance(carried, LoadedRun) else LoadedRun(carried)

    def progress(trial: int, row: EpochRow) -> None:
        connection.send(EpochDone(trial, row))

    def begins(_: int, epoch: int) -> None:
        connection.send(Begins(epoch))

    try:
        places = loaded.spec.trials_per_gpu
        with device_slot(loaded.device_kind, places, on_own) as device:
            connection.send(Ready())
            trainer = Trainer(loaded, progress, device, begins)
            while True:
                connection.send(_answer(trainer, connection.recv()))
    except UserError as error:
        connection.send(JobFailed(str(error)))
        connection.recv()
    except (EOFError, OSError):
        os._exit(0)


def _answer(trainer: Trainer, task: Task) -> Outcome | NeedsMemory | JobFailed:
    from dlutil_core.search.trainer import OutOfMemory

    try:
        return trainer.train(task.trial, task.budget, task.alone)
    except OutOfMemory:
        return NeedsMemory(task)
    except UserError as error:
        return JobFailed(str(error))
    except Exception:
        return JobFailed(f"trial {task.trial.number}: dlutil failed", traceback.format_exc())


def leave_with(parent: int) -> None:
    """End when the job that started this worker is gone."""
    while os.getppid() == parent:
        time.sleep(0.3)
    os._exit(1)
