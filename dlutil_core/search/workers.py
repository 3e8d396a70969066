"""Worker processes that train trials side by side, and what happens when one of them dies.

The job's own process loads torch, the definition and the data once, with one thread, and forks
(fork after a multi-threaded torch operation can hang; none has happened by then). On a GPU workers
are started afresh, since CUDA does not survive a fork. Results cross as builtins and text.
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
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

from dlutil_core.common.errors import UserError
from dlutil_core.common.logs import log
from dlutil_core.job.devices import device_slot
from dlutil_core.job.loaded_run import LoadedRun
from dlutil_core.job.run_spec import RunSpec
from dlutil_core.search.outcome import DIVERGED, Outcome
from dlutil_core.search.trial_folder import Row

MAX_DEATHS = 3
"""A trial whose worker is killed this often in one epoch fails the job."""

Progress = Callable[[int, Row], None]


@dataclass(frozen=True)
class Task:
    """Train this trial of the plan to this many epochs; `alone`: with nothing beside it."""

    trial: dict[str, Any]
    budget: int
    alone: bool = False


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
        self.has_live: set[int] = set()

    def give(self, task: Task) -> None:
        """Start on a task; a worker that was killed meanwhile is noticed where it is heard."""
        self.task = task
        self.epoch = 0
        with suppress(OSError):
            self.connection.send((task.trial, task.budget, task.alone))

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
        self.deaths: Counter[tuple[int, int]] = Counter()
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
            log.info("trial %d: out of memory, trying it alone", task.trial["trial"])
            self._stop_workers()
            self._run(deque([Task(task.trial, task.budget, alone=True)]), results, [])
        if again:
            self._stop_workers()  # the last one has a device to itself
        return results

    def _run(self, waiting: deque[Task], results: dict[int, Outcome], again: list[Task]) -> None:
        self._start(min(self.size, len(waiting)), alone=any(task.alone for task in waiting))
        while waiting or any(w.task for w in self.workers):
            self._hand_out(waiting)
            ends: list[Any] = [w.connection for w in self.workers]
            for ready in wait(ends):
                worker = next(w for w in self.workers if w.connection is ready)
                self._receive(worker, waiting, results, again)

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
            own = next((t for t in waiting if t.trial["trial"] in worker.has_live), None)
            task = own or self._unclaimed(waiting)
            waiting.remove(task)
            worker.give(task)

    def _unclaimed(self, waiting: deque[Task]) -> Task:
        """The first trial that no other worker keeps in memory, or else simply the first."""
        claimed = set().union(*(w.has_live for w in self.workers))
        return next((t for t in waiting if t.trial["trial"] not in claimed), waiting[0])

    def _receive(
        self,
        worker: Worker,
        waiting: deque[Task],
        results: dict[int, Outcome],
        again: list[Task],
    ) -> None:
        try:
            kind, *content = worker.connection.recv()
        except (EOFError, OSError):
            self._died(worker, waiting)
            return
        if kind == "ready":
            worker.ready = True
            return
        if kind == "begins":
            worker.epoch = content[0] - 1
            return
        if kind == "epoch":
            worker.epoch = int(content[1]["epoch"])
            self.progress(*content)
            return
        if kind == "error":
            if content[1]:
                log.error("%s", content[1])
            raise UserError(content[0])
        assert worker.task is not None
        if kind == "done":
            found = Outcome(*content)
            results[found.trial] = found
            self._tell(found)
            worker.has_live.add(found.trial)
        else:
            assert kind == "memory", kind
            again.append(worker.task)
        worker.task = None

    def _tell(self, found: Outcome) -> None:
        """Say why a trial failed; the same of another one is in the log alone."""
        if not found.failed or found.message in self.told:
            return
        self.told.add(found.message)
        epoch = len(found.rows) + (found.status != DIVERGED)
        log.warning("warning: trial %d failed in epoch %d: %s", found.trial, epoch, found.message)

    def _died(self, worker: Worker, waiting: deque[Task]) -> None:
        """A worker ended by a signal is a kill, not a result: its trial resumes."""
        worker.process.join()
        self.workers.remove(worker)
        worker.connection.close()
        code = worker.process.exitcode or 0
        how = f"signal {-code} ({signal.strsignal(-code)})" if code < 0 else f"exit code {code}"
        task = worker.task
        if task is None and not worker.ready:
            self.early_deaths += 1
            if self.early_deaths >= MAX_DEATHS:
                raise UserError(
                    f"a worker ended with {how} before it trained anything, {MAX_DEATHS} times; if "
                    "the machine ran out of memory, give the job more or use fewer threads, then "
                    "run the same command again"
                )
        elif task is not None:
            trial, epoch = task.trial["trial"], worker.epoch + 1
            self.deaths[trial, epoch] += 1
            if self.deaths[trial, epoch] >= MAX_DEATHS:
                raise UserError(
                    f"trial {trial}: its worker ended with {how} {MAX_DEATHS} times at epoch "
                    f"{epoch}; if the machine ran out of memory, give the job more or use fewer "
                    f"threads, then run the same command again (configuration: "
                    f"{task.trial['config']})"
                )
            log.warning("trial %d: its worker ended with %s, the trial resumes", trial, how)
            waiting.appendleft(task)
        alone = task is not None and task.alone
        self._start(min(self.size, len(self.workers) + 1), alone)


def worker_main(
    carried: LoadedRun | RunSpec, connection: Connection, parent: int, on_own: bool
) -> None:
    """The loop of a worker: a task comes, progress and an outcome go back.

    Nothing comes before it has a device: another job may hold the last one for hours, and a trial
    that waits for it could be trained by the job's other workers.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_leave_with, args=(parent,), daemon=True).start()
    from dlutil_core.search.trainer import Trainer

    loaded = carried if isinstance(carried, LoadedRun) else LoadedRun(carried)

    def progress(trial: int, row: Row) -> None:
        connection.send(("epoch", trial, row))

    def begins(_: int, epoch: int) -> None:
        connection.send(("begins", epoch))

    try:
        places = loaded.spec.trials_per_gpu
        with device_slot(loaded.device_kind, places, on_own) as device:
            connection.send(("ready",))
            trainer = Trainer(loaded, progress, device, begins)
            while True:
                trial, budget, alone = connection.recv()
                connection.send(_answer(trainer, trial, budget, alone))
    except UserError as error:
        connection.send(("error", str(error), ""))
        connection.recv()
    except (EOFError, OSError):
        os._exit(0)


def _answer(trainer: Any, trial: dict[str, Any], budget: int, alone: bool) -> tuple[Any, ...]:
    from dlutil_core.search.trainer import OutOfMemory

    try:
        found = trainer.train(trial, budget, alone)
    except OutOfMemory:
        return ("memory",)
    except UserError as error:
        return ("error", str(error), "")
    except Exception:
        return ("error", f"trial {trial['trial']}: dlutil failed", traceback.format_exc())
    return ("done", found.trial, found.rows, found.status, found.message, found.traceback)


def _leave_with(parent: int) -> None:
    """End when the job that started this worker is gone."""
    while os.getppid() == parent:
        time.sleep(0.3)
    os._exit(1)
