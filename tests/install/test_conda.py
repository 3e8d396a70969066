"""`--sdm conda`: jobs run in the environment that `workflow/envs` describes, and find dlutil.

A real conda would download gigabytes. Here the command `conda` is a script that makes a virtual
environment with the packages that are installed already; what Snakemake and the jobs do is real.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from support import DEFINITION, REPOSITORY, Project

CONDA = """\
#!{python}
import json, shutil, subprocess, sys, venv
from pathlib import Path

root = Path(__file__).resolve().parent.parent
words = sys.argv[1:]
if words[0] == "--version":
    print("conda 25.1.0")
elif words[0] == "info":
    places = {{"conda_prefix": str(root), "root_prefix": str(root)}}
    print(json.dumps({{**places, "platform": "linux-64"}}))
elif words[:2] == ["config", "--get"]:
    print(json.dumps({{"get": {{"channel_priority": "strict"}}}}))
elif "create" in words:
    prefix = Path(words[words.index("--prefix") + 1])
    shutil.copy(words[words.index("--file") + 1], root / "asked.yml")
    venv.create(prefix, with_pip=False)
    packages = next(prefix.glob("lib/python*/site-packages"))
    (packages / "tested.pth").write_text({packages!r})
"""


@pytest.fixture
def conda(tmp_path: Path) -> Path:
    """A folder with `bin/conda` and `bin/activate`."""
    found = [p for p in sys.path if p.endswith(("site-packages", "dist-packages"))]
    folder = tmp_path / "conda"
    (folder / "bin").mkdir(parents=True)
    program = folder / "bin" / "conda"
    program.write_text(CONDA.format(python=sys.executable, packages="\n".join(found) + "\n"))
    program.chmod(0o755)
    (folder / "bin" / "activate").write_text('export CONDA_PREFIX="$1" PATH="$1/bin:$PATH"\n')
    return folder


NOTING = """
import sys
import dlutil_core
with open("places.txt", "a") as file:
    file.write(f"{sys.prefix} {dlutil_core.__file__}\\n")
"""

CHANGES = {"search": {"max_epochs": 1}, "predict": []}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project.make(tmp_path_factory.mktemp("plain") / "project", **CHANGES)
    project.succeed()
    return project


def check(project: Project, plain: Project, conda: Path, package: Path) -> None:
    """Every job ran in the one environment, with this dlutil, and left the same files."""
    made = [p for p in (project.folder / ".snakemake" / "conda").iterdir() if p.is_dir()]
    assert len(made) == 1, "one environment serves all rules"
    for line in (project.folder / "places.txt").read_text().splitlines():
        prefix, place = line.split()
        assert Path(prefix).resolve() == made[0].resolve()
        assert Path(place).resolve().parent == package.resolve()
    asked = yaml.safe_load((conda / "asked.yml").read_text())
    assert asked == yaml.safe_load((REPOSITORY / "workflow" / "envs" / "dlutil.yaml").read_text())
    for name in ("best/leaderboard.csv", "test/metrics.json"):
        assert (project.result / name).read_bytes() == (plain.result / name).read_bytes()


@pytest.mark.slow
def test_jobs_of_a_checkout(conda: Path, plain: Project, tmp_path: Path) -> None:
    project = Project.make(tmp_path / "project", DEFINITION + NOTING, **CHANGES)
    project.succeed("--sdm", "conda", PATH=f"{conda}/bin:{os.environ['PATH']}")
    check(project, plain, conda, REPOSITORY / "dlutil_core")


@pytest.mark.slow
def test_jobs_of_a_wheel(conda: Path, plain: Project, installed: Path, tmp_path: Path) -> None:
    project = Project.make(tmp_path / "project", DEFINITION + NOTING, **CHANGES)
    package = next(installed.glob("lib/python*/site-packages/dlutil_core"))
    command = project.command("--sdm", "conda")
    command[0] = str(installed / "bin" / "python")
    command[command.index("--snakefile") + 1] = str(package / "workflow" / "Snakefile")
    clean = {k: v for k, v in project.environ().items() if k != "PYTHONPATH"}
    done = subprocess.run(
        command,
        cwd=project.folder,
        env=clean | {"PATH": f"{conda}/bin:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    check(project, plain, conda, package)
