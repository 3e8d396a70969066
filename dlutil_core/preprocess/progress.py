"""Progress with records a second: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time

from dlutil_core.script import log

BAR_SECONDS = 0.1
LINE_SECONDS = 10.0


class Progress:
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
