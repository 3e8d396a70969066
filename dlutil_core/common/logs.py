"""The one logger of the core: messages to standard error, and with the time to a job's log file."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import sys
from contextlib import suppress
from pathlib import Path

from dlutil_core.common.shown_text import shown

log = logging.getLogger("dlutil")

ERROR_PREFIX = "error: "
"""How the one sentence begins that a job ends with, so that the run can find it in the log."""

WARNING_PREFIX = "warning: "
"""How everything else begins that the user should read."""


TOLD = "DLUTIL_TOLD"
"""The environment variable by which a run tells its jobs where they note what was said."""


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


def note_what_is_told(folder: Path) -> None:
    """From now on, in all jobs of a run, note in this folder what is said once; it is emptied."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    os.environ[TOLD] = str(folder.absolute())


def warn_once(message: str) -> None:
    """Warn of the same thing once: on the terminal once a run, in each job's log once a process."""
    if message in _told:
        return
    _told.add(message)
    log.log(logging.DEBUG if _is_told(message) else logging.WARNING, "%s", message)


_told: set[str] = set()


def _is_told(message: str) -> bool:
    """Whether another process of the run has said it; if not, it is noted that this one does."""
    folder = os.environ.get(TOLD)
    if not folder:
        return False
    name = hashlib.sha256(message.encode(errors="replace")).hexdigest()[:32]
    try:
        os.close(os.open(os.path.join(folder, name), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    except FileExistsError:
        return True
    except OSError:
        return False  # rather twice than never
    return False


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
