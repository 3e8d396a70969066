"""Runs the benchmarks and writes what they say to `benchmarks/RESULTS.md`, the goals first.

    python benchmarks/all.py [train search …] [--quick] [--results FILE]

A benchmark that runs replaces its own section; the others stay. `--quick` writes to
`build/benchmarks-quick.md` unless told otherwise: figures of seconds are no results to keep.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

import harness

TITLES = {
    "train": "The training loop",
    "search": "A whole search",
    "checkpoints": "What a bracket job costs beside its training",
    "stream": "Sets larger than memory",
    "preprocess": "FASTA to HDF5",
    "variants": "Effects of variants",
    "quality": "How good the picked model is",
}
"""The benchmarks in the order in which they run, and the headings of their sections."""

RESULTS = harness.ROOT / "benchmarks" / "RESULTS.md"
QUICK_RESULTS = harness.ROOT / "build" / "benchmarks-quick.md"
PICTURE = harness.ROOT / "docs" / "pictures" / "quality.svg"

HEAD = """\
# Results of the benchmarks

Written by `make bench`. Contestants run in turn in one command, so ratios within a round mean
something where seconds do not: `median (smallest … largest)` of the rounds. How each benchmark
works is told at the top of its program; [docs/speed.md](../docs/speed.md) says what follows.

"""

NAMES = "|".join(TITLES)
SECTION = re.compile(rf"^## ({NAMES}): .*?(?=^## (?:{NAMES}): |\Z)", re.MULTILINE | re.DOTALL)
GOAL = re.compile(
    r"^(.+): ([^:]+) \(goal: (at (?:least|most) [^;]+); (met|NOT met)\)$", re.MULTILINE
)


def machine() -> str:
    """The processor, its cores and the memory."""
    model = platform.processor() or platform.machine()
    cpus = Path("/proc/cpuinfo")
    if cpus.exists() and (found := re.search(r"model name\s*: (.+)", cpus.read_text())):
        model = found[1]
    cores = len(os.sched_getaffinity(0))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{model}, {cores} cores, {memory:.0f} GiB"


def run(name: str, options: list[str]) -> tuple[str, float] | None:
    """Run one benchmark, its output shown as it comes; its output and seconds if it ends well."""
    command = [sys.executable, "-u", str(Path(__file__).parent / f"{name}.py"), *options]
    start = time.perf_counter()
    told = []
    process = subprocess.Popen(
        command, cwd=harness.ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    for line in process.stdout:
        print(line, end="", flush=True)
        told.append(line)
    if process.wait():
        return None
    return "".join(told), time.perf_counter() - start


def section(name: str, options: list[str], text: str, seconds: float) -> str:
    """What a benchmark printed, and when and where."""
    today = datetime.date.today().isoformat()
    command = shlex.join(["python", f"benchmarks/{name}.py", *options])
    where = f"`{command}`, {today}, {machine()}, {seconds:.0f} s"
    return f"## {name}: {TITLES[name]}\n\n{where}\n\n```text\n{text.strip()}\n```\n\n"


def goals(sections: dict[str, str]) -> str:
    """All lines of the sections that tell of a goal, as one table."""
    rows = ["| benchmark | figure | measured | goal | |", "| --- | --- | --- | --- | --- |"]
    for name, text in sections.items():
        for what, measured, bound, met in GOAL.findall(text):
            rows.append(f"| {name} | {what} | {measured} | {bound} | {met} |")
    return "\n".join(rows) + "\n\n"


def write(path: Path, sections: dict[str, str]) -> None:
    """The file, with the sections in their order."""
    ordered = {name: sections[name] for name in TITLES if name in sections}
    path.parent.mkdir(parents=True, exist_ok=True)
    text = HEAD + goals(ordered) + "".join(ordered.values())
    path.write_text(text.rstrip() + "\n", encoding="utf-8")


def stored(path: Path) -> dict[str, str]:
    """The sections that the file has by now."""
    if not path.exists():
        return {}
    text = path.read_text(encoding="utf-8")
    return {found[1]: found[0].rstrip() + "\n\n" for found in SECTION.finditer(text)}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(TITLES))
    parser.add_argument("--quick", action="store_true", help="under a minute each")
    parser.add_argument("--results", type=Path, help="the file to write")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.names if name not in TITLES]
    if unknown:
        parser.error(f"there is no benchmark {unknown[0]!r}; there are {', '.join(TITLES)}")
    path = (arguments.results or (QUICK_RESULTS if arguments.quick else RESULTS)).resolve()
    failed = []
    for name in arguments.names or TITLES:
        print(f"== {name}: {TITLES[name]}", flush=True)
        options = ["--quick"] if arguments.quick else []
        if name == "quality" and not arguments.quick:
            options += ["--plot", str(PICTURE.relative_to(harness.ROOT))]
        done = run(name, options)
        if done is None:
            failed.append(name)
            continue
        text, seconds = done
        write(path, stored(path) | {name: section(name, options, text, seconds)})
        print(f"== {name}: {seconds:.0f} s\n", flush=True)
    if failed:
        raise SystemExit(f"error: {', '.join(failed)} failed; {path.name} has nothing new of it")
    print(f"written: {os.path.relpath(path)}")


if __name__ == "__main__":
    main()
