"""Begin and end of a run in a module of another workflow, where Snakemake runs no `onstart` and
`onsuccess`. What it logs tells when the first job begins; the end is that of the process.
"""

from __future__ import annotations

import atexit
import logging
import os
import sys

from dlutil_core.common.errors import UserError
from dlutil_core.common.files import sentence_of
from dlutil_core.common.logs import ERROR_PREFIX
from dlutil_core.run.lifecycle import Lifecycle, say


class EventHooks(logging.Filter):
    """A filter of Snakemake's log that lets everything pass.

    Parameters
    ----------
    life
        What is to be begun before the first job, and ended when the process ends.
    begun, failed
        The values of a record's `event` when jobs are begun, and when a job has failed.
    """

    def __init__(self, life: Lifecycle, begun: object, failed: object) -> None:
        super().__init__()
        self.life = life
        self.begun = begun
        self.failed = failed
        self._process = 0
        self._job_failed = False

    def filter(self, record: logging.LogRecord) -> bool:
        """Let a record pass, and begin the run with the first job."""
        event = getattr(record, "event", None)
        self._job_failed |= event == self.failed
        if event == self.begun and not self._process:
            self._process = os.getpid()
            self.life.start()
            atexit.register(self._end)
        return True

    def _end(self) -> None:
        """Judge all again; results that are not the present ones end the process with 1."""
        if os.getpid() != self._process:  # a process that was forked from this one
            return
        try:
            self.life.end(self._job_failed)
            return
        except SystemExit as stop:
            text = str(stop.code)
        except (UserError, OSError) as error:
            text = f"{ERROR_PREFIX}{sentence_of(error, self.life.run.result)}"
        say(text)
        # An exception does not change the exit code of a process that ends.
        sys.stdout.flush()
        os._exit(1)
