"""How good the picked model is: Hyperband beside random search, Optuna and Ray, at equal epochs.

    python benchmarks/quality.py [--quick] [--seeds 20] [--max-epochs 27 81] [--plot FILE.svg]

The problem is `examples/function_regressor` with a wider search space. For each seed every
contestant may train as many epochs as Hyperband with R = `--max-epochs` and eta = 3 does (357 for
27), and its picked model's validation reward (minus the mean squared error) counts:

- *dlutil*: the core's plan, trials and rankings, without Snakemake and without checkpoints;
- *random search*: as many trials at random, each trained to R epochs, as the epochs allow;
- *Optuna*: its HyperbandPruner, with its default sampler (TPE) and with random sampling;
- *Ray Tune*: its HyperBandScheduler, for the first R alone (half a minute for each three seeds).
"""

from __future__ import annotations

import json
import random
import statistics
import subprocess
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import harness

harness.use_repository()

from dlutil_core.common.seeds import trial_seed  # noqa: E402
from dlutil_core.job.loaded_run import LoadedRun  # noqa: E402
from dlutil_core.job.run_spec import RunSpec  # noqa: E402
from dlutil_core.search import plan, sampling  # noqa: E402
from dlutil_core.search.outcome import Outcome, diverged, promoted, ranked  # noqa: E402
from dlutil_core.search.plan import Schedule, Trial  # noqa: E402

EXAMPLE = harness.ROOT / "examples" / "function_regressor"
PEERS = Path(__file__).resolve().parent / "peers"
ETA = 3
BATCH = 50
OTHER_TRIALS = 10_000
"""Random search draws trials of numbers from here on, so that it draws others than Hyperband."""

Rewards = dict[str, float]
"""A number for each contestant."""


def get_config() -> dict[str, Any]:
    """The wider space: most configurations are bad ones."""
    return {
        "learning_rate": 10 ** random.uniform(-4, -1),
        "hidden": random.choice([4, 8, 16, 32, 64, 128]),
        "dropout": random.uniform(0, 0.5),
        "max_norm": random.uniform(0.5, 5),
    }


class Training:
    """Trials in memory: their models, and their rows so far."""

    def __init__(self, loaded: LoadedRun) -> None:
        self.loaded = loaded
        self.models: dict[int, Any] = {}
        self.rows: dict[int, list[dict[str, float]]] = {}
        self.epochs = 0

    def to(self, trial: Trial, budget: int) -> Outcome:
        """The outcome of a trial at a budget, trained on from where it is."""
        from dlutil_core.common.seeds import seed_everything

        number = trial.number
        if number not in self.models:
            seed_everything(trial.seed)
            self.models[number] = self.loaded.model(trial.config)
            self.rows[number] = []
        rows = self.rows[number]
        if len(rows) < budget and not (rows and diverged(rows[-1])):
            train, val = self.loaded.loaders
            first = len(rows) + 1
            new = self.models[number].fit(train, val, budget, first, trial.seed, diverged)
            rows += new
            self.epochs += len(new)
        bad = bool(rows) and diverged(rows[-1])
        return Outcome(number, list(rows), "diverged" if bad else "ok")


def hyperband(loaded: LoadedRun, search: Schedule, seed: int) -> tuple[float, int]:
    """The score of the model that dlutil picks, and the epochs trained."""
    training = Training(loaded)
    trials = sampling.sample_trials(get_config, search, seed)
    last: dict[int, Outcome] = {}
    for bracket in search.brackets:
        running = list(bracket.trials)
        for i, rung in enumerate(bracket.rungs):
            found = [training.to(trials[j], rung.budget) for j in running]
            order = ranked(found)
            last |= {one.trial: one for one in order}
            running = promoted(order, bracket.slots_after(i))
    return ranked(list(last.values()))[0].score or 0.0, training.epochs


