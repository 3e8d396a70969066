"""`dlutil verify`: what is true is confirmed, what is not is found, whatever was falsified."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from falsify import Falsified, verify
from support import Project

from dlutil_core.verify.segments import chance_missed, sample


def test_a_true_result_is_confirmed(finished: Project, tmp_path: Path) -> None:
    """In place and as a copied folder, with failed trials in it; nothing in it is touched."""
    statuses = (finished.result / "best" / "leaderboard.csv").read_text()
    assert "raised" in statuses
    before = {p: p.stat().st_mtime_ns for p in finished.result.rglob("*")}
    shutil.copytree(finished.result, tmp_path / "elsewhere")
    done = verify(finished, "--share", "1", result=str(tmp_path / "elsewhere"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "every byte is equal" in done.stdout
    assert before == {p: p.stat().st_mtime_ns for p in finished.result.rglob("*")}


def test_without_memos_trials_are_trained_from_their_first_epoch(falsified: Falsified) -> None:
    shutil.rmtree(falsified.result / "search" / "trials")
    done = verify(falsified.project, "--share", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    trials = len(falsified.project.plan["trials"])
    assert f"{trials} of {trials} segments" in done.stdout


def test_what_was_changed_afterwards_is_found(falsified: Falsified) -> None:
    """Eleven kinds: results that are not what the manifest says, and damaged memos."""
    here = falsified
    here.edit("test/metrics.json", lambda t: t.replace("0.", "0.0", 1))
    here.flip("best/model.pt")
    here.truncate("predictions/new.npy.npy")
    (here.result / "search" / "learning_curves.svg").unlink()
    here.edit("identity/plan.json", lambda t: t.replace('"run_seed": 3', '"run_seed": 4'))
    trial = here.survivor()
    folder = f"search/trials/{trial:05d}"
    first, last = sorted(p.name for p in here.trial(trial).glob("at-*.pt"))[:2]
    here.flip(f"{folder}/{first}", 0.3)
    here.truncate(f"{folder}/{last}")
    others = [n for n in here.trials_with("at-1.pt") if n != trial]
    one, two, three = map(here.trial, others[:3])
    shutil.copyfile(two / "at-1.pt", one / "at-1.pt")
    here.flip(str((two / "config.json").relative_to(here.result)))
    here.flip(str((three / "history.csv").relative_to(here.result)))
    here.truncate("search/bracket-0/best.pt")
    done = verify(here.project, "--share", "1")
    assert done.returncode == 1, done.stdout + done.stderr
    named = [
        *("test/metrics.json:", "best/model.pt:", "predictions/new.npy.npy:"),
        *("search/learning_curves.svg:", "identity/plan.json:", "search/bracket-0/best.pt: not a"),
        *(f"{folder}/{first}:", f"{folder}/{last}:"),
        *(f"{one.name}/at-1.pt:", f"{two.name}: holds", f"{three.name}/history.csv:"),
    ]
    assert [name for name in named if name not in done.stdout] == [], done.stdout + done.stderr


def test_what_was_certified_anew_is_found(falsified: Falsified) -> None:
    """Eight kinds: results that were changed, with a manifest and identities that say the same."""
    here = falsified
    here.edit("test/metrics.json", lambda t: t.replace("0.", "0.0", 1))
    predicted = np.load(here.result / "predictions/new.npy.npy")
    predicted[3] += 1e-6
    np.save(here.result / "predictions/new.npy.npy", predicted)
    here.edit("report.html", lambda t: t.replace("trial", "trail", 1))
    _swap_winner(here)
    here.edit("search/bracket-1/leaderboard.csv", lambda t: _other_promotion(t))
    here.edit("search/bracket-0/history.csv", lambda t: t.replace("0.", "0.1", 1))
    here.edit("search/bracket-2/network.csv", lambda t: t + "one more\n")
    here.certify()
    done = verify(here.project, "--share", "0.05")
    assert done.returncode == 1, done.stdout + done.stderr
    named = [
        *("test/metrics.json:", "predictions/new.npy.npy:", "report.html:", "best/model.pt:"),
        *("best/config.json:", "best/leaderboard.csv:", "search/bracket-1/leaderboard.csv:"),
        *("search/bracket-0/history.csv:", "search/bracket-2/network.csv:"),
    ]
    assert [name for name in named if name not in done.stdout] == [], done.stdout + done.stderr


def _swap_winner(here: Falsified) -> None:
    """Let the best trial of another bracket be the picked one."""
    board = (here.result / "best/leaderboard.csv").read_text().splitlines()
    plan = here.project.plan
    bracket = {t["trial"]: t["bracket"] for t in plan["trials"]}
    winner = int(board[1].split(",")[1])
    other = next(
        i
        for i, line in enumerate(board[2:], 2)
        if bracket[int(line.split(",")[1])] != bracket[winner]
    )
    lines = [board[0], "1," + board[other].split(",", 1)[1], *board[1:other], *board[other + 1 :]]
    (here.result / "best/leaderboard.csv").write_text("\n".join(lines) + "\n")
    number = int(board[other].split(",")[1])
    folder = here.result / f"search/bracket-{bracket[number]}"
    shutil.copyfile(folder / "best.pt", here.result / "best/model.pt")
    text = json.dumps(plan["trials"][number]["config"])
    (here.result / "best/config.json").write_text(text)


def _other_promotion(text: str) -> str:
    """A leaderboard in which the first trial that was not promoted is."""
    lines = text.splitlines()
    place = lines[0].split(",").index("promoted")
    for i, line in enumerate(lines[1:], 1):
        fields = line.split(",")
        if fields[place] == "0":
            fields[place] = "1"
            lines[i] = ",".join(fields)
            break
    return "\n".join(lines) + "\n"


def test_trials_that_were_not_trained_so_are_found(falsified: Falsified) -> None:
    """Three kinds that hold together in themselves: all that follows from them was made of them."""
    here = falsified
    trial = here.survivor()
    here.raise_reward(trial, 1, 0.9)
    weights = next(n for n in here.trials_with("at-1.pt") if n != trial)
    name = f"search/trials/{weights:05d}/at-1.pt"
    here.checkpoint(name, lambda c: next(iter(c["weights"].values())).add_(1e-3))
    momentum = next(n for n in here.trials_with("at-3.pt") if n not in (trial, weights))
    name = f"search/trials/{momentum:05d}/at-3.pt"
    here.checkpoint(name, lambda c: c["optimizer"]["param_groups"][0].update(lr=0.5))
    shutil.rmtree(here.result / "identity")
    here.project.succeed()
    assert "0.9" in (here.result / "best" / "leaderboard.csv").read_text()
    done = verify(here.project, "--share", "1")
    assert done.returncode == 1, done.stdout + done.stderr
    for number in (trial, weights, momentum):
        assert f"different: trial {number}, epochs" in done.stdout, done.stdout
    # All else was made of them by the run itself, and is equal.
    assert "when it is computed again" not in done.stdout


def test_the_share_that_is_caught_is_the_one_that_is_said(falsified: Falsified) -> None:
    """One false checkpoint makes the segments beside it false; a sample may miss both."""
    here = falsified
    trial = here.trials_with("at-9.pt")[0]
    name = f"search/trials/{trial:05d}/{here.checkpoints(trial)[0]}"
    here.checkpoint(name, lambda c: next(iter(c["weights"].values())).add_(1e-3))
    every = here.segments()
    end = int(Path(name).stem[3:])
    false = {s for s in every if s.trial == trial and end in (s.start, s.end)}
    samples = {seed: sample(every, 0.1, seed) for seed in range(400)}
    caught = {seed for seed, chosen in samples.items() if false & set(chosen)}
    count = len(samples[0])
    said = 1 - chance_missed(len(every), count, len(false))
    assert abs(len(caught) / 400 - said) < 4 * (said * (1 - said) / 400) ** 0.5
    hit, missed = min(caught), min(set(samples) - caught)
    for seed, code in ((hit, 1), (missed, 0)):
        done = verify(here.project, "--share", "0.1", "--seed", str(seed))
        assert done.returncode == code, done.stdout + done.stderr
    assert f"{count} of {len(every)} segments" in done.stdout
    assert f"a probability of {chance_missed(len(every), count):.3g}" in done.stdout


def test_other_data_and_another_definition_are_told(falsified: Falsified) -> None:
    here = falsified
    path = here.project.folder / "data" / "test.npy"
    table = np.load(path)
    table[0, 4] += 1
    np.save(path, table)
    done = verify(here.project)
    assert done.returncode == 1
    assert "data/test.npy: test used other data than these" in done.stdout
    (here.project.folder / "features.py").write_text("def scaled(table):\n    return table * 2.0\n")
    done = verify(here.project)
    assert done.returncode == 1
    assert "another def.py" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--share", "0"), "share: 0.0 is not above 0"),
        (("--data", "nowhere"), "nowhere: there is no such folder"),
    ],
)
def test_wrong_arguments_are_a_sentence(
    finished: Project, arguments: tuple[str, ...], sentence: str
) -> None:
    done = verify(finished, *arguments)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {sentence}")


def test_what_is_no_finished_result_is_a_sentence(finished: Project) -> None:
    done = verify(finished, result="data")
    assert done.stderr.startswith("error: data: there is no MANIFEST.sha256 in it")
