"""How good the picked model is: dlutil's two searches beside their peers, at equal epochs.

    python benchmarks/quality.py [--quick] [--seeds 100 20] [--max-epochs 27 81] [--plot FILE.svg]

For each seed every contestant may train as many epochs as Hyperband with R = `--max-epochs` and
eta = 3 does (357 for 27); what counts is the validation reward of the model that it picks, and its
reward on the test set is told. Problems are of two kinds:

- *live*: `examples/function_regressor` with a wider search space, whose trials are trained;
- tables of learning curves of small real problems and of late bloomers (`curves.py`), on which
  *regret* is what the pick's reward lacks of the table's best, and the goal is a share of Optuna's.

Contestants: `staged`, with its model and with random draws, and `hyperband`, both by the core's
plan, draws and rankings, without Snakemake and without checkpoints; *random search*, trials at
random, each trained to R epochs; *Optuna* with its HyperbandPruner and default sampler, TPE; *BOHB*
of hpbandster, where that is installed (`pip install hpbandster`; on tables, and live as Ray's
`TuneBOHB`); *Ray Tune*'s HyperBandScheduler (live).
"""

from __future__ import annotations

import random
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import harness

harness.use_repository()

import curves  # noqa: E402
import live  # noqa: E402
from lookup import Lookup  # noqa: E402
from problems import LATE_BLOOMERS, PROBLEMS, Problem  # noqa: E402
from searches import ETA, contestants  # noqa: E402

from dlutil_core.search import plan  # noqa: E402

LIVE = "live"
OURS = "staged, model"
TPE = "Optuna, TPE"
SIZE = 100
"""Validation records of the tables' problems; `live` has as many."""
RAY_SEEDS = 20
SLOW = ("BOHB",)
SLOW_SEEDS = 20
RESAMPLED = 4000


@dataclass(frozen=True)
class Pick:
    """What a search picked with a seed."""

    reward: float
    test: float
    epochs: int


Picks = dict[str, list[Pick]]
"""The picks of each contestant, by seed."""


def picked_live(name: str, max_epochs: int, seed: int, data: str) -> Pick:
    """A search whose trials are trained, in a process of its own."""
    search = contestants([*harness.installed("optuna", "hpbandster", quiet=True)])[name]
    training = live.Training(data, seed)
    pick = search(training, live.SPACE, max_epochs, seed)
    return Pick(pick.score or 0.0, training.test_reward(pick), training.epochs)


def picked_on_table(
    name: str, table: curves.Table, max_epochs: int, seeds: Sequence[int], size: int
) -> list[Pick]:
    """A search on a table, with some seeds, in a process of its own."""
    search = contestants([*harness.installed("optuna", "hpbandster", quiet=True)])[name]
    found = []
    for seed in seeds:
        trials = Lookup(table, size)
        pick = search(trials, table.problem.space, max_epochs, seed)
        found.append(Pick(pick.score or 0.0, trials.test_reward(pick), trials.epochs))
    return found


class Comparison:
    """All searches of a problem with R epochs.

    Parameters
    ----------
    pool
        Processes that search.
    names
        Contestants.
    tables
        Of the problems, by name.
    """

    def __init__(
        self,
        pool: ProcessPoolExecutor,
        names: Sequence[str],
        seeds: int,
        tables: Mapping[str, curves.Table],
    ) -> None:
        self.pool = pool
        self.names = names
        self.seeds = seeds
        self.tables = tables

    def seeds_of(self, name: str) -> int:
        """How many seeds a contestant has."""
        return min(self.seeds, SLOW_SEEDS) if name in SLOW else self.seeds

    def live(self, max_epochs: int, data: str) -> Picks:
        """Trials are trained."""
        jobs = {
            name: [
                self.pool.submit(picked_live, name, max_epochs, seed, data)
                for seed in range(self.seeds_of(name))
            ]
            for name in self.names
            if name not in SLOW
        }
        return {name: [job.result() for job in found] for name, found in jobs.items()}

    def on_table(
        self, problem: Problem, max_epochs: int, size: int, names: Sequence[str] = ()
    ) -> Picks:
        """Trials are read off a table."""
        jobs, table = {}, self.tables[problem.name]
        for name in names or self.names:
            seeds = range(self.seeds_of(name))
            jobs[name] = [
                self.pool.submit(picked_on_table, name, table, max_epochs, seeds[k : k + 10], size)
                for k in range(0, len(seeds), 10)
            ]
        return {
            name: [pick for job in found for pick in job.result()] for name, found in jobs.items()
        }


