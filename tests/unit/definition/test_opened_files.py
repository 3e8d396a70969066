from __future__ import annotations

import glob
import importlib.metadata
import importlib.util
import multiprocessing
import os
import pathlib
import pkgutil
import select
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from dlutil_core.common.errors import UserError
from dlutil_core.common.hash_memory import HashMemory
from dlutil_core.common.reads import ABSENT, FILE, FOLDER, Read
from dlutil_core.definition import open_events
from dlutil_core.definition.opened_files import OpenedFiles


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return folder


@pytest.fixture
def opened(here: Path) -> Iterator[OpenedFiles]:
    found = OpenedFiles()
    yield found
    found.stop()


def names(opened: OpenedFiles, here: Path, kind: str = FILE) -> list[str]:
    reads = opened.reads(HashMemory(here.parent / "memory.json"))
    return [os.path.relpath(r.path, here) for r in reads if r.kind == kind]


def make(*paths: str) -> None:
    for path in paths:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(path)


def test_files_are_read_with_their_hash(opened: OpenedFiles, here: Path) -> None:
    make("a.txt")
    opened.start()
    open("a.txt").close()
    [read] = opened.reads(HashMemory(here.parent / "m.json"))
    assert read == Read(str(here / "a.txt"), FILE, HashMemory().file("a.txt"))


@pytest.mark.parametrize(
    "way",
    [
        lambda: open("a").close(),
        lambda: open(b"a").close(),
        lambda: open(Path("a").resolve(), "rb").close(),
        lambda: open("a", "r+").close(),
        lambda: open("a", "a+").close(),
        lambda: os.close(os.open("a", os.O_RDONLY)),
        lambda: Path("a").read_bytes(),
        lambda: open("sub/../a").close(),
        lambda: np.fromfile("a", dtype="u1"),
        lambda: np.loadtxt("a", dtype=str),
        lambda: np.memmap("a", mode="r"),
        lambda: exec(Path("a").read_text(), {"a": 1}),
    ],
)
def test_ways_to_open(way: Callable[[], object], opened: OpenedFiles, here: Path) -> None:
    make("a", "sub/b")
    opened.start()
    way()
    assert names(opened, here) == ["a"]


