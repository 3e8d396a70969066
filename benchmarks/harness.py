"""What the benchmarks share: contestants that run in turn, ratios within a round, tables, versions.

A busy machine slows everyone of a round alike, so what is compared are ratios within rounds, of
wall-clock time and, since others may be at work, of processor time.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


class Failed(Exception):
    """A contestant's process did not end, or not well."""


@dataclass
class Contestant:
    """A way to do the task, and the seconds that it took in each round (`None`: not run in it)."""

    name: str
    run: Callable[[], object]
    amount: int = 1
    every: int = 1
    may_fail: bool = False
    wall: list[float | None] = field(default_factory=list)
    processor: list[float | None] = field(default_factory=list)

    def rates(self) -> list[float]:
        """Amount a second in each of its rounds."""
        return [self.amount / wall for wall in self.wall if wall is not None]


def processor_seconds() -> float:
    """Processor time of this process, all its threads and its ended children."""
    own = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def race(
    contestants: Sequence[Contestant], rounds: int, seconds: float, warm_up: bool = True
) -> int:
    """Let all contestants run, one after the other, round by round; the order turns each round.

    Returns the number of rounds: at most `rounds`, and less where `seconds` are over before.
    """
    end = time.perf_counter() + seconds
    if warm_up:
        for one in contestants:
            one.run()
    for number in range(rounds):
        if number > 1 and time.perf_counter() > end:
            return number
        turn = number % len(contestants)
        for one in [*contestants[turn:], *contestants[:turn]]:
            if number % one.every == 0 and measured(one):
                continue
            one.wall.append(None)
            one.processor.append(None)
    return rounds


def measured(one: Contestant) -> bool:
    """Let a contestant run once; a peer that fails is said to, and does not run again."""
    wall, processor = time.perf_counter(), processor_seconds()
    try:
        one.run()
    except Failed as error:
        if not one.may_fail:
            raise SystemExit(str(error)) from error
        print(f"{one.name}: left out, since it failed: {str(error)[-500:]}")
        one.every = sys.maxsize
        return False
    one.wall.append(time.perf_counter() - wall)
    one.processor.append(processor_seconds() - processor)
    return True


def ratios(above: Sequence[float | None], below: Sequence[float | None]) -> list[float]:
    """`above / below` of the rounds in which both ran."""
    pairs = zip(above, below, strict=True)
    return [a / b for a, b in pairs if a is not None and b is not None and b > 0]


def speed_ratios(one: Contestant, reference: Contestant) -> list[float]:
    """How fast `one` is, as parts of the reference's speed in the same round."""
    scale = one.amount / reference.amount
    return [scale * ratio for ratio in ratios(reference.wall, one.wall)]


def spread(values: Sequence[float], digits: int = 2) -> str:
    """`median (smallest … largest)`."""
    if not values:
        return "-"
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{middle:,.{digits}f} ({low:,.{digits}f} … {high:,.{digits}f})"


def print_table(rows: Sequence[Sequence[str]]) -> None:
    """Columns side by side; the first row is the head."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join(cells).rstrip())


def print_speeds(contestants: Sequence[Contestant], reference: Contestant, unit: str) -> None:
    """Speeds, and speeds as parts of the reference's in the same round."""
    rows = [("contestant", unit, f"of {reference.name}", "by processor time")]
    for one in contestants:
        wall = spread(speed_ratios(one, reference))
        scale = one.amount / reference.amount
        used = [scale * ratio for ratio in ratios(reference.processor, one.processor)]
        rows.append((one.name, spread(one.rates(), 0), wall, spread(used)))
    print_table(rows)


def print_times_of(contestants: Sequence[Contestant], reference: Contestant) -> None:
    """Seconds, and seconds as multiples of the reference's in the same round."""
    head = ("contestant", "seconds", "processor seconds", f"times {reference.name}")
    rows = [(*head, "by processor time")]
    for one in contestants:
        wall = [value for value in one.wall if value is not None]
        used = [value for value in one.processor if value is not None]
        times = spread(ratios(one.wall, reference.wall))
        by_processor = spread(ratios(one.processor, reference.processor))
        rows.append((one.name, spread(wall), spread(used), times, by_processor))
    print_table(rows)


def goal(what: str, values: Sequence[float], bound: float, at_least: bool) -> None:
    """One line: the median, and whether it is on the right side of the bound."""
    if not values:
        print(f"{what}: not measured")
        return
    goal_of(what, statistics.median(values), spread(values), bound, at_least)


def goal_of(what: str, value: float, shown: str, bound: float, at_least: bool) -> None:
    """The same of one value, shown with what says how sure it is."""
    met = value >= bound if at_least else value <= bound
    side = "at least" if at_least else "at most"
    print(f"{what}: {shown} (goal: {side} {bound:g}; {'met' if met else 'NOT met'})")


def installed(*names: str, quiet: bool = False) -> list[str]:
    """Those of these optional packages that are there; says which are missing unless `quiet`."""
    found = [name for name in names if version_of(name)]
    for name in names:
        if name not in found and not quiet:
            print(f"{name}: missing; make bench installs it")
    return found


def version_of(package: str) -> str:
    """The version of an installed package, or nothing."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def print_versions(*packages: str) -> None:
    """Python's, the machine's and these packages' versions."""
    found = [f"{name} {version_of(name)}" for name in packages if version_of(name)]
    cores = len(os.sched_getaffinity(0))
    print(f"Python {platform.python_version()}, {', '.join(found)}, {cores} cores")


def run_process(command: Sequence[str], folder: Path, seconds: float = 300) -> str:
    """Run a process to its end and return what it printed; raises `Failed`."""
    process = subprocess.Popen(
        command,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        said, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise Failed(f"{command[1]} did not end within {seconds:g} s") from None
    if process.returncode:
        raise Failed(f"{command[1]} ended with {process.returncode}:\n{said[-3000:]}")
    return said


def parser(description: str | None, rounds: int, seconds: float) -> argparse.ArgumentParser:
    """The arguments that all benchmarks have."""
    made = argparse.ArgumentParser(description=(description or "").splitlines()[0])
    made.add_argument("--quick", action="store_true", help="under a minute")
    made.add_argument("--rounds", type=int, default=rounds, help="at most")
    made.add_argument("--seconds", type=float, default=seconds, help="about, for all rounds")
    return made


def use_repository() -> None:
    """Let this process and its children import dlutil from this repository."""
    sys.path.insert(0, str(ROOT))
    os.environ["PYTHONPATH"] = str(ROOT)
