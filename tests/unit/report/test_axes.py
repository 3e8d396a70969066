"""Values of ordinary search spaces in pictures and tables: none is lost, all can be told apart."""

from __future__ import annotations

import itertools
import re
from typing import Any

import numpy as np
import pytest

from dlutil_core.report.axes import Axis, value_text
from dlutil_core.report.chart import LETTER, Chart, short
from dlutil_core.report.collect import ABSENT, Results
from dlutil_core.report.importance import importance
from dlutil_core.report.performance import errors
from dlutil_core.report.scales import linear, suits_log
from dlutil_core.report.search_figures import hyperparameter_figures, parallel_coordinates
from dlutil_core.report.tables import config_table, interval_text, leaderboard
from dlutil_core.report.tasks import CLASSES, Task
from dlutil_core.search.leaderboard import Standing
from dlutil_core.search.plan import Plan, Trial, schedule


def results_of(configs: list[dict[str, Any]], scores: list[float] | None = None) -> Results:
    """What a report tells of trials with these configurations, best first."""
    made = schedule("hyperband", 1, 3)
    trials = tuple(Trial(k, k, config, 0) for k, config in enumerate(configs))
    plan = Plan.of(made, 1, trials)
    names = list(dict.fromkeys(name for config in configs for name in config))
    lines = [
        Standing(
            rank=k + 1,
            trial=k,
            bracket=0,
            budget=1,
            score=scores[k] if scores else -float(k),
            best_epoch=1,
            status="ok",
            message="",
            metrics={"val_loss": 1.0},
            # as the leaderboard's file has them: None and what is absent are both empty
            config={n: "" if c.get(n) is None else str(c[n]) for n in names},
        )
        for k, c in enumerate(configs)
    ]
    return Results(plan, {}, lines, [], [], {}, configs[0])


ODD = [
    {"clip": None, "layers": [64, 32], "norm": True, "opt": "adam"},
    {"clip": 0.5, "layers": [64], "norm": False, "opt": "sgd", "momentum": 0.9},
    {"clip": 1.0, "layers": [128, 64], "norm": True, "opt": "sgd", "momentum": 0.5},
]


@pytest.mark.parametrize("name", ["clip", "layers", "norm", "opt", "momentum"])
def test_best_trial_is_in_every_panel(name: str) -> None:
    figures = hyperparameter_figures(results_of(ODD))
    chart = next(f.chart for f in figures if f.chart.title == name)
    assert "the best of all: trial 0" in chart.svg()
    places = re.findall(r'cx="([\d.]+)"', chart.svg())
    assert len(places) == 3 and all(60 <= float(x) <= 420 for x in places)


def test_values_are_named_as_one_writes_them() -> None:
    values = [None, True, False, [64, 32], 0.1, 3, "relu", ABSENT]
    texts = ["none", "true", "false", "[64, 32]", "0.1", "3", "relu", "not used"]
    assert list(map(value_text, values)) == texts
    results = results_of(ODD)
    rows = leaderboard(results).rows
    assert rows[0][7:12] == ["none", "[64, 32]", "true", "adam", ""]
    assert [row[1] for row in config_table(results).rows] == ["none", "[64, 32]", "true", "adam"]


def test_categories_are_in_their_order() -> None:
    configs = [{"a": v} for v in ("conv10", "conv2", None, True, 3, False, 1)]
    axis = Axis("a", results_of(configs))
    assert [t for _, t in axis.scale.ticks] == [
        *("none", "false", "true", "1", "3", "conv2", "conv10")
    ]


def test_none_lies_beside_many_numbers() -> None:
    numbers = [float(v) for v in np.linspace(1, 2, 20)]
    for spread in (numbers, [10.0 ** -(k / 4) for k in range(20)]):
        results = results_of([{"clip": None}, {}, *({"clip": v} for v in spread)])
        results.trials[1].config["clip"] = ""
        axis = Axis("clip", results)
        places = [axis.fraction(t) for t in results.trials]
        assert places[0] != places[1] and max(places[:2]) < min(places[2:])
        assert min(places) > 0 and {"none", "not used"} < {t for _, t in axis.scale.ticks}


