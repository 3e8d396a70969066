"""What is said once a run, whichever of its processes has it to say."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dlutil_core.common import logs

JOB = """
import os, sys
from pathlib import Path
from dlutil_core.common.logs import start_logging, warn_once
start_logging(Path(sys.argv[1]))
if not os.fork():  # a worker
    warn_once("warning: of all")
    os._exit(0)
os.wait()
warn_once("warning: of all")
warn_once(f"warning: of {sys.argv[2]}")
"""


def said(folder: Path, job: str) -> list[str]:
    """What a job says on the terminal."""
    command = [sys.executable, "-c", JOB, str(folder / f"{job}.log"), job]
    found = subprocess.run(command, check=True, capture_output=True, text=True)
    return found.stderr.splitlines()


def test_a_warning_is_said_once_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(logs.TOLD, "")
    for _ in range(2):  # runs
        logs.note_what_is_told(tmp_path / "told")
        assert said(tmp_path, "one") == ["warning: of all", "warning: of one"]
        assert said(tmp_path, "two") == ["warning: of two"]
    assert "warning: of all" in (tmp_path / "two.log").read_text()  # where it is looked for later


def test_without_a_run_each_process_says_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("", str(tmp_path / "not there")):
        monkeypatch.setenv(logs.TOLD, folder)
        assert said(tmp_path, "one").count("warning: of all") == 2


def test_the_folder_is_named_for_jobs_in_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(logs.TOLD, "")
    logs.note_what_is_told(Path("told"))
    assert os.environ[logs.TOLD] == str(tmp_path / "told")
