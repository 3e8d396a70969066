"""The declared result files of a config, relative to the result folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlutil_core.preprocess import section as preprocess

if TYPE_CHECKING:
    from dlutil_core.run.run_config import RunConfig

BEST_FILES = ("model.pt", "config.json", "history.csv", "leaderboard.csv", "provenance.json")
TEST_FILES = ("metrics.json", "outputs.npz", "provenance.json")
FIGURE_FILES = ("intervals.json", "performance.svg", "errors.svg")
EXPLAIN_FILES = (
    *("summary.json", "filters.meme", "filters.jaspar", "filters.tsv", "attributions.npz"),
    *("examples.svg", "filters.svg"),
)
REPORT_FILES = (
    "report.html",
    *(f"search/{n}.svg" for n in ("learning_curves", "hyperparameters", "parallel_coordinates")),
    "best/history.svg",
)


def bracket_files(number: int) -> list[str]:
    """What a bracket leaves."""
    names = ("leaderboard.csv", "history.csv", "best.pt")
    return [f"search/bracket-{number}/{name}" for name in names]


def search_files(run: RunConfig) -> list[str]:
    """The plan and what all brackets leave."""
    brackets = [name for b in run.plan.brackets for name in bracket_files(b.number)]
    return ["search/plan.json", *brackets]


def best_files() -> list[str]:
    """The best model and what is told of it."""
    return [f"best/{name}" for name in BEST_FILES]


def test_files() -> list[str]:
    """What the evaluation writes."""
    return [f"test/{name}" for name in TEST_FILES]


def figure_files() -> list[str]:
    """How the best model does on the test set: pictures and intervals."""
    return [f"test/{name}" for name in FIGURE_FILES]


def prediction_files(name: str) -> list[str]:
    """The predictions of one file."""
    return [f"predictions/{name}.npy", f"predictions/{name}.tsv"]


def explain_files() -> list[str]:
    """What the best model saw."""
    return [f"explain/{name}" for name in EXPLAIN_FILES]


def result_files(run: RunConfig) -> list[str]:
    """All that the manifest holds."""
    found = [*search_files(run), *best_files()]
    if run.values["evaluate"]:
        found += [*test_files(), *figure_files()]
    for name in run.files.predicted:
        found += prediction_files(name)
    if run.values["explain"]["enabled"]:
        found += explain_files()
    return [*found, *REPORT_FILES]


def report_inputs(run: RunConfig) -> list[str]:
    """Files that the report tells of."""
    left_out = {"test/performance.svg", "test/errors.svg", "explain/attributions.npz"}
    left_out |= set(REPORT_FILES)
    names = [n for n in result_files(run) if not n.startswith("predictions/")]
    return [n for n in names if n not in left_out and not n.endswith("/best.pt")]


def statistics(run: RunConfig) -> list[str]:
    """Statistics of labelled sets that preprocessing writes, relative to the data folder."""
    written = preprocess.output_files(run.values["preprocess"])
    data = [n for s in ("train", "valid", "test") for n in run.files.planned.get(s, [])]
    return [n for n in map(preprocess.statistics_name, data) if n in written]
