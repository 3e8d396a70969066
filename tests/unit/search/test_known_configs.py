"""`search.start`: what is tried first, and what is refused."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from dlutil_core.common.errors import UserError
from dlutil_core.common.files import write_csv
from dlutil_core.search.known_configs import MOST_TEXT, known_configs, start_configs
from dlutil_core.search.plan import hyperband
from dlutil_core.search.sampling import sample_trials


def space() -> dict[str, Any]:
    config: dict[str, Any] = {"lr": random.uniform(0, 1), "act": random.choice(["relu", "1"])}
    config |= {"bias": random.random() < 0.5, "units": random.choice([[4], [8, 8]])}
    if random.random() < 0.1:
        config["clip"] = random.choice([1, 2])
    return config


KNOWN: dict[str, Any] = {"lr": 0.5, "act": "1", "bias": True, "units": [8, 8]}


def first_of(*start: dict[str, Any]) -> list[dict[str, Any]]:
    return [trial.config for trial in sample_trials(space, hyperband(3), 1, start=start)]


def test_known_ones_are_the_first_trials_and_the_others_stay() -> None:
    plain = sample_trials(space, hyperband(9), 1)
    made = sample_trials(space, hyperband(9), 1, start=[KNOWN, KNOWN | {"clip": 2}])
    assert [trial.config for trial in made[:2]] == [KNOWN, KNOWN | {"clip": 2}]
    assert made[2:] == plain[2:]
    assert [t.seed for t in made] == [t.seed for t in plain]
    again = sample_trials(space, hyperband(9), 1, start=[plain[3].config])
    assert again[0].config == plain[3].config
    assert plain[3].config not in [trial.config for trial in again[1:]]
    assert again[4:] == plain[4:]


def test_a_larger_search_begins_with_the_same_trials() -> None:
    small = sample_trials(space, hyperband(3), 1, start=[KNOWN])
    large = sample_trials(space, hyperband(27), 1, start=[KNOWN])
    assert [t.config for t in large[: len(small)]] == [t.config for t in small]


def test_a_table_of_an_earlier_run_gives_the_very_configurations(tmp_path: Path) -> None:
    trials = [t.config for t in sample_trials(space, hyperband(9), 4)]
    names = ["lr", "act", "bias", "units", "clip"]
    columns = ["rank", *(f"config.{name}" for name in names)]
    rows = [{"rank": j} | {f"config.{k}": v for k, v in c.items()} for j, c in enumerate(trials)]
    write_csv(tmp_path / "known.csv", columns, [*rows, rows[0]])
    search = {"method": "hyperband", "start": str(tmp_path / "known.csv")}
    start = start_configs(search, 22)
    made = sample_trials(space, hyperband(9), 9, start=start)
    assert [t.config for t in made[: len(trials)]] == trials
    assert [type(v) for v in made[0].config.values()] == [type(v) for v in trials[0].values()]


def test_texts_of_a_table_take_the_type_of_the_draws() -> None:
    drawn = [{"a": 0.5, "b": 3, "c": None, "d": {"e": 1}}, {"a": 0.1, "b": 4, "c": "x", "d": {}}]
    given = [{"a": "1", "b": "7", "c": "", "d": '{"e": 2}'}]
    assert known_configs(given, drawn) == [{"a": 1.0, "b": 7, "c": None, "d": {"e": 2}}]


@pytest.mark.parametrize(
    "start, told",
    [
        ([KNOWN | {"lrs": 1}], "configuration 1 has the key 'lrs', which get_config never gives"),
        ([KNOWN | {"lrs": 1}], "did you mean 'lr'"),
        ([KNOWN, {"lr": 1}], "configuration 2 lacks the key 'act', which get_config in def.py"),
        ([KNOWN, dict(reversed(KNOWN.items()))], "configuration 2 is the same as 1"),
    ],
)
def test_what_is_not_of_the_space_is_refused(start: list[dict[str, Any]], told: str) -> None:
    with pytest.raises(UserError) as caught:
        first_of(*start)
    assert told in str(caught.value)


def test_what_is_refused_at_once(tmp_path: Path) -> None:
    def told(start: Any, method: str = "hyperband") -> str:
        with pytest.raises(UserError) as caught:
            start_configs({"method": method, "start": start}, 5)
        return str(caught.value)

    assert start_configs({"method": "fixed", "start": []}, 1) == []
    assert "search.method is fixed" in told([KNOWN], "fixed")
    assert "gives 6 configurations, but the search has 5 trials" in told([KNOWN] * 6)
    assert "more than" in told([{"a": "x" * MOST_TEXT}])
    assert "nowhere.csv: there is no such file" in told("nowhere.csv")
    (tmp_path / "no.csv").write_text("a,b\n1,2\n")
    assert "has no line with columns such as config.lr" in told(str(tmp_path / "no.csv"))
    (tmp_path / "no.csv").write_bytes(b"a,b\n\xff,2\n")
    assert "not a CSV file" in told(str(tmp_path / "no.csv"))
