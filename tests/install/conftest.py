"""dlutil as others have it: installed from a wheel, or deployed from a repository."""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from support import REPOSITORY


def make_environment(folder: Path) -> None:
    """An environment that finds the packages of this one, but not dlutil itself."""
    venv.create(folder, with_pip=False)
    packages = next(folder.glob("lib/python*/site-packages"))
    found = [p for p in sys.path if p.endswith(("site-packages", "dist-packages"))]
    (packages / "tested.pth").write_text("\n".join(found) + "\n")


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with all that dlutil needs, and without dlutil."""
    folder = tmp_path_factory.mktemp("bare") / "venv"
    make_environment(folder)
    return folder / "bin" / "python"


def git(folder: Path, *words: str) -> str:
    """Run git as somebody; its output."""
    who = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.org"]
    command = ["git", "-C", str(folder), *who, *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the repository `lab/dlutil`: the files of this one, committed on main."""
    served = tmp_path_factory.mktemp("served")
    folder = served / "lab" / "dlutil"
    names = ["ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    for name in filter(None, git(REPOSITORY, *names).split("\0")):
        source, target = REPOSITORY / name, folder / name
        if source.is_symlink() or source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message=All")
    return served


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with dlutil from a wheel, and the packages that it needs.

    Those are not installed anew (torch alone takes minutes): a file with their folders' names makes
    Python find the ones that run this test, but not what their own such files name, which is how an
    editable install of the repository would be found.
    """
    folder = tmp_path_factory.mktemp("installed")
    code = "import hatchling.build, sys; print(hatchling.build.build_wheel(sys.argv[1]))"
    command = [sys.executable, "-c", code, str(folder)]
    made = subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True)
    wheel = folder / made.stdout.split()[-1]
    make_environment(folder / "venv")
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "venv" / "bin" / "python")]
    subprocess.run(
        [*pip, "install", "--quiet", "--no-deps", "--no-index", "--ignore-installed", str(wheel)],
        check=True,
    )
    return folder / "venv"
