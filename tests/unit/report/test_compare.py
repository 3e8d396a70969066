"""`dlutil compare`: paired statistics beside slow independent ones, and what is refused."""

from __future__ import annotations

import itertools
import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from dlutil_core.common.errors import UserError
from dlutil_core.report import bootstrap
from dlutil_core.report.compare.comparison import compare
from dlutil_core.report.compare.paired_tests import delong, paired_bootstrap, permutation
from dlutil_core.report.tasks import task_of


def scores(seed: int, records: int = 40) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, and two models' scores with ties; the second is better."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, records)
    truth[:4] = (0, 1, 0, 1)
    a = np.round(1 / (1 + np.exp(-(truth + rng.normal(0, 2, records)))), 1)
    b = np.round(1 / (1 + np.exp(-(2 * truth + rng.normal(0, 1, records)))), 1)
    return truth, a, b


def slow_delong(positive: np.ndarray, a: np.ndarray, b: np.ndarray) -> float:
    """The formulas of the paper with every pair of records."""
    kernel = [
        [[1.0 if x > y else 0.5 if x == y else 0.0 for y in s[~positive]] for x in s[positive]]
        for s in (a, b)
    ]
    psi = np.array(kernel)  # model, positive, negative
    theta = psi.mean(axis=(1, 2))
    by_positive, by_negative = psi.mean(axis=2), psi.mean(axis=1)
    covariance = np.cov(by_positive) / psi.shape[1] + np.cov(by_negative) / psi.shape[2]
    contrast = np.array([-1.0, 1.0])
    variance = float(contrast @ covariance @ contrast)
    z = float(contrast @ theta) / math.sqrt(variance)
    return math.erfc(abs(z) / math.sqrt(2))


@pytest.mark.parametrize("seed", range(5))
def test_delong_is_the_papers(seed: int) -> None:
    truth, a, b = scores(seed)
    positive = truth == 1
    assert delong(positive, a, b) == pytest.approx(slow_delong(positive, a, b), rel=1e-9)


def test_delong_of_the_same_scores_says_no_difference() -> None:
    truth, a, _ = scores(0)
    assert delong(truth == 1, a, a) == 1.0
    assert math.isnan(delong(np.array([True, False, False]), a[:3], a[:3]))


def test_bootstrap_draws_the_same_records_for_both() -> None:
    truth, a, b = scores(1)
    found = paired_bootstrap(task_of(truth, a), task_of(truth, b))["auroc"]
    drawn = []
    for weights in bootstrap.draws(len(truth), bootstrap.resamples_for(2 * len(truth))):
        rows = np.repeat(np.arange(len(truth)), weights.astype(int))
        if len(set(truth[rows])) == 2:
            drawn.append(roc_auc_score(truth[rows], b[rows]) - roc_auc_score(truth[rows], a[rows]))
    low, high = np.quantile(drawn, (0.025, 0.975))
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))


def test_permutation_agrees_with_all_swaps() -> None:
    rng = np.random.default_rng(3)
    truth = rng.normal(size=8)
    a, b = truth + rng.normal(0, 1.0, 8), truth + rng.normal(0, 0.4, 8)
    found = permutation(task_of(truth, a), task_of(truth, b))["mse"]
    errors = (b - truth) ** 2 - (a - truth) ** 2
    swaps = [abs(np.mean(errors * s)) for s in itertools.product((1, -1), repeat=8)]
    exact = np.mean(np.array(swaps) >= abs(errors.mean()) * (1 - 1e-12))
    assert found == pytest.approx(exact, abs=0.05)


def three_classes(p: np.ndarray) -> np.ndarray:
    return np.stack([(1 - p) / 2, (1 - p) / 2, p], 1)


def result(
    folder: Path, y_true: np.ndarray, y_pred: np.ndarray, data: str = "1", **more: np.ndarray
) -> Path:
    (folder / "test").mkdir(parents=True)
    np.savez(folder / "test" / "outputs.npz", y_true=y_true, y_pred=y_pred, **more)
    told = json.dumps({"data_sha256": {"test.h5": data}})
    (folder / "test" / "provenance.json").write_text(told)
    return folder


