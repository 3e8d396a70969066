"""Runs the published tasks afresh and writes `examples/RESULTS.md`: `make published`.

    python examples/published.py [TASK …] [--cores N] [--results FILE]

A task that runs replaces its own section. Its seconds are those of the whole command, from raw
files to the report.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TASKS = {"splice_sites": "5' splice sites (RNA, regression)"}
"""The folders of the tasks, and their headings."""

HEAD = """\
# Published tasks

Written by `make published`: what dlutil reaches by a search, by the authors' own split, beside what
was published. The search sees training and validation alone; how its space was chosen, with which
scores in view, stands in each task's README. Intervals are 95 % of the mean over seeds, by
Student's t ([docs/repeat.md](../docs/repeat.md)). A load above the number of cores says that others
used them too; the processor time says what the task itself needs.

"""


def python(*arguments: object) -> str:
    """Run Python in the repository; what it printed."""
    done = subprocess.run(
        [sys.executable, *map(str, arguments)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    if done.returncode:
        sys.exit(f"error: {' '.join(map(str, arguments))} ended with {done.returncode}")
    return done.stdout


def processor_seconds(result: Path) -> float:
    """What the jobs of a run used in all, as Snakemake's benchmarks tell it."""
    used = 0.0
    for path in (result / "logs" / "benchmarks").rglob("*.tsv"):
        names, values = (line.split("\t") for line in path.read_text().splitlines()[:2])
        used += float(dict(zip(names, values, strict=True))["cpu_time"])
    return used


def section(task: str, cores: int) -> str:
    """The task run into an empty folder: its heading, its table, its seconds."""
    folder, result = ROOT / "examples" / task, ROOT / "build" / "published" / task
    shutil.rmtree(result, ignore_errors=True)
    config = ["--configfile", folder / "config.yaml", "--config", f"result={result}"]
    begun = time.monotonic()
    python("-m", "snakemake", "--quiet", "all", "--cores", cores, *config)
    took = (
        f"{time.monotonic() - begun:.0f} seconds on {cores} cores (load {os.getloadavg()[1]:.1f})"
    )
    return (
        f"## [{TASKS[task]}]({task}/README.md)\n\n{python(folder / 'baseline.py', result)}\n"
        f"{took}, {processor_seconds(result):.0f} seconds of processor time.\n\n"
    )


def merged(old: str, new: dict[str, str]) -> str:
    """The page, in which sections that ran replace those of `old`."""
    parts = re.split(r"^(?=## \[)", old, flags=re.MULTILINE)
    kept = {task: part for task in TASKS for part in parts if f"]({task}/README.md)" in part}
    kept |= new
    return HEAD + "".join(kept[task] for task in TASKS if task in kept).rstrip() + "\n"


def main() -> None:
    """Parse the command line, run, write."""
    parser = argparse.ArgumentParser(description="Run the published tasks.")
    parser.add_argument("tasks", nargs="*", metavar="TASK", help=", ".join(TASKS))
    parser.add_argument("--cores", type=int, default=2, help="of each run (default 2)")
    parser.add_argument("--results", type=Path, default=ROOT / "examples" / "RESULTS.md")
    arguments = parser.parse_args()
    if unknown := [task for task in arguments.tasks if task not in TASKS]:
        parser.error(f"{unknown[0]}: there is no such task, only {', '.join(TASKS)}")
    page: Path = arguments.results
    for task in arguments.tasks or TASKS:
        old = page.read_text() if page.exists() else ""
        page.write_text(merged(old, {task: section(task, arguments.cores)}))
    print(page.read_text())


if __name__ == "__main__":
    main()