def test_a_relative_path_in_another_folder(
    opened: OpenedFiles, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make("a", "f/a")
    opened.start()
    _open("a")
    monkeypatch.chdir("f")
    _open("a")
    assert names(opened, here) == ["a", "f/a"]


def test_only_writing_is_no_read(opened: OpenedFiles, here: Path) -> None:
    make("old")
    opened.start()
    open("old", "a").close()
    open("old", "w").close()
    make("new")
    Path("new").read_text()
    Path("made/in").parent.mkdir()
    subprocess.run(["cp", "/etc/hostname", "made/in"], check=True)
    Path("made/in").read_text()
    assert not opened.reads(HashMemory(here.parent / "m.json"))


def test_what_was_absent(opened: OpenedFiles, here: Path) -> None:
    opened.start()
    for way, name in ((_open, "gone"), (os.listdir, "no"), (np.load, "gone.npy")):
        with pytest.raises(FileNotFoundError):
            way(name)
    assert names(opened, here, ABSENT) == ["gone", "gone.npy", "no"]
    Path("gone").write_text("made by the code itself")
    assert names(opened, here, ABSENT) == ["gone.npy", "no"]
    subprocess.run(["touch", "gone.npy"], check=True)
    with pytest.raises(UserError, match=r"gone\.npy was changed while it was read; run the same"):
        names(opened, here)


def test_relative_to_a_folder(opened: OpenedFiles, here: Path) -> None:
    make("f/a")
    opened.start()
    list(os.fwalk("f"))
    os.close(os.open("a", os.O_RDONLY, dir_fd=os.open("f", os.O_RDONLY)))
    assert (names(opened, here, ABSENT), names(opened, here, FOLDER)) == ([], ["f"])


def listing_ways() -> list[Callable[[], object]]:
    return [
        lambda: os.listdir("f"),
        lambda: list(os.scandir("f")),
        lambda: list(Path("f").iterdir()),
        lambda: list(Path("f").glob("*")),
        lambda: list(os.walk(b"f")),
        lambda: os.listdir(os.open("f", os.O_RDONLY)),
        lambda: [*map(len, [os.listdir(Path("f"))])],
    ]


@pytest.mark.parametrize("way", listing_ways())
def test_listings(way: Callable[[], object], opened: OpenedFiles, here: Path) -> None:
    make("f/a", "f/b")
    opened.start()
    way()
    assert names(opened, here, FOLDER) == ["f"]
    make("f/own")  # What the code itself adds is no change.
    assert names(opened, here, FOLDER) == ["f"]
    os.replace("f/own", "f/other")
    assert names(opened, here, FOLDER) == ["f"]
    subprocess.run(["touch", "f/foreign"], check=True)
    with pytest.raises(UserError, match="f was changed while it was read"):
        names(opened, here, FOLDER)


def test_a_changed_file(opened: OpenedFiles, here: Path) -> None:
    make("a")
    opened.start()
    Path("a").read_text()
    assert names(opened, here) == ["a"]
    opened.stop()
    Path("a").write_text("longer than before")
    with pytest.raises(UserError, match="a was changed while it was read"):
        names(opened, here)


def counted(path: str) -> None:
    """What code does that counts its runs, or keeps a log of them."""
    Path(path).write_text(Path(path).read_text() + "|")


def logged(path: str) -> None:
    """And what code does that adds to a log which it has looked into."""
    with open(path, "a+") as file:
        file.seek(0)
        file.write(file.read() + "|")


@pytest.mark.parametrize("way", [counted, logged])
def test_what_the_code_has_changed_is_no_input(
    way: Callable[[str], object], opened: OpenedFiles, here: Path
) -> None:
    """Nor is it an error where other jobs go on to change it."""
    make("state", "read")
    opened.start()
    way("state")
    Path("read").read_text()
    assert names(opened, here) == ["read"]
    subprocess.run(["sh", "-c", "echo of another job >> state"], check=True)
    assert names(opened, here) == ["read"]


def test_data_that_the_code_has_changed_stay_an_input(here: Path) -> None:
    opened = OpenedFiles(data=["data"])
    make("data/state")
    opened.start()
    counted("data/state")
    opened.stop()
    [read] = opened.reads(HashMemory(here.parent / "m.json"))
    assert read.sha256 == HashMemory().file("data/state")


def test_a_stale_address_leads_into_no_other_file(here: Path) -> None:
    """A process that is told of a log which is gone opens nothing under the log's number."""
    opened = OpenedFiles()
    opened.start()
    told = os.environ[open_events.ENVIRONMENT]
    number = int(told.split(";")[0].rpartition("/")[2])
    listening, filled = os.pipe()
    opened.stop()
    del opened  # closes the log
    os.dup2(filled, number)
    os.close(filled)
    environment = {**os.environ, open_events.ENVIRONMENT: told, "PYTHONPATH": open_events.STARTED}
    started = subprocess.Popen(
        [sys.executable, "-c", "print(flush=True); input()"],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert started.stdout is not None
    started.stdout.readline()  # it has begun, and has looked for the log
    os.close(number)
    try:
        # Nobody can write into the pipe any more, although the process lives, nor has anybody.
        assert select.select([listening], [], [], 30)[0]
        assert os.read(listening, 1) == b""
    finally:
        started.communicate(b"\n")
        os.close(listening)


def test_not_recorded(here: Path) -> None:
    make("result/x", ".snakemake/y", "module_beside.py", "z")
    opened = OpenedFiles([here / "result"])
    opened.start()
    for name in ("result/x", ".snakemake/y", "/proc/self/stat", np.__file__, os.__file__):
        open(name, "rb").close()
    open(open_events.__file__).close()
    sys.path.insert(0, str(here))
    try:
        import module_beside  # noqa: F401
    except NameError:
        pass
    finally:
        sys.path.remove(str(here))
    HashMemory(here.parent / "m.json").file("z")
    assert not opened.reads(HashMemory(here.parent / "m.json"))
    opened.stop()


def test_links(opened: OpenedFiles, here: Path) -> None:
    make("real/a")
    os.symlink("real", "link")
    opened.start()
    Path("link/a").read_text()
    staged = tempfile.mkdtemp()
    os.symlink(here / "real" / "a", os.path.join(staged, "b"))
    Path(staged, "b").read_text()
    assert names(opened, here) == ["link/a", "real/a"]


def test_silent_before_and_after(
    opened: OpenedFiles, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_events, "active", ())  # of other tests in this process
    make("before", "during", "after")
    open("before").close()
    opened.start()
    opened.start()
    open("during").close()
    opened.stop()
    open("after").close()
    assert names(opened, here) == ["during"]
    assert open_events.ENVIRONMENT not in os.environ
    assert open_events.STARTED not in os.environ.get("PYTHONPATH", "")


def test_two_recorders(here: Path) -> None:
    make("a", "b")
    first, second = OpenedFiles(), OpenedFiles()
    first.start()
    open("a").close()
    second.start()
    open("a").close()
    second.stop()
    open("b").close()
    first.stop()
    assert (names(first, here), names(second, here)) == (["a", "b"], ["a"])


def test_forked_and_killed(opened: OpenedFiles, here: Path) -> None:
    make("parent", "child", "later")
    opened.start()
    open("parent").close()
    if not (child := os.fork()):
        open("child").close()
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    assert names(opened, here) == ["child", "parent"]
    open("later").close()
    assert names(opened, here) == ["child", "later", "parent"]


def test_a_forked_process_sees_its_own(opened: OpenedFiles, here: Path) -> None:
    make("before", "mine", "sibling")
    opened.start()
    open("before").close()
    readable, writable = os.pipe()
    if not (child := os.fork()):
        os.read(readable, 1)
        open("mine").close()
        os._exit(0 if names(opened, here) == ["before", "mine"] else 1)
    open("sibling").close()
    os.write(writable, b"x")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert names(opened, here) == ["before", "mine", "sibling"]


def _open(name: str) -> None:
    open(name).close()


def test_started_processes(
    opened: OpenedFiles, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make("a", "b", "site/other.py")
    Path("site/other.py").write_text("")
    Path("site/sitecustomize.py").write_text("import builtins; builtins.of_user = 1")
    monkeypatch.setenv("PYTHONPATH", str(here / "site"))
    opened.start()
    code = "of_user; import other, sys; open('a').close(); assert 'started' not in str(sys.path)"
    subprocess.run(["sh", "-c", f'{sys.executable} -c "{code}"; true'], check=True)
    context = multiprocessing.get_context("spawn")
    worker = context.Process(target=_open, args=("b",))
    worker.start()
    worker.join()
    assert names(opened, here) == ["a", "b"]


def test_a_closed_descriptor(opened: OpenedFiles, here: Path) -> None:
    make("a", "b")
    opened.start()
    if not (child := os.fork()):
        os.closerange(3, 200)
        other = os.open("b", os.O_RDWR)
        for fd in range(3, 200):
            if fd != other:
                os.dup2(other, fd)
        open("a").close()
        os._exit(0)
    os.waitpid(child, 0)
    assert Path("b").read_text() == "b"
    assert names(opened, here) == ["a", "b"]


def test_threads(opened: OpenedFiles, here: Path) -> None:
    files = [f"f{i:03}" for i in range(200)]
    make(*files)
    opened.start()
    threads = [threading.Thread(target=lambda k=k: [*map(_open, files[k::4])]) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert names(opened, here) == files


def test_trouble_stays_inside(
    opened: OpenedFiles, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make("a")
    opened.start()
    monkeypatch.setattr(open_events.Recorder, "write", lambda *_: 1 / 0)
    assert Path("a").read_text() == "a"
    with pytest.raises(ValueError, match="null byte"):
        Path("a\0b").read_text()


def test_sqlite(opened: OpenedFiles, here: Path) -> None:
    with sqlite3.connect("a.db") as made:
        made.execute("create table t (x)")
    made.close()
    opened.start()
    sqlite3.connect(f"file:{here}/a.db?mode=ro", uri=True).close()
    sqlite3.connect(":memory:").close()
    sqlite3.connect(pathlib.Path("new.db")).close()
    assert names(opened, here) == ["a.db"]


def test_a_pattern_counts_by_its_matches(opened: OpenedFiles, here: Path) -> None:
    """A file that a loader's pattern does not match is none that it read."""
    make("batch1.h5", "batch2.h5", "notes.txt")
    opened.start()
    assert len(glob.glob("batch*.h5")) == 2
    assert len(glob.glob(str(here / "**" / "*.txt"), recursive=True)) == 1
    opened.stop()
    memory = HashMemory(here / "memory")
    reads = opened.reads(memory)
    patterns = [str(here / "**" / "*.txt"), str(here / "batch*.h5")]
    assert [(r.path, r.kind) for r in reads] == list(zip(patterns, ["glob**", "glob"], strict=True))
    make("more.md")
    assert memory.changed(reads) is None
    make("batch3.h5")
    assert memory.changed(reads) == reads[1]
    os.unlink("batch3.h5")
    os.unlink("notes.txt")
    assert memory.changed(reads) == reads[0]


def test_a_process_that_is_recorded_records_too(opened: OpenedFiles, here: Path) -> None:
    """A definition may start dlutil itself: both see what it reads, C libraries included."""
    code = (
        "import sys; from pathlib import Path\n"
        "from dlutil_core.definition.opened_files import OpenedFiles\n"
        "from dlutil_core.common.hash_memory import HashMemory\n"
        "inner = OpenedFiles(); inner.start()\n"
        "import h5py, numpy\n"
        "h5py.File('a.h5', 'r').close()\n"
        "print([r.path for r in inner.reads(HashMemory(Path('memory')))])\n"
    )
    import h5py

    h5py.File("a.h5", "w").close()
    opened.start()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str([str(here / "a.h5")])
    assert names(opened, here) == ["a.h5"]


def test_looking_for_packages_is_no_listing(
    opened: OpenedFiles, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Libraries ask for versions, which lists every folder of `sys.path`, the definition's too."""
    monkeypatch.syspath_prepend(str(here))
    opened.start()
    assert list(importlib.metadata.distributions())
    assert list(pkgutil.iter_modules([str(here)])) == []
    assert importlib.util.find_spec("no_such_module") is None
    assert names(opened, here, FOLDER) == []
