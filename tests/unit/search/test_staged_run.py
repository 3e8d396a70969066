"""A staged search in this process: who competes, what fails, what each stage leaves."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small_search import DEFINITION, with_epochs

from dlutil_core.common.errors import UserError
from dlutil_core.common.files import read_csv
from dlutil_core.job.loaded_run import LoadedRun
from dlutil_core.job.run_spec import RunSpec
from dlutil_core.model.checkpoint import read_checkpoint
from dlutil_core.search.bracket import run_bracket
from dlutil_core.search.plan import Plan
from dlutil_core.search.sampling import write_plan
from dlutil_core.search.staged.proposals import propose
from dlutil_core.search.winner import select_best
from dlutil_core.watch.state import read_state

SPACE = """

def get_config():
    return {"x": random.random()}
"""


class StagedSearch:
    """The stages of a search, one after the other, in a result folder."""

    def __init__(
        self, folder: Path, max_epochs: int = 9, epochs: tuple[str, ...] = ("pass",)
    ) -> None:
        self.result = folder / "out"
        self.search = self.result / "search"
        self.search.mkdir(parents=True)
        (folder / "def.py").write_text(with_epochs(*epochs, definition=DEFINITION + SPACE))
        trials = str(self.search / "trials")
        self.spec = RunSpec(
            str(folder / "def.py"), str(folder), 16, seed=1, device="cpu", trials_dir=trials
        )
        self.max_epochs = max_epochs

    def plan(self, **options: Any) -> Plan:
        out = self.search / "plan.json"
        write_plan(self.spec, "staged", self.max_epochs, 3, {}, out, **options)
        return Plan.read(out)

    def propose(self, stage: int) -> list[dict[str, Any]]:
        out = self.search / f"stage-{stage}" / "trials.json"
        propose(self.search / "plan.json", self.search / "draws.json", stage, out)
        found: list[dict[str, Any]] = json.loads(out.read_text())["trials"]
        return found

    def run(self, stage: int) -> list[dict[str, str]]:
        self.propose(stage)
        folder = self.search / f"stage-{stage}"
        plan = Plan.read(self.search / "plan.json")
        run_bracket(LoadedRun(self.spec), plan, stage, 2, folder)
        return read_csv(folder / "leaderboard.csv")

    def select(self) -> int:
        plan = Plan.read(self.search / "plan.json")
        return select_best(plan, [self.search / step for step in plan.steps], self.result).trial


def rows_of(rows: list[dict[str, str]], rung: int) -> dict[int, dict[str, str]]:
    return {int(row["trial"]): row for row in rows if row["rung"] == str(rung)}


def test_trials_of_all_stages_compete_and_the_last_stage_holds_the_best(tmp_path: Path) -> None:
    search = StagedSearch(tmp_path)
    assert search.plan().trials == ()
    assert set(rows_of(search.run(0), 0)) == {0}
    first = search.run(1)
    assert set(rows_of(first, 0)) == set(range(7)), "the trial of stage 0 competes"
    going_on = {j for j, row in rows_of(first, 0).items() if row["promoted"] == "1"}
    assert set(rows_of(first, 1)) == going_on and len(going_on) == 2

    state = read_state(search.result, time.time())
    assert [b.finished for b in state.brackets] == [True, True, False]
    assert state.remaining_epochs == 58
    last = search.run(2)
    assert set(rows_of(last, 0)) == set(range(27)) - going_on
    assert set(rows_of(last, 1)) >= going_on, "those that stage 1 trained to 3 epochs compete"
    for rung in range(3):
        order = [float(row["score"]) for row in last if row["rung"] == str(rung)]
        assert order == sorted(order, reverse=True)
    state = read_state(search.result, time.time())
    assert state.finished and state.remaining_epochs == 0

    winner = search.select()
    kept = read_checkpoint(search.result / "best" / "model.pt")
    board = read_csv(search.result / "best" / "leaderboard.csv")
    assert int(board[0]["trial"]) == winner == kept["trial"]
    assert state.best is not None and state.best.trial == winner
    assert sorted(int(row["trial"]) for row in board) == list(range(27))
    assert "stage" in board[0] and "bracket" not in board[0]


def test_the_first_trial_may_fail(tmp_path: Path) -> None:
    seed = "if self.config['x'] == AT_TOP: raise ValueError('far too large')"
    search = StagedSearch(tmp_path, 3, (seed,))
    search.plan()
    first = search.propose(0)[0]["config"]["x"]
    text = Path(search.spec.definition).read_text()
    Path(search.spec.definition).write_text(text.replace("AT_TOP = None", f"AT_TOP = {first!r}"))
    assert search.run(0)[0]["status"] == "raised"
    assert search.run(1)[-1]["status"] in ("ok", "raised")
    assert search.select() != 0
    board = read_csv(search.result / "best" / "leaderboard.csv")
    assert (board[-1]["trial"], board[-1]["status"]) == ("0", "raised")


def test_a_trial_that_fails_where_it_goes_on_takes_no_model_with_it(tmp_path: Path) -> None:
    """The best of stages 0 and 1 fails when stage 2 trains it on; what is best then is kept."""
    search = StagedSearch(tmp_path, 9, ("if self.config['x'] == AT_TOP: raise ValueError('no')",))
    search.plan()
    search.run(0)
    search.run(1)
    best = read_checkpoint(search.search / "stage-1" / "best.pt")
    text = Path(search.spec.definition).read_text()
    found = f"AT_TOP = {best['config']['x']!r}"
    Path(search.spec.definition).write_text(text.replace("AT_TOP = None", found))
    lines = search.run(2)
    failed = [int(row["trial"]) for row in lines if row["status"] == "raised"]
    assert failed == [best["trial"]]
    winner = search.select()
    board = read_csv(search.result / "best" / "leaderboard.csv")
    kept = read_checkpoint(search.result / "best" / "model.pt")
    assert int(board[0]["trial"]) == winner == kept["trial"] != best["trial"]
    assert float(board[0]["score"]) == kept["score"]
    assert int(board[-1]["trial"]) == best["trial"]


def test_a_search_whose_every_trial_fails_is_a_sentence(tmp_path: Path) -> None:
    search = StagedSearch(tmp_path, 3, ("raise ValueError('no')",))
    search.plan()
    search.run(0)
    with pytest.raises(UserError, match=r"stage 1: every trial failed; the first was trial 1"):
        search.run(1)
    alone = StagedSearch(tmp_path / "alone", 1, ("raise ValueError('no')",))
    alone.plan()
    with pytest.raises(UserError, match=r"stage 0: every trial failed"):
        alone.run(0)


def leaderboards(search: StagedSearch, score: Callable[[int, float], float]) -> None:
    """Leaderboards of stages 0 to 2 as if all trials had been trained for one epoch."""
    for stage in range(3):
        lines = ["stage,rung,epochs,rank,trial,score,best_epoch,status,promoted,message"]
        for entry in search.propose(stage):
            told = score(entry["trial"], entry["config"]["x"])
            lines.append(f"{stage},0,1,1,{entry['trial']},{told},1,ok,0,")
        path = search.search / f"stage-{stage}" / "leaderboard.csv"
        path.write_text("\n".join(lines) + "\n")


def test_the_fourth_stage_draws_by_the_model_and_known_ones_stay(tmp_path: Path) -> None:
    known = [{"x": n / 100} for n in range(30)]
    chosen: dict[str, list[float]] = {}
    for name, options in {
        "model": {},
        "random": {"sampler": "random"},
        "known": {"start": known},
    }.items():
        search = StagedSearch(tmp_path / name, 27)
        search.plan(**options)
        leaderboards(search, lambda trial, x: -abs(x - 0.3))
        chosen[name] = [entry["config"]["x"] for entry in search.propose(3)]

    def missed(name: str) -> float:
        return sum(abs(x - 0.3) for x in chosen[name]) / 72

    assert missed("model") < 0.75 * missed("random")
    assert chosen["model"][3::4] == chosen["random"][3::4]
    assert chosen["known"][:3] == [0.27, 0.28, 0.29]
    draws = json.loads((tmp_path / "model" / "out" / "search" / "draws.json").read_text())
    assert [len(stage["pool"]) for stage in draws["stages"]] == [0, 0, 0, 400]


def test_draws_of_another_plan_are_a_sentence(tmp_path: Path) -> None:
    search = StagedSearch(tmp_path, 3)
    search.plan()
    search.max_epochs = 9
    draws = (search.search / "draws.json").read_text()
    search.plan()
    (search.search / "draws.json").write_text(draws)
    for stage in range(2):
        search.run(stage)
    with pytest.raises(UserError, match=r"not the draws of .*plan.json"):
        search.propose(2)


def test_a_damaged_proposal_of_a_later_stage_is_none(tmp_path: Path) -> None:
    search = StagedSearch(tmp_path, 3)
    search.plan()
    search.run(0)
    search.propose(1)
    path = search.search / "plan.json"
    assert len(Plan.read(path).trials) == 7
    for text in ("{", "[]", '{"trials": [{"trial": 1}]}', '{"trials": []}'):
        (search.search / "stage-1" / "trials.json").write_text(text)
        assert len(Plan.read(path).trials) == 1
