"""What every script shares: the log file, the error sentence, exit codes, quiet ends on signals."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from dlutil_core import ownership
from dlutil_core.errors import UserError
from dlutil_core.files import DISK_ERRORS, disk_error

LOGGER = "dlutil"

log = logging.getLogger(LOGGER)

ERROR_PREFIX = "error: "


class Terminated(KeyboardInterrupt):
    """SIGTERM: an interrupt, so that nothing that catches a trial's errors takes it for one."""


def parser(description: str) -> argparse.ArgumentParser:
    """An argument parser with the arguments that all scripts have."""
    made = argparse.ArgumentParser(description=description)
    made.add_argument("--log", type=Path, help="also write messages to this file")
    return made


def run(function: Callable[[argparse.Namespace], None], arguments: argparse.Namespace) -> None:
    """Call `function(arguments)` and end the process as a well-behaved job.

    A `UserError` prints one sentence (exit code 1), any other exception its traceback (exit code
    2, since it is a fault of the program), an interrupt nothing at all (exit code 130 or 143).
    """
    start_logging(arguments.log)
    signal.signal(signal.SIGTERM, _terminate)
    ownership.take_note(arguments.log)
    try:
        function(arguments)
    except UserError as error:
        log.error("%s%s", ERROR_PREFIX, error)
        _leave(1)
    except Terminated:
        _leave(143)
    except KeyboardInterrupt:
        _leave(130)
    except OSError as error:
        if error.errno in DISK_ERRORS:
            log.error("%s%s", ERROR_PREFIX, disk_error(error.filename or "a file", error))
            _leave(1)
        log.error("%s", traceback.format_exc())
        _leave(2)
    except Exception:
        log.error("%s", traceback.format_exc())
        _leave(2)
    _leave(0)


def start_logging(path: Path | None) -> None:
    """Messages go to standard error, plain, and all of them with the time to the log file."""
    logging.raiseExceptions = False  # a message that a full disk does not take is told nowhere
    log.setLevel(logging.DEBUG)
    log.propagate = False
    log.handlers.clear()
    terminal = logging.StreamHandler(sys.stderr)
    terminal.setLevel(logging.INFO)
    terminal.setFormatter(logging.Formatter("%(message)s"))
    log.addHandler(terminal)
    if path is None:
        return
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = logging.FileHandler(path, mode="a", encoding="utf-8")
        file.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
        log.addHandler(file)


def _terminate(signum: int, frame: object) -> None:
    raise Terminated


def _leave(code: int) -> None:
    """End at once: tearing down torch takes half a second and nothing is left to write."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
