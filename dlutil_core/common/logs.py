"""The one logger of the core: messages to standard error, and with the time to a job's log file."""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from pathlib import Path

from dlutil_core.common.shown_text import shown

log = logging.getLogger("dlutil")

ERROR_PREFIX = "error: "
"""How the one sentence begins that a job ends with, so that the run can find it in the log."""

WARNING_PREFIX = "warning: "
"""How everything else begins that the user should read."""


class ShownFormatter(logging.Formatter):
    """Messages hold texts of users: control characters in them reach no terminal and no log."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as text."""
        return shown(super().format(record))


def tell(text: str) -> None:
    """Say something; where no job's log is open, on the terminal."""
    if log.handlers:
        log.info("%s", text)
    else:
        print(shown(text), file=sys.stderr, flush=True)


def start_logging(path: Path | None) -> None:
    """Messages go to standard error, plain, and all of them with the time to the log file."""
    logging.raiseExceptions = False  # a message that a full disk does not take is told nowhere
    log.setLevel(logging.DEBUG)
    log.propagate = False
    log.handlers.clear()
    terminal = logging.StreamHandler(sys.stderr)
    terminal.setLevel(logging.INFO)
    terminal.setFormatter(ShownFormatter("%(message)s"))
    log.addHandler(terminal)
    if path is None:
        return
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = logging.FileHandler(path, mode="a", encoding="utf-8")
        file.setFormatter(ShownFormatter("%(asctime)s %(message)s"))
        log.addHandler(file)
