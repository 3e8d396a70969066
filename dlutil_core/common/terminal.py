"""A line that shows how far a job is, at the bottom of a terminal that no other job uses.

Jobs that train side by side share one terminal. A line that each of them redrew would be garbled by
the others', so a job draws its line only while it holds the terminal alone, which a lock on the
terminal's own file tells; otherwise, and where there is no terminal, it draws nothing. The epochs
are in the job's log in any case.
"""

from __future__ import annotations

import fcntl
import logging
import os
import sys
import time
from types import TracebackType

from dlutil_core.common.logs import log

INTERVAL = 0.2
WIDTH = 8

SHORTEST_MESSAGE = 26
"""The line is no longer than Snakemake's shortest one (a time), which may be written over it."""


class ProgressLine:
    """`to epoch 27 ━━━╌╌╌╌╌  41%`, while this job is the only one on its terminal.

    Parameters
    ----------
    label
        What the job is.
    total
        How many steps it has.
    """

    def __init__(self, label: str, total: int) -> None:
        self.label = label
        self.total = max(total, 1)
        self.done = 0
        self._drawn = False
        self._next = 0.0
        self._terminal = _open_terminal()

    def __enter__(self) -> ProgressLine:
        if self._terminal is not None:
            self._hold(fcntl.LOCK_SH)
            for handler in log.handlers:
                handler.addFilter(self._before_message)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._terminal is None:
            return
        self.clear()
        for handler in log.handlers:
            handler.removeFilter(self._before_message)
        os.close(self._terminal)
        self._terminal = None

    def step(self) -> None:
        """Count a step, and draw a few times a second."""
        self.done += 1
        now = time.monotonic()
        if self._terminal is None or now < self._next:
            return
        self._next = now + INTERVAL
        if self._hold(fcntl.LOCK_EX):
            self._draw()
        else:
            self.clear()
        self._hold(fcntl.LOCK_SH)

    def clear(self) -> None:
        """Take the line off the terminal."""
        if self._drawn:
            self._write("\r\033[K")
            self._drawn = False

    def _before_message(self, record: logging.LogRecord) -> bool:
        self.clear()
        return True

    def _draw(self) -> None:
        share = min(self.done / self.total, 1.0)
        filled = int(share * WIDTH)
        line = f"{self.label} {'━' * filled}{'╌' * (WIDTH - filled)} {share:4.0%}"
        # The cursor goes back to the start, so that what Snakemake writes replaces the line.
        self._write(f"\r{line[:SHORTEST_MESSAGE]}\033[K\r")
        self._drawn = True

    def _hold(self, how: int) -> bool:
        assert self._terminal is not None
        try:
            fcntl.flock(self._terminal, how | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def _write(self, text: str) -> None:
        assert self._terminal is not None
        try:
            os.write(self._terminal, text.encode())
        except OSError:  # the terminal was closed
            self._drawn = False


def _open_terminal() -> int | None:
    """The terminal of standard error, opened anew: a lock belongs to an opening, not to a file."""
    if not sys.stderr.isatty() or os.environ.get("TERM", "dumb") == "dumb":
        return None
    try:
        return os.open(os.ttyname(sys.stderr.fileno()), os.O_WRONLY | os.O_NOCTTY)
    except OSError:
        return None


BAR_SECONDS = 0.1
LINE_SECONDS = 10.0


class RecordProgress:
    """Counts records; draws over one terminal line, or logs a plain line every ten seconds."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.records = 0
        self._start = time.monotonic()
        self._terminal = sys.stderr.isatty()
        self._next = self._start + (BAR_SECONDS if self._terminal else LINE_SECONDS)

    def add(self, records: int) -> None:
        """Count records that are done."""
        self.records += records
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + (BAR_SECONDS if self._terminal else LINE_SECONDS)
        text = f"{self.what}: {self.records} records, {self._rate(now):.0f} records/s"
        if self._terminal:
            sys.stderr.write(f"\r{text}\033[K")
            sys.stderr.flush()
        else:
            log.info(text)

    def finish(self) -> None:
        """Clear the bar and say the total."""
        self.clear()
        rate = self._rate(time.monotonic())
        log.info(f"{self.what}: {self.records} records, {rate:.0f} records/s")

    def clear(self) -> None:
        """Take the bar off the terminal, before a message."""
        if self._terminal:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()

    def _rate(self, now: float) -> float:
        return self.records / max(now - self._start, 1e-9)