def test_uniform_ranges_are_linear_and_log_uniform_ones_logarithmic() -> None:
    rng = np.random.default_rng(0)
    for count in (10, 50, 500):
        assert not suits_log(rng.uniform(0.001, 0.6, count))
        assert not suits_log(rng.integers(1, 200, count).astype(float))
        assert suits_log(10 ** rng.uniform(-5, -1, count))
    assert suits_log(np.array([16.0, 32, 64, 128])) and suits_log(np.array([0.001, 0.01]))


def test_twelve_names_do_not_touch_and_span_the_page() -> None:
    rng = np.random.default_rng(1)
    names = [f"hyperparameter_{k:02d}" for k in range(12)]
    configs = [{n: float(rng.uniform()) for n in names} for _ in range(143)]
    figure = parallel_coordinates(results_of(configs))
    assert figure is not None
    chart = figure.chart
    assert 1000 <= chart.width <= 1300
    found = re.findall(r'<text class="lb mid" x="([\d.]+)" y="([\d.]+)">([^<]+)<', chart.svg())
    rows: dict[str, list[tuple[float, str]]] = {}
    for x, y, text in found:
        rows.setdefault(y, []).append((float(x), text))
    assert sum(map(len, rows.values())) >= 13
    for row in rows.values():
        for (x, text), (after, following) in itertools.pairwise(row):
            assert after - x > LETTER * (len(text) + len(following)) / 2


def test_long_texts_keep_both_ends() -> None:
    assert short("[256, 128, 64, 32]", 80) != short("[256, 128, 64, 16]", 80)
    assert len(short("x" * 50, 80)) * LETTER <= 80


def test_importance_finds_what_mattered() -> None:
    rng = np.random.default_rng(2)
    configs = [
        {"lr": float(10 ** rng.uniform(-4, -1)), "norm": bool(rng.integers(2)), "idle": None}
        | ({"idle": float(rng.uniform())} if rng.integers(2) else {})
        for _ in range(60)
    ]
    scores = [-abs(np.log10(c["lr"]) + 2.5) - 0.5 * c["norm"] for c in configs]
    order = sorted(range(60), key=lambda k: -scores[k])
    results = results_of([configs[k] for k in order], [scores[k] for k in order])
    found = importance(results)
    assert found is not None
    assert [row[0] for row in found.table.rows] == ["lr", "norm", "idle", "(epochs trained)"]
    assert float(found.table.rows[0][1]) > 0.5 > float(found.table.rows[1][1]) > 0.02
    assert found == importance(results)
    assert importance(results_of(configs[:19])) is None


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (0.98765432, 0.98765433, "0.9876 to 0.9877"),
        (0.98, 1.0, "0.98 to 1"),
        (0.104600001, 0.23779999, "0.1046 to 0.2378"),
        (-0.00012341, 0.5, "-0.0002 to 0.5"),
        (1234567.0, 1234568.0, "1.234e+06 to 1.235e+06"),
        (0.1 + 0.2, 0.3, "0.3 to 0.3"),
        (0.0, 0.0, "0 to 0"),
    ],
)
def test_intervals_are_rounded_outward(low: float, high: float, text: str) -> None:
    assert interval_text(low, high) == text


def test_long_names_of_classes_stay_inside() -> None:
    names = [f"a rather long name of class {k}" for k in range(6)]
    chart = Chart("classes", linear(0, 1), linear(0, 1), "x", "y")
    chart.legend += [(name, f"c{k}") for k, name in enumerate(names)]
    found = re.findall(r'<text class="tk" x="([\d.]+)" y="34">([^<]+)<', chart.svg())
    assert len({text for _, text in found}) == 6
    assert all(float(x) + LETTER * len(text) <= 420 for x, text in found)
    truth = np.eye(6)[np.arange(60) % 6] > 0.5
    task = Task(CLASSES, truth, np.full((60, 6), 1 / 6), names=tuple(names))
    matrix = next(f.chart for f in errors(task) if f.chart.title == "Confusion matrix")
    ticks = re.findall(r'<text class="tk end" x="([\d.]+)" y="[\d.]+">([^<]+)<', matrix.svg())
    assert len({text for _, text in ticks}) == 6
    assert all(float(x) - LETTER * len(text) >= 20 for x, text in ticks)
