"""What a job used whose work a fork of the resident did, as Snakemake's `benchmark` writes it.

Snakemake measures what is below the process that it started, which is the waiting job. The resident
measures the fork instead. What it found stands beside Snakemake's file until the run ends, since
that one is written after the job.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from resource import struct_rusage

MEMORY = ("rss", "vms", "uss", "pss")
USED = ("io_in", "io_out", "mean_load", "cpu_time")
HEADER = ("s", "h:m:s", *(f"max_{kind}" for kind in MEMORY), *USED)
"""Of Snakemake 9: seconds, MiB, MiB of blocks read and written, percent of a core, seconds."""

FIRST_LOOK, LONGEST_PAUSE = 0.25, 30.0
"""Seconds until memory is looked at first; then after as long again, up to the pause."""

BLOCKS_OF_A_MEBIBYTE = 2048
SUFFIX = ".own"


class Usage:
    """What a process and those below it use.

    Parameters
    ----------
    process
        Its number; it has just begun.
    """

    def __init__(self, process: int) -> None:
        self.process = process
        self.began = time.monotonic()
        self.next_look = self.began + FIRST_LOOK
        self.peaks = dict.fromkeys(MEMORY, 0)

    def look(self) -> None:
        """Note how much memory all of them have now."""
        now = time.monotonic()
        self.next_look = now + min(max(now - self.began, FIRST_LOOK), LONGEST_PAUSE)
        held = [_memory(process) for process in (self.process, *below(self.process))]
        for kind, peak in self.peaks.items():
            self.peaks[kind] = max(peak, sum(found.get(kind, 0) for found in held))

    def table(self, used: struct_rusage) -> str:
        """The lines of the file, of what the system counted until the process had ended."""
        seconds = time.monotonic() - self.began
        processor = used.ru_utime + used.ru_stime
        self.peaks["rss"] = max(self.peaks["rss"], used.ru_maxrss)
        row = [
            f"{seconds:.4f}",
            str(timedelta(seconds=int(seconds))),
            *(f"{peak / 1024:.2f}" if peak else "NA" for peak in self.peaks.values()),
            f"{used.ru_inblock / BLOCKS_OF_A_MEBIBYTE:.2f}",
            f"{used.ru_oublock / BLOCKS_OF_A_MEBIBYTE:.2f}",
            f"{100 * processor / seconds:.2f}",
            f"{processor:.2f}",
        ]
        return "".join("\t".join(line) + "\n" for line in (HEADER, row))


def below(process: int) -> list[int]:
    """The children of a process, and theirs."""
    found = []
    for tasks in Path(f"/proc/{process}/task").glob("*/children"):
        with suppress(OSError):
            found += [int(word) for word in tasks.read_text().split()]
    return [*found, *(further for child in found for further in below(child))]


def _memory(process: int) -> dict[str, int]:
    """Kibibytes, by kind; nothing of a process that is gone."""
    with suppress(OSError, ValueError):
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()[1:]
        kept = {name: int(rest.split()[0]) for name, _, rest in (x.partition(":") for x in lines)}
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[0])
        return {
            "rss": kept["Rss"],
            "vms": pages * os.sysconf("SC_PAGE_SIZE") // 1024,
            "uss": kept["Private_Clean"] + kept["Private_Dirty"],
            "pss": kept["Pss"],
        }
    return {}


def keep(table: str, measured: Path) -> None:
    """Write it beside the file that Snakemake is about to write."""
    with suppress(OSError):
        measured.parent.mkdir(parents=True, exist_ok=True)
        measured.with_name(f".{measured.name}{SUFFIX}").write_text(table)


def put_in_place(folder: Path) -> None:
    """Replace what Snakemake measured of jobs that waited for a fork, below a folder."""
    for own in folder.rglob(f".*{SUFFIX}"):
        with suppress(OSError):
            own.replace(own.with_name(own.name[1:].removesuffix(SUFFIX)))
