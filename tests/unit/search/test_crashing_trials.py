"""Trials that end their process, hang, or leave: real workers, in one small bracket."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from small_search import DEFINITION, SmallSearch, with_epochs

from dlutil_core.common.errors import UserError

COUNT = "open(os.path.dirname(__file__) + '/note', 'a').write('x')"


def ending(how: str, trial: int = 1) -> str:
    """A definition whose trial of this number ends its process before its first epoch."""
    quiet = "import faulthandler; faulthandler.disable()"  # pytest turns it on
    lines = (COUNT, quiet, how)
    return with_epochs(f"if self.config['number'] == {trial}:", *(f"    {line}" for line in lines))


@pytest.mark.parametrize(
    "how, told",
    [
        ("import ctypes; ctypes.string_at(0)", "signal 11 (Segmentation fault)"),
        ("os.abort()", "signal 6 (Aborted)"),
        ("os.kill(os.getpid(), signal.SIGBUS)", "signal 7 (Bus error)"),
        ("os.kill(os.getpid(), signal.SIGFPE)", "signal 8 (Floating point exception)"),
        ("os.kill(os.getpid(), signal.SIGILL)", "signal 4 (Illegal instruction)"),
        ("os._exit(3)", "exit code 3"),
        ("os._exit(0)", "exit code 0"),
    ],
)
def test_a_trial_that_crashes_has_failed_and_is_ranked_last(
    how: str, told: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    search = SmallSearch(tmp_path, ending(how))
    rows = search.run(workers=2)
    first = [row for row in rows if row["rung"] == "0"]
    assert [row["status"] for row in first] == ["ok", "ok", "crashed"]
    assert first[-1]["trial"] == "1"
    assert first[-1]["message"] == f"ended its process with {told} in epoch 1, 3 times"
    assert rows[-1]["status"] == "ok", "a crash ends no search"
    said = f"warning: trial 1: its worker ended with {told}, the trial resumes"
    assert caplog.messages.count(said) == 2
    assert f"warning: trial 1 failed in epoch 1: {first[-1]['message']}" in caplog.messages
    assert (tmp_path / "note").read_text() == 3 * "x", "one for each try"
    before = search.files
    assert search.run() == rows
    assert (tmp_path / "note").read_text() == 3 * "x", "its memo keeps the failure"
    assert search.files == before


def test_a_crash_in_a_later_epoch_keeps_the_epochs_before_it(tmp_path: Path) -> None:
    last = with_epochs(
        "steps = next(iter(self.optimizer.state.values()), {}).get('step', 0)",
        "if steps == 6 and 'crash' in os.listdir(os.path.dirname(__file__)):",
        "    import faulthandler; faulthandler.disable(); os.abort()",
    )
    unharmed = SmallSearch(tmp_path / "unharmed", last).run()
    crashing = SmallSearch(tmp_path / "crashing", last)
    (tmp_path / "crashing" / "crash").touch()
    rows = crashing.run()
    assert rows[:-1] == unharmed[:-1]
    assert rows[-1]["status"] == "crashed" and "in epoch 3" in rows[-1]["message"]
    assert rows[-1]["val_loss"], "the epoch before it is told"


@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM"])
def test_a_kill_is_never_a_result(name: str, tmp_path: Path) -> None:
    search = SmallSearch(tmp_path, ending(f"os.kill(os.getpid(), signal.{name})"))
    with pytest.raises(
        UserError, match=r"trial 1: its worker ended with signal .* 3 times at epoch 1"
    ):
        search.run()
    unharmed = SmallSearch(tmp_path / "unharmed", ending("pass"))
    unharmed.run()
    search.folder.joinpath("def.py").write_text(ending("pass"))
    search.run()
    assert search.files == unharmed.files


def test_an_epoch_that_takes_too_long_ends_the_run(tmp_path: Path) -> None:
    search = SmallSearch(tmp_path, ending("time.sleep(600)"), epoch_timeout=0.02)
    with pytest.raises(UserError) as caught:
        search.run()
    assert str(caught.value).startswith(
        "trial 1: epoch 1 takes longer than the 0.02 minutes of search.epoch_timeout; "
    )
    assert "{'number': 1}" in str(caught.value)


def test_the_limit_changes_no_result(tmp_path: Path) -> None:
    plain, limited = SmallSearch(tmp_path / "a"), SmallSearch(tmp_path / "b", epoch_timeout=5)
    plain.run()
    limited.run()
    assert plain.files == limited.files


def test_a_trial_that_leaves_has_failed(tmp_path: Path) -> None:
    rows = SmallSearch(tmp_path, ending("sys.exit(2)")).run()
    failed = next(row for row in rows if row["trial"] == "1")
    assert failed["status"] == "raised" and failed["message"].endswith("SystemExit: 2")


@pytest.mark.parametrize(
    "place", ["AT_TOP = None", "    train = ", "        network = ", "epoch", "save"]
)
def test_a_definition_that_goes_elsewhere_changes_nothing_outside(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = "os.chdir('/')"
    if place == "epoch":
        definition = with_epochs(go)
    elif place == "save":
        leaving = (
            f"\n    def save(self, path=None):\n        {go}\n        return super().save(path)\n"
        )
        definition = DEFINITION + leaving
    else:
        assert place in DEFINITION
        indent = place[: len(place) - len(place.lstrip())]
        definition = DEFINITION.replace(place, f"{indent}{go}\n{place}", 1)
    monkeypatch.chdir(tmp_path)
    moved = SmallSearch(Path("moved"), definition, trials_dir="moved/trials")
    moved.run()
    assert os.getcwd() == str(tmp_path)
    assert sorted(p.name for p in Path("moved/trials").glob("0*")) == ["00000", "00001", "00002"]
    plain = SmallSearch(tmp_path / "plain")
    plain.run()
    assert moved.files == plain.files
