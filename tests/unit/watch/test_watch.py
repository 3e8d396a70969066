"""The plan, the live view, lines of progress, and event files for TensorBoard: of real runs."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from support import REPOSITORY, Project

from dlutil_core.cli.plan_text import plan_text
from dlutil_core.common.run_lock import is_held
from dlutil_core.watch.state import read_state, speed
from dlutil_core.watch.text import facts

WATCH = "import sys; from pathlib import Path; from dlutil_core.watch.live import main; "
WATCH += "sys.exit(main(Path(sys.argv[1])))"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A search that has ended, with TensorBoard's files."""
    project = Project.make(tmp_path_factory.mktemp("watch") / "project", tensorboard=True)
    project.succeed()
    return project


def watch(result: Path, terminal: bool = False, seconds: float = 30) -> tuple[int, str]:
    """Exit code and output of the view, on a pseudo-terminal or without one."""
    command = [sys.executable, "-c", WATCH, str(result)]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "TERM": "xterm", "COLUMNS": "120"}
    if not terminal:
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        return done.returncode, done.stdout + done.stderr
    return on_terminal(command, environment, seconds)


def on_terminal(command: list[str], environment: dict[str, str], seconds: float) -> tuple[int, str]:
    """Run a command on a pseudo-terminal; what it wrote, escape sequences included."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, close_fds=True
    )
    os.close(theirs)
    output = b""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if select.select([ours], [], [], 0.2)[0]:
            try:
                output += os.read(ours, 65536)
            except OSError:
                break
        elif process.poll() is not None:
            break
    if process.poll() is None:
        process.terminate()
    code = process.wait()
    os.close(ours)
    return code, output.decode()


def cut_off(project: Project, folder: Path) -> Path:
    """The result folder as if the search had been killed in the middle of bracket 1."""
    result = folder / "result"
    shutil.copytree(project.result, result)
    for bracket in (1, 0):
        shutil.rmtree(result / "search" / f"bracket-{bracket}")
    plan = project.plan
    first, *rest = next(b["trials"] for b in plan["brackets"] if b["bracket"] == 1)
    for trial in [*rest, *next(b["trials"] for b in plan["brackets"] if b["bracket"] == 0)]:
        shutil.rmtree(result / "search" / "trials" / f"{trial:05d}")
    assert (result / "search" / "trials" / f"{first:05d}").is_dir()
    return result


def test_plan_tells_brackets_before_anything_ran(tmp_path: Path) -> None:
    config = {"definition": "d.py", "data": "d", "result": "r", "search": {"max_epochs": 27}}
    text = plan_text(config, tmp_path)
    assert "49 trials" in text and "357 epochs" in text
    assert re.search(r"^3 +0 +27 +1 +27$", text, re.MULTILINE)
    assert "once the first epochs are trained" in text


def test_plan_expects_time_and_disk_after_the_first_epochs(finished: Project) -> None:
    config = yaml.safe_load((finished.folder / "config.yaml").read_text())
    text = plan_text(config, finished.result)
    assert re.search(r"[\d.]+ epochs/s: about .+ for the whole search", text)
    assert re.search(r"a checkpoint takes [\d.]+ kB", text)


def test_summary_without_a_terminal(finished: Project) -> None:
    code, text = watch(finished.result)
    assert code == 0
    assert "\033" not in text
    assert "The search has ended." in text
    best = (finished.result / "best" / "leaderboard.csv").read_text().splitlines()[1].split(",")
    assert f"Best so far: trial {best[1]}, " in text


def test_search_that_was_cut_off(finished: Project, tmp_path: Path) -> None:
    result = cut_off(finished, tmp_path)
    state = read_state(result, time.time() + 1e6)
    assert not state.finished and not state.running
    assert 0 < state.trained_epochs < state.plan.epochs
    waiting = {b.number: [r.waiting for r in b.rungs] for b in state.brackets}
    assert not any(waiting[max(waiting)]) and waiting[0] == [len(state.plan.bracket(0).trials)]
    assert "Nothing runs at present" in watch(result)[1]
    state.held = True  # as is_held tells of a run between two rungs
    assert not any("Nothing runs" in sentence for sentence in facts(state))


def test_a_run_is_seen_while_it_holds_the_folder(tmp_path: Path) -> None:
    assert not is_held(tmp_path)
    code = "import sys; from dlutil_core.common.run_lock import RunLock; a = RunLock(sys.argv[1]); "
    code += "print('held', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline() == b"held\n"
        assert is_held(tmp_path)
        process.communicate()
    assert not is_held(tmp_path)


def test_an_ended_search_has_no_time_left(finished: Project) -> None:
    config = yaml.safe_load((finished.folder / "config.yaml").read_text())
    assert "it has ended, so no epoch is left" in plan_text(config, finished.result)
    config["search"] = {"max_epochs": 81}
    assert "from here" not in plan_text(config, finished.result)


def test_trial_of_another_configuration_counts_as_absent(finished: Project, tmp_path: Path) -> None:
    result = tmp_path / "result"
    shutil.copytree(finished.result, result)
    path = result / "search" / "trials" / "00000" / "config.json"
    path.write_text(re.sub(r'"seed": \d+', '"seed": 1', path.read_text()))
    state = read_state(result, time.time())
    assert state.trials[0].epochs == 0 and not state.finished


def test_half_written_files_do_not_end_the_view(finished: Project, tmp_path: Path) -> None:
    result = tmp_path / "result"
    shutil.copytree(finished.result, result)
    (result / "search" / "trials" / "00000" / "history.csv").write_text("epoch,train_lo")
    (result / "search" / "trials" / "00001" / "config.json").write_text('{"key": "')
    code, text = watch(result)
    assert code == 0 and "epochs are trained" in text


def test_live_view_on_a_terminal_ends_with_the_search(finished: Project) -> None:
    code, text = watch(finished.result, terminal=True)
    assert code == 0
    assert "Best so far" in text and "bracket" in text and "━" in text


def test_live_view_of_a_running_search(tmp_path: Path) -> None:
    project = Project.make(tmp_path / "project")
    process = project.start(DLUTIL_EPOCH_SECONDS="0.1")
    plan = project.result / "search" / "plan.json"
    while not plan.is_file() and process.poll() is None:
        time.sleep(0.1)
    code, text = watch(project.result, terminal=True, seconds=120)
    assert process.wait(120) == 0, (project.folder / "run.txt").read_text()
    assert code == 0
    assert "The search has ended." in text


def test_folder_without_a_search_is_a_sentence(tmp_path: Path) -> None:
    code, text = watch(tmp_path)
    assert code != 0 and "holds no search" in text


def test_speed_leaves_pauses_out() -> None:
    steady = [(e, 10.0 * e) for e in range(1, 11)]
    resumed = [(e, t if e <= 5 else t + 1e6) for e, t in steady]
    assert speed([steady]) == pytest.approx(0.1)
    assert speed([resumed]) == pytest.approx(0.1)
    assert speed([[(1, 5.0)]]) is None


# -- the progress line -----------------------------------------------------------------------------

JOB = """
import sys, time
from dlutil_core.job.script import log, start_logging
from dlutil_core.common.terminal import ProgressLine
start_logging(None)
with ProgressLine("to epoch 9", 40) as line:
    for step in range(40):
        line.step()
        time.sleep(0.05)
        if step == 20:
            log.info("a message of %s", sys.argv[1])
