"""A whole search: Hyperband of 49 trials on 500 rows, from the command to the prompt.

    python benchmarks/search.py [--quick] [--rounds 5] [--seconds 400] [--batch-size 100]

The problem is `examples/function_regressor` with R = 27 and eta = 3. Every contestant is a whole
process on all cores of this machine, and they run in turn:

- *bare process*: the same search by hand in one process, everything in memory, no checkpoints;
- *dlutil*: `snakemake` with the targets plan, brackets, selection, test and predictions;
- *dlutil, all*: `snakemake` without targets, so with plots, report and manifest too;
- where they are installed, Optuna (HyperbandPruner, one process), Ray Tune (ASHA in 4 brackets,
  reused actors) and, once since it takes minutes, hyperband-snakemake.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import harness

PEERS = Path(__file__).resolve().parent / "peers"
EXAMPLE = harness.ROOT / "examples" / "function_regressor"
TARGETS = ["result/test/metrics.json", "result/predictions/X_pred.csv.npy"]
PEER_EVERY = 2
RAY_EVERY = 4
ONCE = 1000

CONFIG = """\
definition: {example}/def.py
data: data
result: result
seed: 1
batch_size: {batch_size}
search: {{method: hyperband, max_epochs: 27, eta: 3}}
predict: [X_pred.csv]
data_files: {{train: [X_train.csv, y_train.csv], test: [X_test.csv, y_test.csv]}}
"""

STARTED = re.compile(r"Job (\d+): ")
FINISHED = re.compile(r"Finished jobid: (\d+) \(Rule: (\w+)\)")


class Workflow:
    """The project's search in a folder, and when its jobs began and ended."""

    def __init__(self, folder: Path, targets: list[str]) -> None:
        self.folder = folder
        self.targets = targets
        self.jobs: list[list[tuple[str, float, float]]] = []
        self.ends: list[float] = []
        self.command = [sys.executable, "-m", "snakemake", "--cores", "all", *targets]
        self.command += ["-s", str(harness.ROOT / "workflow" / "Snakefile")]
        self.command += ["--configfile", "config.yaml"]

    def run(self) -> None:
        """Once, into an empty folder."""
        for name in ("result", ".snakemake"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
        start = time.perf_counter()
        begun: dict[str, float] = {}
        jobs = []
        told = []
        process = subprocess.Popen(
            self.command,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert process.stdout is not None
        for line in process.stdout:
            now = time.perf_counter() - start
            told.append(line)
            if found := STARTED.match(line):
                begun[found[1]] = now
            elif (found := FINISHED.match(line)) and found[1] in begun:
                jobs.append((found[2], begun[found[1]], now))
        if process.wait():
            raise SystemExit("".join(told))
        self.jobs.append(jobs)
        self.ends.append(time.perf_counter() - start)

    def bracket_seconds(self) -> list[float | None]:
        """From the first bracket's start to the last one's end, in each round."""
        seconds: list[float | None] = []
        for jobs in self.jobs:
            times = [(began, ended) for rule, began, ended in jobs if rule == "bracket"]
            seconds.append(max(t[1] for t in times) - min(t[0] for t in times))
        return seconds

    def print_times(self) -> None:
        """Where the time of a round goes: the round whose wall time is the median."""
        median = sorted(self.ends)[len(self.ends) // 2]
        jobs = self.jobs[self.ends.index(median)]
        rules: dict[str, list[tuple[float, float]]] = defaultdict(list)
        for rule, began, ended in jobs:
            rules[rule].append((began, ended))
        rows = [("rule", "jobs", "begins", "ends", "seconds of its jobs")]
        first = min(began for _, began, _ in jobs)
        rows.append(("(snakemake starts)", "", "0.0", f"{first:.1f}", f"{first:.1f}"))
        for rule, times in rules.items():
            begin, end = min(t[0] for t in times), max(t[1] for t in times)
            seconds = sum(t[1] - t[0] for t in times)
            rows.append((rule, str(len(times)), f"{begin:.1f}", f"{end:.1f}", f"{seconds:.1f}"))
        last = max(ended for _, _, ended in jobs)
        rows.append(
            ("(snakemake ends)", "", f"{last:.1f}", f"{median:.1f}", f"{median - last:.1f}")
        )
        harness.print_table(rows)


def process(name: str, folder: Path, batch_size: int) -> Callable[[], object]:
    """A script of `peers/` as a process of its own."""
    out = folder / name
    command = [sys.executable, str(PEERS / f"{name}.py"), "data", str(out), str(batch_size)]

    def run() -> None:
        shutil.rmtree(out, ignore_errors=True)
        harness.run_process(command, folder)

    return run


def main() -> None:
    parser = harness.parser(__doc__, rounds=5, seconds=400)
    parser.add_argument("--batch-size", type=int, default=100)
    arguments = parser.parse_args()
    harness.use_repository()
    harness.print_versions("torch", "snakemake", "optuna", "ray", "hyperband-snakemake")
    peers = harness.installed("optuna", "ray", "hyperband-snakemake")
    with tempfile.TemporaryDirectory(prefix="dlutil-benchmark-") as name:
        folder = Path(name)
        subprocess.run([sys.executable, EXAMPLE / "make_data.py", folder / "data"], check=True)
        text = CONFIG.format(example=EXAMPLE, batch_size=arguments.batch_size)
        (folder / "config.yaml").write_text(text)
        search, everything = Workflow(folder, TARGETS), Workflow(folder, [])
        bare = process("bare", folder, arguments.batch_size)
        everyone = [
            harness.Contestant("bare process", bare),
            harness.Contestant("dlutil", search.run),
        ]
        if not arguments.quick:
            everyone.append(harness.Contestant("dlutil, all", everything.run, every=PEER_EVERY))
        if "optuna" in peers:
            run = process("optuna_search", folder, arguments.batch_size)
            everyone.append(harness.Contestant("Optuna", run, every=PEER_EVERY, may_fail=True))
        if "ray" in peers and not arguments.quick:
            run = process("ray_search", folder, arguments.batch_size)
            everyone.append(harness.Contestant("Ray Tune", run, every=RAY_EVERY, may_fail=True))
        if "hyperband-snakemake" in peers and not arguments.quick:
            run = process("snakemake_search", folder, arguments.batch_size)
            everyone.append(harness.Contestant("hyperband-snakemake", run, 1, ONCE, may_fail=True))
        seconds = 15 if arguments.quick else arguments.seconds
        rounds = harness.race(everyone, arguments.rounds, seconds, warm_up=False)
        print(f"49 trials, R = 27, eta = 3, batches of {arguments.batch_size}, {rounds} rounds")
        harness.print_times_of(everyone, everyone[0])
        ratios = harness.ratios(everyone[1].wall, everyone[0].wall)
        harness.goal("dlutil, times the bare process", ratios, 2.5, at_least=False)
        brackets = harness.ratios(search.bracket_seconds(), everyone[0].wall)
        harness.goal("its brackets, times the bare process", brackets, 1.3, at_least=False)
        print("\nwhere the time of dlutil goes, in seconds from the command's start:")
        search.print_times()


if __name__ == "__main__":
    main()
