"""After any change by any means a run in place leaves what a run afresh leaves, or tells why not.

DLUTIL_ORACLE=300 DLUTIL_SEED=7 pytest tests/promises/test_oracle.py     (make oracle N=300)
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from killing import end, wait_for_orphans
from oracle_changes import DAMAGES, MEANS, TIMES, exchanged, results, touched
from oracle_project import (
    DATA,
    NUMBERS,
    Afresh,
    Start,
    make,
    told,
    upgraded,
    write_version,
)
from support import REPOSITORY, Project, edit

SEED = int(os.environ.get("DLUTIL_SEED", "1"))
CHANGES = int(os.environ.get("DLUTIL_ORACLE", "40"))
A_PROJECT = 8
"""Changes to a project; then another one is begun."""

EDITS = {
    "train": ("def.py", "nn.ReLU()", "nn.Tanh()"),
    "search space": ("def.py", "[0.3, 0.1, 0.03, 0.01]", "[0.2, 0.1, 0.05, 0.01]"),
    "test": ("def.py", 'table * 1.0 * number("shift', 'table * 1.5 * number("shift'),
    "predict": ("def.py", 'table * 1.0 * number("offset', 'table * 1.5 * number("offset'),
    "saving": ("def.py", "return Y * 1.0", "return Y * 1.5"),
    "module": ("features.py", "FACTOR = 1.0", "FACTOR = 1.5"),
    "comment": ("def.py", "def optional", "# told\ndef optional"),
    "module's comment": ("features.py", "FACTOR", "\nFACTOR"),
}

CONFIGS: dict[str, tuple[Any, Any]] = {
    "seed": (3, 4),
    "batch_size": (50, 30),
    "predict": (["new.npy"], ["new.npy", "more.npy"]),
    "evaluate": (True, False),
    "search": ({"max_epochs": 1}, {"max_epochs": 3}),
    "env": ({"DLUTIL_TEST_UNITS": "volts"}, {"DLUTIL_TEST_UNITS": "amperes"}),
    "keep_checkpoints": ("all", "best"),
    "data_files": ({}, {"train": ["train.h5", "valid.npy"], "test": ["test.npy"]}),
    "clip_norm": (None, 0.5),
}
SEARCHES: dict[str, tuple[Any, Any]] = {
    "jobs": ("bracket", "trial"),
    "threads_per_trial": (1, 2),
    "method": ("hyperband", "staged"),
}
LOST = (".", "metadata", "dlutil", "dlutil/requests", "dlutil/stale", "log", "incomplete")
KILLS = ("everything, SIGKILL", "main process, SIGKILL", "job, SIGKILL", "everything, SIGTERM")

RUNS = st.sampled_from([True, True, True, False])
"""Whether a change is followed by a run, so that some runs follow several changes."""


class Oracle(RuleBasedStateMachine):
    """A project, its changes and its runs."""

    folder: Path
    afresh: Afresh
    finished: Project
    tally: Counter[str]
    begun = 0
    failed: BaseException | None = None

    def __init__(self) -> None:
        super().__init__()
        # Hypothesis begins with the simplest of all: the same change again and again.
        self.idle = Oracle.begun == 0
        Oracle.begun += 1
        if self.idle:
            return
        self.history: list[str] = []
        folder = Path(tempfile.mkdtemp(dir=self.folder)) / "project"
        self.project = self.finished.copy(folder)
        self.project.environment["XDG_CACHE_HOME"] = str(folder / "cache")
        self.start = Start()
        self.cores = 2
        self.is_compared = True

    # Changes

    @rule(name=st.sampled_from(sorted(EDITS)), runs=RUNS)
    def edit_code(self, name: str, runs: bool) -> None:
        self._happens(f"edit: {name}", lambda: self._edit(*EDITS[name]), runs)

    @rule(
        name=st.sampled_from([*DATA, *NUMBERS]),
        version=st.integers(0, 2),
        means=st.sampled_from(MEANS),
        runs=RUNS,
    )
    def change_a_file(self, name: str, version: int, means: Any, runs: bool) -> None:
        def change() -> None:
            new = self.project.folder.parent / f"new{Path(name).suffix}"
            write_version(new.with_name(Path(name).name), version)
            os.replace(new.with_name(Path(name).name), new)
            means(self._input(name), new)

        self._happens(f"{name} version {version}, {means.__name__}", change, runs)

    @rule(when=st.sampled_from(sorted(TIMES)), what=st.sampled_from(["", "data", "out"]), runs=RUNS)
    def touch(self, when: str, what: str, runs: bool) -> None:
        folder = self.project.result if what == "out" else self.project.folder / what
        self._happens(f"touched {what or 'all'}: {when}", lambda: touched(folder, when), runs)

    @rule(names=st.permutations(DATA[1:]), runs=RUNS)
    def swap_data(self, names: list[str], runs: bool) -> None:
        one, other = map(self._input, names[:2])
        self._happens(f"swap {names[:2]}", lambda: exchanged(one, other), runs)

    @rule(place=st.integers(0, 10**6), damage=st.sampled_from(DAMAGES), runs=RUNS)
    def damage_a_result(self, place: int, damage: Any, runs: bool) -> None:
        if self.idle or not (found := results(self.project.result)):
            return
        path = found[place % len(found)]
        told_path = path.relative_to(self.project.folder)
        self._happens(f"{told_path} {damage.__name__}", lambda: damage(path), runs)

    @rule(one=st.integers(0, 10**6), other=st.integers(0, 10**6), runs=RUNS)
    def swap_results(self, one: int, other: int, runs: bool) -> None:
        if self.idle or not (found := results(self.project.result)):
            return
        first = found[one % len(found)]
        kin = [p for p in found if p.suffix == first.suffix]
        second = kin[other % len(kin)]
        told_pair = [str(p.relative_to(self.project.result)) for p in (first, second)]
        self._happens(f"swap results {told_pair}", lambda: exchanged(first, second), runs)

    @rule(key=st.sampled_from([*sorted(CONFIGS), *sorted(SEARCHES)]), runs=RUNS)
    def configure(self, key: str, runs: bool) -> None:
        self._happens(f"config: {key}", lambda: self._configure(key), runs)

    @rule(what=st.sampled_from(LOST), runs=RUNS)
    def lose_snakemake(self, what: str, runs: bool) -> None:
        def lose() -> None:
            path = self.start_folder / ".snakemake" / what
            shutil.rmtree(path, ignore_errors=True)
            path.unlink(missing_ok=True) if not path.is_dir() else None

        self._happens(f"lost .snakemake/{what}", lose, runs)

    @rule(with_times=st.booleans(), runs=RUNS)
    def copy_all(self, with_times: bool, runs: bool) -> None:
        """The project is another folder, in which there are no links any more."""

        def change() -> None:
            old = self.project.folder
            new = Path(tempfile.mkdtemp(dir=self.folder)) / "project"
            shutil.copytree(old, new, copy_function=shutil.copy2 if with_times else shutil.copyfile)
            shutil.rmtree(old)
            self.project = Project(new, self.project.repository, self.project.environment)
            self.start = Start()

        self._happens(f"copied elsewhere, with times: {with_times}", change, runs)

    @rule(directory=st.sampled_from(["", "a", "b"]), absolute=st.booleans(), runs=RUNS)
    def start_elsewhere(self, directory: str, absolute: bool, runs: bool) -> None:
        def change() -> None:
            place = self.project.folder.parent / directory if directory else None
            self.start = Start(place, absolute)

        self._happens(f"started in '{directory}', absolute: {absolute}", change, runs)

    @rule(cores=st.integers(1, 3), runs=RUNS)
    def other_cores(self, cores: int, runs: bool) -> None:
        self._happens(f"{cores} cores", lambda: setattr(self, "cores", cores), runs)

    @rule(runs=RUNS)
    def rename_result(self, runs: bool) -> None:
        def change() -> None:
            name = "renamed" if self.project.config["result"] == "out" else "out"
            if self.project.result.exists():
                shutil.rmtree(self.project.folder / name, ignore_errors=True)
                os.rename(self.project.result, self.project.folder / name)
            self.project.configure(result=name)

        self._happens("result folder renamed", change, runs)

    @rule(runs=RUNS)
    def stash_result(self, runs: bool) -> None:
        """Moved away, or back over what came in its place."""

        def change() -> None:
            stash, result = self.project.folder / "stash", self.project.result
            if stash.exists():
                shutil.rmtree(result, ignore_errors=True)
                os.rename(stash, result)
            elif result.exists():
                os.rename(result, stash)

        self._happens("result folder moved away or back", change, runs)

    @rule(runs=RUNS)
    def rename_definition(self, runs: bool) -> None:
        def change() -> None:
            now = self.project.config["definition"]
            other = "other.py" if now == "def.py" else "def.py"
            os.rename(self.project.folder / now, self.project.folder / other)
            self.project.configure(definition=other)

        self._happens("definition renamed", change, runs)

    @rule(name=st.sampled_from(["optional.txt", "data/parts/b.npy", "data/notes.txt"]), runs=RUNS)
    def come_and_go(self, name: str, runs: bool) -> None:
        """A file that was asked for in vain, one that is listed, one that nobody reads."""

        def change() -> None:
            path = self.project.folder / name
            path.unlink() if path.exists() else write_version(path, 1)

        self._happens(f"{name} comes or goes", change, runs)

    @rule(version=st.integers(0, 2), runs=RUNS)
    def turn_the_data_folder(self, version: int, runs: bool) -> None:
        """A link to another folder, one of whose files has another content and the same times."""

        def change() -> None:
            data = self.project.folder / "data"
            new = Path(tempfile.mkdtemp(dir=self.project.folder.parent)) / "data"
            shutil.copytree(data, new)
            before = (data / "valid.npy").stat()
            write_version(new / "valid.npy", version)
            os.utime(new / "valid.npy", ns=(before.st_atime_ns, before.st_mtime_ns))
            data.unlink() if data.is_symlink() else shutil.rmtree(data)
            data.symlink_to(new)

        self._happens(f"data folder turned, version {version}", change, runs)

    @rule(runs=RUNS)
    def upgrade(self, runs: bool) -> None:
        def change() -> None:
            ours = self.project.repository == REPOSITORY
            self.project.repository = self.folder / "upgraded" if ours else REPOSITORY

        self._happens("another version", change, runs)

    @rule(kind=st.sampled_from(KILLS), moment=st.floats(0, 1), name=st.sampled_from(sorted(EDITS)))
    def kill(self, kind: str, moment: float, name: str) -> None:
        """While a run makes what an edit needs."""

        def change() -> None:
            self._edit(*EDITS[name])
            run = self.project.start(cores=self.cores, DLUTIL_EPOCH_SECONDS="0.3")
            time.sleep(10 * moment)
            end(run, kind)
            wait_for_orphans(self.project.folder)

        self._happens(f"edit: {name}, and a run killed: {kind} at {moment:.2f}", change, True)

    # What changes do

    @property
    def start_folder(self) -> Path:
        """Where the run's `.snakemake` lies."""
        elsewhere = self.start.directory is not None and self.start.absolute
        return self.start.directory if elsewhere else self.project.folder  # type: ignore[return-value]

    def _input(self, name: str) -> Path:
        return self.project.folder / ("data" if name in DATA else "") / name

    def _edit(self, name: str, old: str, new: str) -> None:
        path = self.project.folder / name
        if name == "def.py":
            path = self.project.folder / self.project.config["definition"]
        text = path.read_text()
        # The new text may hold the old one.
        edit(path, *((new, old) if new in text else (old, new)))

    def _configure(self, key: str) -> None:
        if key in SEARCHES:
            held = self.project.config["search"].get(key)
            one, other = SEARCHES[key]
            self.project.configure(search={key: other if held in (None, one) else one})
        elif key == "search":
            epochs = 4 - self.project.config["search"]["max_epochs"]
            self.project.configure(search={"max_epochs": epochs})
        else:
            one, other = CONFIGS[key]
            held = self.project.config.get(key, one)
            self.project.configure(**{key: other if held == one else one})

    # What must hold

    def _happens(self, what: str, change: Callable[[], None], runs: bool) -> None:
        if self.failed is not None:
            raise self.failed
        if self.idle or self.tally["changes"] >= CHANGES:
            return
        print(f"{self.tally['changes']:4d} {what}{'' if runs else ' (no run yet)'}", flush=True)
        self.tally["changes"] += 1
        self.history.append(what)
        change()
        self.is_compared = False
        if runs:
            self._compare_or_tell()

    def teardown(self) -> None:
        if not self.idle and self.failed is None:
            if not self.is_compared:
                self._compare_or_tell()
            shutil.rmtree(self.project.folder.parent)

    def _compare_or_tell(self) -> None:
        try:
            self._compare()
        except AssertionError as error:
            Oracle.failed = AssertionError(f"{chr(10).join(self.history)}\n{error}")
            print(f"failed in {self.project.folder}:\n{Oracle.failed}", flush=True)
            raise Oracle.failed from None
        self.history.append("(run)")
        self.is_compared = True

    def _compare(self) -> None:
        done = self.start.run(self.project, cores=self.cores)
        wanted = self.afresh.manifest(self.project)
        self.tally["runs compared"] += 1
        if done.code:
            assert told(done) and "Traceback" not in done.output, done.output
            self.tally["sentences"] += 1
            print(f"     sentence: {done.sentences}", flush=True)
            if wanted:  # refused in place alone: the remedy is another result folder
                shutil.rmtree(self.project.result)
            return
        assert wanted, f"only in place it runs:\n{done.output}"
        differ = set(self.project.manifest.splitlines()) ^ set(wanted.splitlines())
        assert not differ, f"{sorted(differ)}\n{done.output}"


@pytest.mark.slow
def test_a_run_in_place_is_a_run_afresh(
    tmp_path_factory: pytest.TempPathFactory, tally: Counter[str]
) -> None:
    folder = tmp_path_factory.mktemp("oracle")
    Oracle.folder, Oracle.tally = folder, Counter()
    Oracle.afresh = Afresh(folder / "afresh")
    upgraded(folder / "upgraded")
    Oracle.finished = make(folder / "finished")
    Oracle.finished.succeed()
    given = settings(
        max_examples=2 + CHANGES // (A_PROJECT - 1),
        stateful_step_count=A_PROJECT,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    run_state_machine_as_test(seed(SEED)(Oracle), settings=given)
    assert Oracle.tally["changes"] >= CHANGES
    tally.update({f"oracle: {name}": n for name, n in Oracle.tally.items()})