def random_search(loaded: LoadedRun, search: Schedule, seed: int) -> tuple[float, int]:
    """The best of as many full-length trials as the epochs allow."""
    training = Training(loaded)
    count = search.epochs // search.max_epochs
    configs = sampling.sample_configs(get_config, count, OTHER_TRIALS + seed)
    trials = [
        Trial(j, trial_seed(OTHER_TRIALS + seed, j), config, 0) for j, config in enumerate(configs)
    ]
    found = [training.to(trial, search.max_epochs) for trial in trials]
    return ranked(found)[0].score or 0.0, training.epochs


def optuna_search(loaded: LoadedRun, search: Schedule, seed: int, tpe: bool) -> tuple[float, int]:
    """Optuna's Hyperband, with trials until the epochs are spent."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    training = Training(loaded)

    def objective(trial: Any) -> float:
        config = {
            "learning_rate": trial.suggest_float("learning_rate", 1e-4, 1e-1, log=True),
            "hidden": trial.suggest_categorical("hidden", [4, 8, 16, 32, 64, 128]),
            "dropout": trial.suggest_float("dropout", 0, 0.5),
            "max_norm": trial.suggest_float("max_norm", 0.5, 5),
        }
        for epoch in range(1, search.max_epochs + 1):
            found = training.to(Trial(trial.number, 1000 * seed + trial.number, config, 0), epoch)
            if found.score is None or training.epochs >= search.epochs:
                trial.study.stop()
                raise optuna.TrialPruned
            trial.report(found.score, epoch)
            if trial.should_prune():
                raise optuna.TrialPruned
        return found.score

    samplers = optuna.samplers
    study = optuna.create_study(
        study_name=f"seed {seed}",  # which a trial's bracket depends on
        sampler=samplers.TPESampler(seed=seed) if tpe else samplers.RandomSampler(seed),
        pruner=optuna.pruners.HyperbandPruner(1, search.max_epochs, search.eta),
        direction="maximize",
    )
    study.optimize(objective)
    rewards = [row["reward"] for rows in training.rows.values() for row in rows]
    return max(r for r in rewards if r == r), training.epochs


def of_seed(max_epochs: int, seed: int, data: str, with_optuna: bool) -> tuple[Rewards, Rewards]:
    """Rewards and epochs of every contestant, in a process of its own."""
    loaded = LoadedRun(RunSpec(str(EXAMPLE / "def.py"), data, BATCH, seed, device="cpu"))
    search = plan.hyperband(max_epochs, ETA)
    found = {
        "dlutil": hyperband(loaded, search, seed),
        "random search": random_search(loaded, search, seed),
    }
    if with_optuna:
        found["Optuna, TPE"] = optuna_search(loaded, search, seed, tpe=True)
        found["Optuna, random"] = optuna_search(loaded, search, seed, tpe=False)
    rewards = {name: reward for name, (reward, _) in found.items()}
    return rewards, {name: float(epochs) for name, (_, epochs) in found.items()}


def ray_rewards(search: Schedule, data: str, seeds: int) -> list[tuple[float, float]]:
    """Rewards and epochs of Ray's searches, all in one cluster."""
    numbers = [str(n) for n in (BATCH, seeds, search.max_epochs, search.trial_count, search.epochs)]
    with tempfile.TemporaryDirectory(prefix="dlutil-benchmark-") as name:
        command = [sys.executable, str(PEERS / "ray_quality.py"), data, f"{name}/out", *numbers]
        said = harness.run_process(command, Path(name), seconds=60 + 60 * seeds)
    return [(reward, spent) for reward, spent in json.loads(said.strip().splitlines()[-1])]


def compare(
    max_epochs: int, seeds: int, data: str, with_optuna: bool, with_ray: bool
) -> list[Rewards]:
    """Let all search with all seeds, print the table, and return the rewards."""
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        jobs = [pool.submit(of_seed, max_epochs, k, data, with_optuna) for k in range(seeds)]
        found = [job.result() for job in jobs]
    rewards, epochs = [one for one, _ in found], [one for _, one in found]
    search = plan.hyperband(max_epochs, ETA)
    if with_ray:
        for k, (reward, spent) in enumerate(ray_rewards(search, data, seeds)):
            rewards[k]["Ray Tune"], epochs[k]["Ray Tune"] = reward, spent
    size = f"{search.trial_count} trials, {search.epochs} epochs each"
    print(f"\nR = {max_epochs}: {seeds} seeds, {size}")
    print_comparison(rewards, epochs, f"R = {max_epochs}")
    return rewards


