"""What a bracket job costs beside its training: metrics, worker processes, locks, checkpoints.

    python benchmarks/checkpoints.py [--quick] [--rounds 12] [--seconds 200] [--only regression]

All contestants train the same search, one trial at a time, in a process that has loaded torch, the
definition and the data already; they run in turn:

- *by hand* (regression alone): the bare process of `search.py`, no metrics, nothing written;
- *fit*: `Model.fit` rung by rung, the contract's metrics included, all models kept in memory;
- *bracket jobs*: as the workflow runs them, each with one worker process, the lock and the memo of
  every trial, and a checkpoint at each rung's end.
"""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import harness

harness.use_repository()

from dlutil_core.common.seeds import seed_everything  # noqa: E402
from dlutil_core.job.loaded_run import LoadedRun  # noqa: E402
from dlutil_core.job.run_spec import RunSpec  # noqa: E402
from dlutil_core.preprocess.pipeline import preprocess  # noqa: E402
from dlutil_core.run.config import validated  # noqa: E402
from dlutil_core.search import plan, sampling  # noqa: E402
from dlutil_core.search.bracket import BracketRun  # noqa: E402
from dlutil_core.search.outcome import Outcome, promoted, ranked  # noqa: E402

PEERS = Path(__file__).resolve().parent / "peers"


@dataclass(frozen=True)
class Case:
    """A search that is timed, what it is compared with, and how often that it may take at most."""

    name: str
    folder: str
    batch_size: int
    max_epochs: int
    reference: str
    limit: float


CASES = [
    Case("regression, batches of 100", "function_regressor", 100, 27, "by hand", 1.3),
    Case("regression, batches of 20", "function_regressor", 20, 27, "by hand", 1.3),
    Case("CTCF, batches of 100", "conv_seq_classifier", 100, 3, "fit", 1.15),
]


def measure(case: Case, folder: Path, rounds: int, seconds: float) -> None:
    """Race on one search and print the table and the goal."""
    loaded, searched = prepared(case, folder)
    everyone = [harness.Contestant("fit", lambda: fit(loaded, searched))]
    everyone.append(harness.Contestant("bracket jobs", bracket_jobs(loaded, searched, folder)))
    if case.reference == "by hand":
        everyone.insert(0, harness.Contestant("by hand", by_hand(case, folder)))
    rounds = harness.race(everyone, rounds, seconds)
    size = f"{searched.trial_count} trials, {searched.epochs} epochs"
    print(f"\n{case.name}: {size}, {rounds} rounds")
    harness.print_times_of(everyone, everyone[0])
    named = {one.name: one for one in everyone}
    ratios = harness.ratios(named["bracket jobs"].wall, named[case.reference].wall)
    what = f"{case.name}: training by bracket jobs, times {case.reference}"
    harness.goal(what, ratios, case.limit, at_least=False)


def prepared(case: Case, folder: Path) -> tuple[LoadedRun, plan.Plan]:
    """The example's data, loaded, and its plan."""
    import yaml

    os.chdir(harness.ROOT)
    example = harness.ROOT / "examples" / case.folder
    config = validated(yaml.safe_load((example / "config.yaml").read_text()))
    section = config["preprocess"]
    if "command" in section:
        command = section["command"]["run"].replace("{data}", str(folder / "data"))
        (folder / "data").mkdir()
        words = [sys.executable if w == "python" else w for w in command.split()]
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    else:
        preprocess(section, folder / "data", config["seed"])
    spec = RunSpec(
        definition=str(example / "def.py"),
        data_dir=str(folder / "data"),
        batch_size=case.batch_size,
        seed=config["seed"],
        device="cpu",
    )
    loaded = LoadedRun(spec)
    _ = loaded.loaders
    made = plan.hyperband(case.max_epochs)
    get_config = loaded.definition.module.get_config
    trials = sampling.sample_trials(get_config, made, config["seed"])
    return loaded, plan.Plan.of(made, config["seed"], trials)


def by_hand(case: Case, folder: Path) -> Callable[[], None]:
    """The hand-written search, without the start of its process."""
    sys.path.insert(0, str(PEERS))
    import bare

    def run() -> None:
        with contextlib.redirect_stdout(io.StringIO()):
            bare.main(str(folder / "data"), str(folder / "by-hand"), case.batch_size)

    return run


def fit(loaded: LoadedRun, searched: plan.Plan) -> None:
    """Hyperband with nothing around `Model.fit`."""
    train, val = loaded.loaders
    for bracket in searched.brackets:
        running = list(bracket.trials)
        models: dict[int, Any] = {}
        rows: dict[int, list[dict[str, float]]] = {}
        for i, rung in enumerate(bracket.rungs):
            first_epoch = rung.budget - rung.new_epochs + 1
            for j in running:
                trial = searched.trials[j]
                if j not in models:
                    seed_everything(trial.seed)
                    models[j], rows[j] = loaded.model(trial.config), []
                rows[j] += models[j].fit(
                    train, val, rung.budget, first_epoch=first_epoch, seed=trial.seed
                )
            order = ranked([Outcome(j, rows[j]) for j in running])
            running = promoted(order, bracket.slots_after(i))


def bracket_jobs(loaded: LoadedRun, searched: plan.Plan, folder: Path) -> Callable[[], None]:
    """The same search as bracket jobs run it, one after the other, each time from nothing."""
    numbers = iter(range(sys.maxsize))

    def run() -> None:
        loaded.spec = replace(loaded.spec, trials_dir=str(folder / f"trials-{next(numbers)}"))
        for bracket in searched.brackets:
            BracketRun(loaded, searched, bracket.number, workers=1).run()

    return run


def main() -> None:
    parser = harness.parser(__doc__, rounds=12, seconds=200)
    parser.add_argument("--only", help="cases whose name has this in it")
    arguments = parser.parse_args()
    harness.print_versions("torch")
    chosen = [CASES[0], CASES[-1]] if arguments.quick else CASES
    cases = [case for case in chosen if (arguments.only or "") in case.name]
    seconds = (15 if arguments.quick else arguments.seconds) / max(len(cases), 1)
    for case in cases:
        with tempfile.TemporaryDirectory(prefix="dlutil-benchmark-") as folder:
            measure(case, Path(folder), arguments.rounds, seconds)


if __name__ == "__main__":
    main()
