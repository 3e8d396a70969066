"""dlutil as others have it: installed from a wheel."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

import pytest
from support import REPOSITORY


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
    venv.create(folder / "venv", with_pip=False)
    packages = next((folder / "venv").glob("lib/python*/site-packages"))
    found = [p for p in sys.path if p.endswith(("site-packages", "dist-packages"))]
    (packages / "tested.pth").write_text("\n".join(found) + "\n")
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "venv" / "bin" / "python")]
    subprocess.run(
        [*pip, "install", "--quiet", "--no-deps", "--no-index", "--ignore-installed", str(wheel)],
        check=True,
    )
    return folder / "venv"
