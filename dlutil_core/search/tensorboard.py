"""Event files for TensorBoard: each trial's metrics by epoch, and its hyperparameters.

They are written beside the training, never read, and no result: `tensorboard: true` changes nothing
else. A trial's file is written anew by the job that goes on with it, so that an epoch that was
repeated after a kill is there once.
"""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from dlutil_core.common import result_folder
from dlutil_core.common.errors import UserError
from dlutil_core.search.plan import Trial
from dlutil_core.search.trial_folder import EpochRow

FILE = "events.out.tfevents.dlutil"


class TrialEvents:
    """The event files of the trials that a job trains.

    Parameters
    ----------
    folder
        `<result>/tensorboard`; each trial gets a folder of its own in it.

    Raises
    ------
    UserError
        The package tensorboard is not installed.
    """

    def __init__(self, folder: Path) -> None:
        try:
            import tensorboard  # noqa: F401
        except ImportError:
            raise UserError(
                "tensorboard: true needs the package tensorboard: pip install tensorboard, or "
                "take the key out of the config"
            ) from None
        self.folder = folder
        self._open: dict[int, tuple[IO[bytes], Any]] = {}

    def add(self, trial: Trial, row: EpochRow, memo: Callable[[Trial], list[EpochRow]]) -> None:
        """Write an epoch that was just trained.

        Parameters
        ----------
        trial
            The trial of the plan.
        memo
            Gives the epochs that a trial's memo holds; written first where the file is new.
        """
        number = trial.number
        if number not in self._open:
            self._start(trial, row)
            for earlier in memo(trial):
                if earlier["epoch"] < row["epoch"]:
                    self._write_row(number, earlier)
        self._write_row(number, row)
        self._open[number][0].flush()

    def close(self) -> None:
        """End all files: the trials are done as far as this job goes."""
        for number, (file, parts) in self._open.items():
            self._write(number, parts)
            file.close()
        self._open = {}

    def _start(self, trial: Trial, row: EpochRow) -> None:
        from tensorboard.compat.proto.event_pb2 import Event
        from torch.utils.tensorboard.summary import hparams

        folder = self.folder / result_folder.trial_name(trial.number)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        file = (folder / FILE).open("wb")
        metrics = {name: 0.0 for name in row if name != "epoch"}
        told = {name: _hyperparameter(value) for name, value in trial.config.items()}
        experiment, start, end = hparams(told, metrics)
        self._open[trial.number] = (file, end)
        self._record(file, Event(wall_time=time.time(), file_version="brain.Event:2"))
        self._write(trial.number, experiment)
        self._write(trial.number, start)

    def _write_row(self, number: int, row: EpochRow) -> None:
        from tensorboard.compat.proto.summary_pb2 import Summary

        values = [
            Summary.Value(tag=name, simple_value=value)
            for name, value in row.items()
            if name != "epoch" and math.isfinite(value)
        ]
        self._write(number, Summary(value=values), int(row["epoch"]))

    def _write(self, number: int, summary: Any, step: int = 0) -> None:
        from tensorboard.compat.proto.event_pb2 import Event

        event = Event(wall_time=time.time(), step=step, summary=summary)
        self._record(self._open[number][0], event)

    @staticmethod
    def _record(file: IO[bytes], event: Any) -> None:
        from tensorboard.summary.writer.record_writer import RecordWriter

        RecordWriter(file).write(event.SerializeToString())


def _hyperparameter(value: Any) -> Any:
    """A value that the plugin can show: numbers, truth values and texts."""
    return value if isinstance(value, (bool, int, float, str)) else json.dumps(value)