def print_comparison(rewards: list[Rewards], epochs: list[Rewards], title: str) -> None:
    """A table; how often and by how much dlutil's pick is better, seed by seed."""
    head = ("contestant", "reward of the pick", "mean", "epochs", "dlutil's above it, mean")
    rows = [(*head, "dlutil is better in")]
    for name in rewards[0]:
        own = [one[name] for one in rewards]
        gains = [one["dlutil"] - one[name] for one in rewards]
        wins = f"{sum(gain > 0 for gain in gains)} of {len(gains)} seeds"
        spent = f"{statistics.mean(one[name] for one in epochs):.0f}"
        better = ("", "") if name == "dlutil" else (mean_gain(gains), wins)
        rows.append((name, harness.spread(own), f"{statistics.mean(own):.2f}", spent, *better))
    harness.print_table(rows)
    gains = [one["dlutil"] - one["random search"] for one in rewards]
    what = f"{title}: dlutil's reward above that of random search, mean"
    harness.goal_of(what, statistics.mean(gains), mean_gain(gains), 0.0, at_least=True)


def mean_gain(gains: list[float]) -> str:
    """The mean, and its 95 % interval by bootstrap over the seeds."""
    draw = random.Random(1)
    means = sorted(statistics.mean(draw.choices(gains, k=len(gains))) for _ in range(4000))
    return f"{statistics.mean(gains):.2f} ({means[100]:.2f} … {means[-101]:.2f})"


def draw(all_rewards: dict[int, list[Rewards]], out: Path) -> None:
    """A panel for each R: one column of points for each contestant, a bar at the median."""
    from dlutil_core.report.style import new_figure, save_svg

    figure, axes = new_figure(1, len(all_rewards), width=5.2 * len(all_rewards), height=3.2)
    for axis, (max_epochs, rewards) in zip(axes[0], all_rewards.items(), strict=True):
        for place, name in enumerate(rewards[0]):
            values = [one[name] for one in rewards]
            shifts = [place + (k % 5 - 2) * 0.06 for k in range(len(values))]
            colour = "#d55e00" if name == "dlutil" else "#0072b2"
            axis.scatter(shifts, values, s=14, color=colour, alpha=0.7, linewidths=0)
            middle = statistics.median(values)
            axis.plot([place - 0.25, place + 0.25], [middle, middle], color="#1c1f24", lw=1.5)
        axis.set_xticks(range(len(rewards[0])), list(rewards[0]))
        axis.set_ylabel("validation reward of the picked model")
        epochs = plan.hyperband(max_epochs, ETA).epochs
        title = f"R = {max_epochs}: {len(rewards)} searches of {epochs} epochs each"
        axis.set_title(title, fontsize=9)
    save_svg(figure, out)


def main() -> None:
    parser = harness.parser(__doc__, rounds=1, seconds=0)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--max-epochs", type=int, nargs="+", default=[27, 81], help="each R")
    parser.add_argument("--plot", type=Path, help="an SVG file to draw")
    arguments = parser.parse_args()
    seeds, budgets = (10, [9]) if arguments.quick else (arguments.seeds, arguments.max_epochs)
    harness.print_versions("torch", "optuna", "ray")
    peers = harness.installed("optuna", "ray")
    with tempfile.TemporaryDirectory(prefix="dlutil-benchmark-") as data:
        subprocess.run([sys.executable, EXAMPLE / "make_data.py", data], check=True)
        found = {}
        for k, max_epochs in enumerate(budgets):
            with_ray = "ray" in peers and k == 0 and not arguments.quick
            found[max_epochs] = compare(max_epochs, seeds, data, "optuna" in peers, with_ray)
    if arguments.plot:
        draw(found, arguments.plot)


if __name__ == "__main__":
    main()
