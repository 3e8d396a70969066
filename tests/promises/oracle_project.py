"""The oracle's project: a definition that reads more than it is told of, and its runs afresh."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import support
import yaml
from support import REPOSITORY, Finished, Project, edit, table

DATA = ("train.h5", "valid.npy", "test.npy", "new.npy", "more.npy", "parts/a.npy")
"""Files below the data folder; `parts` is listed and all of it is trained on."""

NUMBERS = ("scale.txt", "shift.txt", "offset.txt", "start.txt", "listed.txt")
"""Files beside `def.py`; only `listed.txt` is named in the config, since nobody sees it read."""

NOT_INPUTS = {".snakemake", "out", "renamed", "stash", "trace.txt", "run.txt", "cache"}

HELPERS = """
import glob

from features import scaled

HERE = os.path.dirname(os.path.abspath(__file__))


def number(name):
    with open(os.path.join(HERE, name)) as file:
        return float(file.read())


def optional():
    try:
        return number("optional.txt")
    except FileNotFoundError:
        return 1.0


def parts(data_dir):
    return [np.load(path) for path in sorted(glob.glob(data_dir + "/parts/*.npy"))]
"""

TRAIN = 'scaled(load(data_dir + "/train.h5"))'
REPLACED = {
    "\nfrom features import scaled\n": HELPERS,
    TRAIN: f'np.concatenate([{TRAIN} * number("scale.txt") * optional(), *parts(data_dir)])',
    "table * 1.0  # test": 'table * 1.0 * number("shift.txt")  # test',
    "table * 1.0  # pred": 'table * 1.0 * number("offset.txt")  # pred',
    'lr=c["lr"]': 'lr=c["lr"] * number("start.txt") * os.stat(HERE + "/listed.txt").st_size / 4',
}


def make(folder: Path) -> Project:
    """Write the project."""
    definition = support.DEFINITION
    for old, new in REPLACED.items():
        assert old in definition, old
        definition = definition.replace(old, new)
    changes: dict[str, Any] = {"definition_files": ["listed.txt"], "data_files": {}}
    project = Project.make(folder, definition, search={"max_epochs": 1}, **changes)
    project.environment["XDG_CACHE_HOME"] = str(folder / "cache")
    (folder / "data" / "parts").mkdir()
    for name in (*DATA, *NUMBERS):
        path = folder / ("data" if name in DATA else "") / name
        write_version(path, 0)
    return project


def write_version(path: Path, version: int) -> None:
    """Write one of the contents that a file may have; all are of one size but for `listed.txt`."""
    if path.name == "listed.txt":
        path.write_text("1.00" + "0" * version)
    elif path.suffix == ".txt":
        path.write_text(f"{1 + version / 4:.2f}")
    elif path.suffix == ".h5":
        with support.h5py.File(path, "w") as file:
            file["table"] = table(1 + 10 * version, 60)
    else:
        np.save(path, table(sum(path.stem.encode()) + 1000 * version, 50))


def upgraded(folder: Path) -> Path:
    """A copy of the repository whose results are of another version."""
    for name in ("dlutil_core", "workflow", "scripts"):
        shutil.copytree(REPOSITORY / name, folder / name, dirs_exist_ok=True)
    shutil.copy(REPOSITORY / "environment.yml", folder)
    path = folder / "dlutil_core" / "job" / "run_spec.py"
    found = re.search(r"^RESULT_VERSION = .*$", path.read_text(), re.M)
    assert found
    edit(path, found[0], "RESULT_VERSION = 99")
    return folder


def inputs(folder: Path) -> Iterator[tuple[str, bytes]]:
    """All that a run depends on, links followed."""
    for place, below, names in os.walk(folder, followlinks=True):
        inside = Path(place).relative_to(folder)
        below[:] = sorted(n for n in below if n not in NOT_INPUTS and not n.startswith("__"))
        for name in sorted(names):
            if str(inside / name) not in NOT_INPUTS:
                yield str(inside / name), Path(place, name).read_bytes()


def state_of(project: Project) -> str:
    """A hash of all that the project's results depend on."""
    digest = hashlib.sha256(str(project.repository == REPOSITORY).encode())
    for name, content in inputs(project.folder):
        digest.update(f"{name} {len(content)}\n".encode() + content)
    return digest.hexdigest()


@dataclass
class Afresh:
    """Runs in fresh folders, one for each state.

    `folder` is where they run.
    """

    folder: Path
    known: dict[str, str] = field(default_factory=dict)

    def manifest(self, project: Project) -> str:
        """The manifest that the project's state has; empty where it cannot be run."""
        state = state_of(project)
        if state not in self.known:
            self.known[state] = self._run(project, self.folder / state[:12])
        return self.known[state]

    def _run(self, project: Project, folder: Path) -> str:
        for name, content in inputs(project.folder):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        fresh = Project(folder, project.repository)
        fresh.environment["XDG_CACHE_HOME"] = str(folder / "cache")
        done = fresh.run()
        manifest = "" if done.code else fresh.manifest
        assert not done.code or told(done), f"afresh: {done.output}"
        shutil.rmtree(folder)
        return manifest


def told(done: Finished) -> bool:
    """Whether a run that failed told why in a sentence."""
    return bool(done.sentences)


@dataclass(frozen=True)
class Start:
    """How a run is started: where, and with which paths.

    `directory` is the working directory, that of the project unless given; `absolute`: the config
    has absolute paths, and the working directory is that of the run.
    """

    directory: Path | None = None
    absolute: bool = False

    def run(self, project: Project, **options: Any) -> Finished:
        """Run the project so."""
        if self.directory is None:
            return project.run(**options)
        self.directory.mkdir(exist_ok=True)
        beside = Project(self.directory, project.repository, project.environment)
        if self.absolute:
            (self.directory / "config.yaml").write_text(yaml.safe_dump(placed(project)))
            return beside.run(**options)
        config = str(project.folder / "config.yaml")
        arguments = ("--directory", str(project.folder), "--configfile", config)
        return beside.run(*arguments, **options)


def placed(project: Project) -> dict[str, Any]:
    """The project's config with absolute paths."""
    config = project.config
    for key in ("definition", "data", "result"):
        config[key] = str(project.folder / config[key])
    config["definition_files"] = [str(project.folder / p) for p in config["definition_files"]]
    return config