"""


def jobs_on_a_terminal(names: list[str]) -> str:
    """What a terminal shows of jobs side by side: lines as they are drawn over each other."""
    quoted = " & ".join(f'{sys.executable} -c "$JOB" {name}' for name in names)
    environment = os.environ | {"JOB": JOB, "PYTHONPATH": str(REPOSITORY), "TERM": "xterm"}
    return on_terminal(["sh", "-c", f"{quoted} & wait"], environment, 60)[1]


def rendered(output: str) -> list[str]:
    """The lines that a terminal would hold in the end."""
    lines = [""]
    column = 0
    for token in re.findall(r"\033\[K|\r|\n|[^\033\r\n]+", output):
        if token == "\r":
            column = 0
        elif token == "\n":
            lines.append("")
        elif token == "\033[K":
            lines[-1] = lines[-1][:column]
        else:
            lines[-1] = lines[-1][:column] + token + lines[-1][column + len(token) :]
            column += len(token)
    return [line.rstrip() for line in lines if line.strip()]


def test_job_alone_on_a_terminal_draws_a_line_and_clears_it() -> None:
    output = jobs_on_a_terminal(["one"])
    assert "━" in output and "%" in output
    assert rendered(output) == ["a message of one"]


def test_jobs_that_share_a_terminal_do_not_garble_it() -> None:
    output = jobs_on_a_terminal(["one", "two", "three"])
    assert sorted(rendered(output)) == sorted(f"a message of {n}" for n in ("one", "two", "three"))


def test_without_a_terminal_nothing_is_drawn() -> None:
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        [sys.executable, "-c", JOB, "one"],
        capture_output=True,
        text=True,
        env=environment,
        check=True,
    )
    assert done.stderr == "a message of one\n"


# -- TensorBoard -----------------------------------------------------------------------------------


def test_tensorboard_reads_every_epoch_and_the_hyperparameters(finished: Project) -> None:
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    from tensorboard.plugins.hparams import metadata

    state = read_state(finished.result, time.time())
    for trial, folder in state.trials.items():
        events = reader.EventAccumulator(str(finished.result / "tensorboard" / f"{trial:05d}"))
        events.Reload()
        rewards = [(e.step, e.value) for e in events.Scalars("reward")]
        rows = folder.record.rows
        assert [step for step, _ in rewards] == [r["epoch"] for r in rows]
        assert [v for _, v in rewards] == pytest.approx([r["reward"] for r in rows], rel=1e-5)
        content = events.summary_metadata[metadata.SESSION_START_INFO_TAG].plugin_data.content
        told = metadata.parse_session_start_info_plugin_data(content).hparams
        assert set(told) == set(state.plan.trials[trial].config)


def test_tensorboard_changes_no_result(finished: Project, tmp_path: Path) -> None:
    plain = Project.make(tmp_path / "plain")
    plain.succeed()
    assert plain.manifest == finished.manifest
    assert "tensorboard" not in finished.manifest
