"""What every script shares: the log file, the error sentence, exit codes, quiet ends on signals."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path

from dlutil_core.common.errors import UserError
from dlutil_core.common.files import DISK_ERRORS, disk_error
from dlutil_core.common.logs import ERROR_PREFIX, log, start_logging
from dlutil_core.common.run_lock import Owner, check_owner, owned_by
from dlutil_core.job import resident
from dlutil_core.job.step import Made, Request, Step
from dlutil_core.job.times import StepTimes


class Terminated(KeyboardInterrupt):
    """SIGTERM: an interrupt, so that nothing that catches a trial's errors takes it for one."""


def parser(description: str) -> argparse.ArgumentParser:
    """An argument parser with the arguments that all scripts have."""
    made = argparse.ArgumentParser(description=description)
    made.add_argument("--log", type=Path, help="also write messages to this file")
    made.add_argument("--request", type=Path, help="what the run wants of this step")
    return made


def run_step(
    make: Callable[[argparse.Namespace], Made | None],
    arguments: argparse.Namespace,
    may_be_forked: bool = False,
) -> None:
    """Make a step's results unless they are there, and leave their identity; then as `run`.

    Without `--request` they are made in any case, and no identity is left.

    Parameters
    ----------
    may_be_forked
        Whether the run's resident process may do it; a script that says so imports what is slow to
        import in `make`. Its arguments tell in `measured` where Snakemake writes what it used.
    """
    if may_be_forked:
        resident.hand_over(arguments.measured)
    began = time.time()

    def main(arguments: argparse.Namespace) -> None:
        if arguments.request is None:
            make(arguments)
            return
        wanted = [(Request.read(arguments.request), lambda: make(arguments))]
        make_steps(wanted, began)

    run(main, arguments)


def make_steps(
    wanted: Iterable[tuple[Request, Callable[[], Made | None]]], began: float | None = None
) -> None:
    """Make the results of a job's steps unless they are there, and leave their identities.

    Identities come last of all: where the job fails, Snakemake puts back what was there before.

    Parameters
    ----------
    wanted
        What is wanted of each step, and what makes it.
    began
        When the first one began, in seconds; `None`: now.
    """
    ended: list[tuple[Step, Made, StepTimes]] = []
    owner: Owner | None = None
    for request, make in wanted:
        began = began or time.time()
        owner = owner or Owner.of_job(request.places.result)
        with owned_by(owner):
            step = Step(request)
            if not step.is_done():
                check_owner()
                step.begin()
                made = make() or Made()
                ended.append((step, made, StepTimes.since(began)))
        began = None
    with owned_by(owner):
        for step, made, times in ended:
            step.finish(made.reads, made.files)
            times.write(step.request.places.result, step.request.step)


def run(function: Callable[[argparse.Namespace], None], arguments: argparse.Namespace) -> None:
    """Call `function(arguments)` and end the process as a well-behaved job.

    A `UserError` prints one sentence (exit code 1), any other exception its traceback (exit code
    2, since it is a fault of the program), an interrupt nothing at all (exit code 130 or 143).
    """
    start_logging(arguments.log)
    signal.signal(signal.SIGTERM, _terminate)
    try:
        function(arguments)
    except UserError as error:
        log.error("%s%s", ERROR_PREFIX, error)
        _leave(1)
    except Terminated:
        _leave(143)
    except KeyboardInterrupt:
        _leave(130)
    except SystemExit as error:  # of code in the definition: nothing of ours ends a job so
        log.error(
            "%sthe definition ended the program (%s); raise an error that says what is wrong, such "
            "as ValueError, instead of calling sys.exit",
            ERROR_PREFIX,
            error.code,
        )
        _leave(1)
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


def _terminate(signum: int, frame: object) -> None:
    raise Terminated


def _leave(code: int) -> None:
    """End at once: tearing down torch takes half a second and nothing is left to write."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
