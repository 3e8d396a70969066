"""The benchmarks' frame: ratios within rounds, goals, the file of results."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support import REPOSITORY

sys.path.insert(0, str(REPOSITORY / "benchmarks"))

import all as everything
import harness


def contestant(name: str, wall: list[float | None], amount: int = 1) -> harness.Contestant:
    return harness.Contestant(name, lambda: None, amount, wall=wall, processor=list(wall))


def test_ratios_are_taken_within_rounds() -> None:
    # The second round is ten times as slow for both: no ratio shows it.
    reference = contestant("a", [1.0, 10.0, 1.0])
    other = contestant("b", [2.0, 20.0, None])
    assert harness.ratios(other.wall, reference.wall) == [2.0, 2.0]
    assert harness.speed_ratios(other, reference) == [0.5, 0.5]
    assert harness.spread([2.0, 1.0, 9.0], 1) == "2.0 (1.0 … 9.0)"


def test_contestants_take_turns_and_slow_ones_sit_out() -> None:
    order: list[str] = []
    everyone = [
        harness.Contestant("a", lambda: order.append("a")),
        harness.Contestant("b", lambda: order.append("b"), every=2),
    ]
    assert harness.race(everyone, 4, seconds=60, warm_up=False) == 4
    assert "".join(order) == "ab" + "a" + "ab" + "a"
    assert [wall is None for wall in everyone[1].wall] == [False, True, False, True]


def test_a_peer_that_fails_is_left_out_and_said(capsys: pytest.CaptureFixture[str]) -> None:
    def fails() -> None:
        raise harness.Failed("no such tool")

    everyone = [harness.Contestant("a", lambda: None)]
    everyone.append(harness.Contestant("b", fails, may_fail=True))
    harness.race(everyone, 3, seconds=60, warm_up=False)
    assert everyone[1].rates() == []
    assert capsys.readouterr().out.count("b: left out, since it failed: no such tool") == 1


def test_a_peer_that_is_not_installed_is_said_to_be_missing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert harness.installed("torch", "no-such-peer") == ["torch"]
    assert capsys.readouterr().out == "no-such-peer: missing; make bench installs it\n"


@pytest.mark.parametrize(
    "values,at_least,met", [([0.8, 0.95, 2.0], True, "met"), ([0.8, 0.95, 2.0], False, "NOT met")]
)
def test_a_goal_is_judged_by_the_median(
    values: list[float], at_least: bool, met: str, capsys: pytest.CaptureFixture[str]
) -> None:
    harness.goal("MLP: fit, of the bare loop", values, 0.9, at_least)
    found = everything.GOAL.findall(capsys.readouterr().out)
    side = "at least 0.9" if at_least else "at most 0.9"
    assert found == [("MLP: fit, of the bare loop", "0.95 (0.80 … 2.00)", side, met)]


def test_results_keep_other_sections_and_put_goals_first(tmp_path: Path) -> None:
    path = tmp_path / "RESULTS.md"
    speed = "## a heading of the output\nspeed: 2.00 (1.00 … 3.00) (goal: at least 1; met)"
    for name, text in (("search", "first"), ("train", speed), ("search", "second")):
        made = everything.section(name, ["--quick"], text, 1.4)
        everything.write(path, everything.stored(path) | {name: made})
    text = path.read_text()
    assert "first\n```" not in text
    assert text.index("| train | speed | 2.00 (1.00 … 3.00) | at least 1 | met |") < text.index(
        "## train: "
    )
    assert text.index("## train: ") < text.index("## search: ") < text.index("second\n```")
    assert "`python benchmarks/search.py --quick`" in text
    assert everything.stored(path).keys() == {"train", "search"}


def test_a_benchmark_that_does_not_exist_is_a_sentence(tmp_path: Path) -> None:
    command = [sys.executable, REPOSITORY / "benchmarks" / "all.py", "trian"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert "there is no benchmark 'trian'; there are train, search" in done.stderr


def test_the_repository_holds_results_of_every_benchmark() -> None:
    held = everything.stored(everything.RESULTS)
    assert list(held) == list(everything.TITLES)
    assert not any("--quick" in text.partition("```")[0] for text in held.values())


def test_a_benchmark_that_fails_is_named_and_the_others_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "train.py").write_text("raise SystemExit('no such thing')")
    (tmp_path / "search.py").write_text("print('it took a while')")
    monkeypatch.setattr(everything, "__file__", str(tmp_path / "all.py"))
    results = tmp_path / "results.md"
    monkeypatch.setattr(sys, "argv", ["all.py", "train", "search", "--results", str(results)])
    with pytest.raises(SystemExit, match="error: train failed"):
        everything.main()
    assert "no such thing" in capsys.readouterr().out
    assert everything.stored(results).keys() == {"search"}