def test_lines_hold_both_values_and_the_test_that_was_used(tmp_path: Path) -> None:
    truth, a, b = scores(2, 200)
    one, two = result(tmp_path / "a", truth, a), result(tmp_path / "b", truth, b)
    lines = {line.metric: line for line in compare(one, two).lines}
    assert lines["auroc"].a == pytest.approx(roc_auc_score(truth, a))
    assert lines["auroc"].b == pytest.approx(roc_auc_score(truth, b))
    assert lines["auroc"].test == "DeLong" and lines["accuracy"].test == "permutation"
    assert lines["auroc"].is_clear and lines["auroc"].p < 0.001
    other = {line.metric: line for line in compare(two, one).lines}
    assert other["auroc"].low == pytest.approx(-lines["auroc"].high)
    assert other["accuracy"].p == lines["accuracy"].p


def test_missing_labels_are_left_out_of_both(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    truth = rng.normal(size=(50, 2))
    truth[::7, 0] = np.nan
    a, b = (np.nan_to_num(truth) + rng.normal(0, s, (50, 2)) for s in (1.0, 0.5))
    lines = compare(result(tmp_path / "a", truth, a), result(tmp_path / "b", truth, b)).lines
    known = ~np.isnan(truth)
    mse = next(line for line in lines if line.metric == "mse")
    assert mse.a == pytest.approx(np.mean((truth - a)[known] ** 2))
    assert mse.difference < 0 and mse.high < 0


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda t, p: (t[:-1], p[:-1], "1"), "were tested on 40 and 39 records"),
        (lambda t, p: (t[::-1], p, "1"), r"labels of test record \d+ \(counted from 0\) differ"),
        (lambda t, p: (t, p, "2"), "were tested on different files"),
        (
            lambda t, p: (t[:, None], three_classes(p), "1"),
            "predict different things",
        ),
    ],
)
def test_other_records_are_refused(tmp_path: Path, change, told: str) -> None:
    truth, a, b = scores(0)
    one = result(tmp_path / "a", truth, a)
    y_true, y_pred, data = change(truth, b)
    two = result(tmp_path / "b", y_true, y_pred, data)
    with pytest.raises(UserError, match=told):
        compare(one, two)


def test_a_folder_without_a_test_is_refused(tmp_path: Path) -> None:
    truth, a, _ = scores(0)
    one = result(tmp_path / "a", truth, a)
    with pytest.raises(UserError, match="holds no test of a model"):
        compare(one, tmp_path / "none")


def test_the_command_prints_and_writes_the_table(tmp_path: Path) -> None:
    truth, a, b = scores(5, 60)
    result(tmp_path / "a", truth, a, classes=np.array(["no", "yes"]))
    result(tmp_path / "b", truth, b, classes=np.array(["no", "yes"]))
    command = [sys.executable, "-c", "import sys; from dlutil_core.cli.commands import main; "]
    command[-1] += "sys.exit(main())"

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, "compare", *words], cwd=tmp_path, capture_output=True, text=True
        )

    done = run("a", "b")
    assert done.returncode == 0, done.stderr
    assert "60 test records" in done.stdout and "DeLong" in done.stdout
    header, *lines = (tmp_path / "comparison" / "comparison.tsv").read_text().splitlines()
    assert header.split("\t") == ["metric", "a", "b", "difference", "low", "high", "p", "test"]
    assert {line.split("\t")[0] for line in lines} >= {"accuracy", "auroc", "average_precision"}
    first = {p.name: p.read_bytes() for p in (tmp_path / "comparison").iterdir()}
    run("a", "b", "--out", "again")
    assert first == {p.name: p.read_bytes() for p in (tmp_path / "again").iterdir()}
    wrong = run("a", "c")
    assert wrong.returncode == 1 and wrong.stderr.startswith("error: c: holds no test")
    assert wrong.stderr.count("\n") == 1
