"""`make` on a machine that has nothing but Python, pip and make."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="there is no make on the PATH")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The files that `make` looks at before it installs, in a folder whose name has a blank."""
    folder = tmp_path / "a copy"
    folder.mkdir()
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, folder)
    return folder


def make(folder: Path, *arguments: str, path: Path | None = None) -> subprocess.CompletedProcess:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}
    if path is not None:
        environment["PATH"] = f"{path}:{environment['PATH']}"
    return subprocess.run(
        ["make", *arguments], cwd=folder, env=environment, capture_output=True, text=True
    )


def fake(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_help_lists_every_command() -> None:
    text = (ROOT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.*\n.*)$", text, flags=re.MULTILINE)
    assert phony is not None
    commands = set(phony[1].replace("\\", "").split()) - {"FORCE"}
    shown = make(ROOT, "help")
    assert shown.returncode == 0
    assert set(re.findall(r"^  ([a-z-]+) ", shown.stdout, flags=re.MULTILINE)) == commands
    assert make(ROOT).stdout == shown.stdout


def test_too_old_python_is_a_sentence_and_leaves_nothing(copy: Path, tmp_path: Path) -> None:
    names = ["python", "python3", *(f"python3.{minor}" for minor in range(11, 15))]
    for name in names:
        fake(tmp_path / "old" / name, "exit 1")
    result = make(copy, "demo", path=tmp_path / "old")
    assert result.returncode != 0
    assert "error: there is no Python of version 3.11 or newer" in result.stderr
    assert "make PYTHON=/path/to/python3.11" in result.stderr
    assert not (copy / ".venv").exists()


def test_chosen_python_that_is_none_is_named(copy: Path) -> None:
    result = make(copy, "demo", "PYTHON=/no/such/python")
    assert result.returncode != 0
    assert "/no/such/python is not a Python of version 3.11 or newer" in result.stderr


def test_python_that_can_make_no_environment_is_a_sentence(copy: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare" / "python3"
    fake(bare, f'[ "$2" = venv ] && exit 1; exec "{sys.executable}" "$@"')
    result = make(copy, "demo", f"PYTHON={bare}")
    assert result.returncode != 0
    assert "python3-venv" in result.stderr
    assert not (copy / ".venv").exists()


@pytest.fixture
def installed(copy: Path) -> Path:
    """The same folder after a finished installation."""
    (copy / ".venv" / "bin").mkdir(parents=True)
    (copy / ".venv" / "bin" / "python").symlink_to(sys.executable)
    (copy / ".venv" / ".place").write_text(f"{copy}\n")
    (copy / ".venv" / ".run").touch()
    return copy


def up_to_date(folder: Path) -> bool:
    return make(folder, "--question", "install").returncode == 0


def test_nothing_is_installed_twice(installed: Path) -> None:
    assert up_to_date(installed)


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt"])
def test_other_requirements_are_installed(installed: Path, name: str) -> None:
    later = (installed / ".venv" / ".run").stat().st_mtime + 10
    os.utime(installed / name, (later, later))
    assert not up_to_date(installed)


def test_moved_folder_is_installed_again(installed: Path) -> None:
    moved = installed.with_name("moved")
    installed.rename(moved)
    assert not up_to_date(moved)


def test_environment_whose_python_is_gone_is_installed_again(installed: Path) -> None:
    python = installed / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to("/no/such/python")
    assert not up_to_date(installed)


def test_absent_tests_are_said_and_are_no_failure(installed: Path) -> None:
    (installed / ".venv" / ".dev").touch()
    result = make(installed, "test-browser")
    assert (result.returncode, result.stdout) == (0, "there is no tests/browser yet\n")