def interval(values: Sequence[float]) -> tuple[float, float, float]:
    """The mean and its 95 % interval by bootstrap."""
    draw = random.Random(1)
    means = sorted(statistics.mean(draw.choices(values, k=len(values))) for _ in range(RESAMPLED))
    return statistics.mean(values), means[RESAMPLED // 40], means[-RESAMPLED // 40 - 1]


def shown(found: tuple[float, float, float], digits: int = 3) -> str:
    """`mean (low … high)`."""
    middle, low, high = (f"{value:.{digits}f}" for value in found)
    return f"{middle} ({low} … {high})"


def gains(picks: Picks, name: str, above: str) -> list[float]:
    """By how much one's picks are better than another's, seed by seed."""
    pairs = zip(picks[name], picks[above], strict=False)
    return [one.reward - another.reward for one, another in pairs]


def print_picks(picks: Picks) -> None:
    """Rewards, and how much the staged search's are above them."""
    head = ("contestant", "seeds", "reward, mean", "on the test set", "epochs")
    rows = [(*head, "staged's reward above it", "better in")]
    for name, found in picks.items():
        better = ("", "")
        if name != OURS and OURS in picks:
            above = gains(picks, OURS, name)
            wins = f"{sum(gain > 0 for gain in above)} of {len(above)}"
            better = (shown(interval(above)), wins)
        tests = [pick.test for pick in found if pick.test == pick.test]
        rows.append(
            (
                name,
                str(len(found)),
                f"{statistics.mean(pick.reward for pick in found):.3f}",
                f"{statistics.mean(tests):.3f}" if tests else "",
                f"{statistics.mean(pick.epochs for pick in found):.0f}",
                *better,
            )
        )
    harness.print_table(rows)


def regrets(picks: Picks, best: float) -> dict[str, list[float]]:
    """What each pick's reward lacks of the best one."""
    return {name: [best - pick.reward for pick in found] for name, found in picks.items()}


def ratio(
    of: Sequence[Sequence[float]], to: Sequence[Sequence[float]]
) -> tuple[float, float, float]:
    """The geometric mean over problems of ratios of mean regrets, and its 95 % interval.

    The interval is by bootstrap over the seeds of each problem.
    """
    draw = random.Random(1)

    def of_means(resampled: bool) -> float:
        found = []
        for one, other in zip(of, to, strict=True):
            pair = [draw.choices(v, k=len(v)) if resampled else v for v in (one, other)]
            found.append(statistics.mean(pair[0]) / max(statistics.mean(pair[1]), 1e-12))
        return statistics.geometric_mean([max(value, 1e-12) for value in found])

    drawn = sorted(of_means(True) for _ in range(RESAMPLED))
    return of_means(False), drawn[RESAMPLED // 40], drawn[-RESAMPLED // 40 - 1]


def print_regrets(found: dict[str, dict[str, list[float]]], title: str) -> None:
    """Each contestant's regret as a share of Optuna's, by problem and over the real ones."""
    real = [p.name for p in PROBLEMS if p.is_real and p.name in found]
    if TPE not in next(iter(found.values())):
        return
    print(f"\n{title}: regret as a share of that of {TPE}, mean (95 % interval)")
    head = ["contestant", *found, *(["all real ones"] if real else [])]
    rows = [head]
    for name in next(iter(found.values())):
        row = [shown(ratio([r[name]], [r[TPE]]), 2) for r in found.values()]
        if real:
            shares = ratio([found[p][name] for p in real], [found[p][TPE] for p in real])
            row.append(shown(shares, 2))
        rows.append([name, *row])
    harness.print_table(rows)
    if real:
        shares = ratio([found[p][OURS] for p in real], [found[p][TPE] for p in real])
        what = f"{title}, {len(real)} real problems: staged's regret, of {TPE}'s"
        harness.goal_of(what, shares[0], shown(shares, 2), 0.7, at_least=False)


def print_live_goals(picks: Picks, title: str) -> None:
    """Whether the staged search is surely better than Optuna, and Hyperband than random search."""
    if TPE in picks:
        found = interval(gains(picks, OURS, TPE))
        what = f"{title}, live: staged's reward above that of {TPE}, mean, interval above"
        harness.goal_of(what, found[1], shown(found), 0.0, at_least=True)
    found = interval(gains(picks, "hyperband", "random search"))
    what = f"{title}, live: hyperband's reward above that of random search, mean"
    harness.goal_of(what, found[0], shown(found), 0.0, at_least=True)


def compared_live(compare: Comparison, max_epochs: int, with_ray: bool) -> None:
    """Let all search with trials that are trained."""
    search = plan.hyperband(max_epochs, ETA)
    with tempfile.TemporaryDirectory(prefix="dlutil-benchmark-") as data:
        live.make_data(data)
        picks = compare.live(max_epochs, data)
        peers = [("Ray Tune", False), ("Ray Tune, BOHB", True)] if with_ray else []
        if "BOHB" not in compare.names:
            peers = peers[:1]
        for name, bohb in peers:
            seeds = min(RAY_SEEDS, compare.seeds)
            found = live.ray_rewards(search, data, seeds, bohb)
            picks[name] = [Pick(reward, float("nan"), int(spent)) for reward, spent in found]
    print(f"\nR = {max_epochs}, live: {search.epochs} epochs each")
    print_picks(picks)
    print_live_goals(picks, f"R = {max_epochs}")


def compared_on_tables(
    compare: Comparison, max_epochs: int, chosen: Sequence[Problem]
) -> dict[str, dict[str, list[float]]]:
    """Let all search on tables; their regrets by problem."""
    found = {}
    for problem in chosen:
        if problem.epochs < max_epochs:
            continue
        table = compare.tables[problem.name]
        size = SIZE if problem.is_real else table.sizes[-1]
        picks = compare.on_table(problem, max_epochs, size)
        best = float(table.val[table.sizes.index(size)][:, :max_epochs].max())
        found[problem.name] = regrets(picks, best)
        told = f"{len(table.configs):,} configurations, the best one's reward {best:.3f}"
        print(f"\nR = {max_epochs}, {problem.name}: {told}")
        print_picks(picks)
    return found


def print_sizes(compare: Comparison, max_epochs: int, chosen: Sequence[Problem]) -> None:
    """What a larger validation set gains on the test set, and how much picks promise."""
    rows = [["problem", "search", *(f"{size} records" for size in curves.SIZES)]]
    names = [name for name in (OURS, "hyperband") if name in compare.names]
    for problem in chosen:
        sizes = [size for size in curves.SIZES if size <= problem.validating]
        found = {size: compare.on_table(problem, max_epochs, size, names) for size in sizes}
        for name in names:
            cells = []
            for size in sizes:
                test = statistics.mean(pick.test for pick in found[size][name])
                reward = statistics.mean(pick.reward for pick in found[size][name])
                cells.append(f"{test:.3f} ({reward:.3f})")
            rows.append([problem.name, name, *cells, *[""] * (len(curves.SIZES) - len(cells))])
    print(f"\nR = {max_epochs}: test reward of the pick (and its validation reward) by the size of")
    print("the validation set")
    harness.print_table(rows)


def draw(found: dict[int, dict[str, dict[str, list[float]]]], out: Path) -> None:
    """A panel for each R: regrets as shares of Optuna's, by problem, with intervals."""
    from dlutil_core.explain.figures import new_figure, save_svg

    colours = {OURS: "#d55e00", "staged, random": "#e6a23c", "hyperband": "#0072b2"}
    others = ("#1c1f24", "#009e73", "#a87400", "#7a6fb0")
    height = 1.2 + 0.55 * max(map(len, found.values()))
    figure, axes = new_figure(1, len(found), width=5.6, height=height)
    for axis, (max_epochs, by_problem) in zip(axes[0], found.items(), strict=True):
        names = [name for name in next(iter(by_problem.values())) if name != TPE]
        rest = iter(others)
        for place, name in enumerate(names):
            shares = [ratio([r[name]], [r[TPE]]) for r in by_problem.values()]
            rows = [k + 0.1 * (place - len(names) / 2) for k in range(len(by_problem))]
            errors = [[m - low for m, low, _ in shares], [high - m for m, _, high in shares]]
            colour = colours.get(name) or next(rest)
            points = [middle for middle, _, _ in shares]
            axis.errorbar(
                points, rows, xerr=errors, fmt="o", ms=4, lw=1.2, color=colour, label=name
            )
        axis.axvline(1.0, color="#1c1f24", lw=1)
        axis.set_yticks(range(len(by_problem)), list(by_problem))
        axis.invert_yaxis()
        axis.set(xscale="log", xlabel=f"regret as a share of that of {TPE}")
        axis.set_title(f"R = {max_epochs}", fontsize=9)
    axes[0][-1].legend(frameon=False, fontsize=7)
    save_svg(figure, out)


def main() -> None:
    parser = harness.parser(__doc__, rounds=1, seconds=0)
    parser.add_argument("--max-epochs", type=int, nargs="+", default=[27, 81], help="each R")
    parser.add_argument("--seeds", type=int, nargs="+", default=[100, 20], help="for each R")
    names = [LIVE, *(problem.name for problem in PROBLEMS)]
    parser.add_argument("--problems", nargs="+", choices=names, default=names)
    parser.add_argument("--plot", type=Path, help="an SVG file to draw")
    arguments = parser.parse_args()
    budgets, wanted = (
        dict(zip(arguments.max_epochs, arguments.seeds, strict=True)),
        arguments.problems,
    )
    if arguments.quick:
        budgets, wanted = {9: 4}, [LIVE, LATE_BLOOMERS.name]
    harness.print_versions("torch", "optuna", "ray", "hpbandster")
    peers = harness.installed("optuna", "ray")
    peers += harness.installed("hpbandster", quiet=True)
    chosen = [problem for problem in PROBLEMS if problem.name in wanted]
    longest = max(budgets)
    tables = {p.name: curves.table(p, min(longest, p.epochs)) for p in chosen}
    found = {}
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        for k, (max_epochs, seeds) in enumerate(budgets.items()):
            compare = Comparison(pool, list(contestants(peers)), seeds, tables)
            if LIVE in wanted:
                compared_live(
                    compare, max_epochs, "ray" in peers and k == 0 and not arguments.quick
                )
            if chosen:
                found[max_epochs] = compared_on_tables(compare, max_epochs, chosen)
                print_regrets(found[max_epochs], f"R = {max_epochs}")
            real = [p for p in chosen if p.is_real and p.epochs >= max_epochs]
            if real and k == 0:
                print_sizes(compare, max_epochs, real)
    if arguments.plot and found and "optuna" in peers:
        draw(found, arguments.plot)


if __name__ == "__main__":
    main()
