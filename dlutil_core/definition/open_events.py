"""Notes what a process opens, lists and writes, as lines of a log that a tree of processes shares.

Python tells by audit events (PEP 578); what C libraries open is told by `c_libraries`. A line is
one `write` to a descriptor opened with O_APPEND, so that workers may be killed at any moment. The
log is a file in memory: nothing stays behind. This module is also loaded by its path in Python
processes that a recorded one starts, so it imports nothing but the standard library.

A line is a JSON list: kind, process, path and, by kind,

| kind | what happened | more |
| --- | --- | --- |
| `p` | a process began | instead of the path: its parent; the log's length before a fork |
| `r` | a file was opened to be read | its signature; none: it was not there |
| `w` | a file was made or emptied | whether it was there before |
| `c` | a file that was there was opened to be changed | |
| `l` | a folder was listed | hash of the names; none: it was not there |
| `b` | a pattern's matches were asked for | whether `**` crosses folders, and the matches |
| `m` | a folder was made | |
| `n` | a link was made | |
| `g` | a file or folder was removed, or renamed away | |
"""

from __future__ import annotations

import glob
import hashlib
import importlib.util
import json
import os
import stat
import sys
import sysconfig
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

ENVIRONMENT = "DLUTIL_READS"
STARTED = str(Path(__file__).resolve().parent / "started")
CORE = str(Path(__file__).resolve().parents[1]) + os.sep
USED = tuple(CORE + room + os.sep for room in ("loaders", "model"))
"""What these rooms open is opened for the user."""

STDLIB = os.path.dirname(os.path.realpath(os.__file__)) + os.sep
STDLIB_FRAMES = (STDLIB, os.path.dirname(os.__file__) + os.sep, "<frozen ")
CODE = (".py", ".pyc")


def _installed_folders() -> tuple[str, ...]:
    """Folders of installed packages and of the system: what is read there is no read of data."""
    names = ("stdlib", "platstdlib", "purelib", "platlib", "scripts", "include")
    found = {sysconfig.get_path(name) for name in names}
    for prefix in (sys.prefix, sys.exec_prefix, sys.base_prefix):
        # A system's own prefix may hold data; an environment's does not.
        if prefix not in ("/usr", "/usr/local", "/"):
            found.add(prefix)
    system = ("/proc", "/sys", "/dev", "/etc", "/lib", "/lib64", "/usr/lib", "/usr/lib64")
    found |= {*system, "/usr/share/zoneinfo", "/usr/share/fonts", "/usr/share/locale", CORE}
    both = {form for f in found if f for form in (os.path.abspath(f), os.path.realpath(f))}
    return tuple(sorted(f + os.sep for f in both))


INSTALLED = _installed_folders()


def _new_name() -> str:
    """Of this process; the system may give its number to a later one."""
    return f"{os.getpid():x}.{time.time_ns():x}"


class Recorder:
    """One process's end of a log."""

    def __init__(self, fd: int, address: str, parent: str) -> None:
        self.fd, self.address, self.parent = fd, address, parent
        self.process = _new_name()
        self.seen: set[Any] = set()
        self.links: dict[str, str] = {}
        found = os.fstat(fd)
        self.file = (found.st_dev, found.st_ino)
        self.write("p", parent, 0)
        self.length = 0

    def forking(self) -> None:
        """Before a fork: remember how long the log is, for the child."""
        self.length = os.fstat(self.fd).st_size

    def forked(self) -> None:
        """In the child of a fork: go on under a name of its own."""
        self.parent, self.process = self.process, _new_name()
        self.write("p", self.parent, self.length)

    def write(self, kind: str, path: str, *more: Any) -> None:
        """Append one line."""
        line = json.dumps([kind, self.process, path, *more]) + "\n"
        try:
            found = os.fstat(self.fd)
            mine = (found.st_dev, found.st_ino) == self.file
        except OSError:
            mine = False
        if not mine:  # The code closed the descriptor, or has made it another file's.
            self.fd = os.open(self.address, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        os.write(self.fd, line.encode())

    def once(self, kind: str, path: str, *more: Any) -> None:
        """Append a line that this process has not written yet."""
        key = (kind, path, *more)
        if key not in self.seen:
            self.seen.add(key)
            self.write(kind, path, *more)

    def origin(self, path: str) -> str:
        """What a path stands for that goes through a link which the code itself made."""
        for link, target in self.links.items():
            if path == link or path.startswith(link + os.sep):
                return self.origin(target + path[len(link) :])
        return path

    def read(self, path: str) -> bool:
        """A file is opened to be read; says whether it was there."""
        path = self.origin(path)
        if path.startswith(INSTALLED):
            return True
        try:
            found = os.stat(path)
        except OSError:
            self.once("r", path, None)
            return False
        if stat.S_ISREG(found.st_mode) and ("r", path) not in self.seen:
            self.seen.add(("r", path))
            signature = [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]
            self.write("r", path, signature)
        return True

    def wrote(self, path: str) -> None:
        """A file is made or emptied."""
        if not path.startswith(INSTALLED):
            self.once("w", path, os.path.lexists(path))

    def changed(self, path: str) -> None:
        """A file is opened to be changed, and made where it is not there."""
        if path.startswith(INSTALLED):
            return
        if os.path.lexists(path):
            self.once("c", path)
        else:
            self.once("w", path, False)

    def listed(self, path: str) -> None:
        """The names of a folder are asked for."""
        path = self.origin(path)
        if path.startswith(INSTALLED) or ("l", path) in self.seen:
            return
        try:
            names = sorted(os.fsencode(name) for name in os.listdir(path))
        except OSError:
            self.once("l", path, None)
            return
        self.seen.add(("l", path))
        self.write("l", path, hashlib.sha256(b"".join(n + b"\n" for n in names)).hexdigest())

    def matched(self, pattern: str, recursive: bool) -> None:
        """The paths that match a pattern are asked for: these count, not all names beside them."""
        if pattern.startswith(INSTALLED) or ("b", pattern, recursive) in self.seen:
            return
        self.seen.add(("b", pattern, recursive))
        self.write("b", pattern, recursive, sorted(glob.glob(pattern, recursive=recursive)))

    def made_folder(self, path: str) -> None:
        """A folder is made."""
        if not os.path.lexists(path):
            self.once("m", path)

    def removed(self, path: str) -> None:
        """A file or folder goes away."""
        if not path.startswith(INSTALLED):
            self.once("g", path)

    def linked(self, target: str, path: str) -> None:
        """A link is made, symbolic or hard."""
        if not os.path.lexists(path):
            self.links[path] = target
            self.once("n", path)


active: tuple[Recorder, ...] = ()
_known: set[tuple[Any, int]] = set()  # Opens that all who are active have seen.
_thread = threading.local()
_hooked = False


def record(recorder: Recorder) -> None:
    """From now on, and in the processes that this one starts."""
    global active, _hooked
    if recorder not in active:
        active += (recorder,)
        _known.clear()
    _publish()
    if not _hooked:
        _hooked = True
        os.register_at_fork(before=_before_fork, after_in_child=_after_fork)
        sys.addaudithook(_hook)
        _wrap_libraries()


def silence(recorder: Recorder) -> None:
    """Record nothing more."""
    global active
    active = tuple(r for r in active if r is not recorder)
    _publish()


def silence_all(fd: int) -> None:
    """Record nothing more into this file."""
    global active
    active = tuple(r for r in active if r.fd != fd)
    _publish()


def join(text: str) -> None:
    """In a started process: record for those that `ENVIRONMENT` names."""
    for entry in text.split("|"):
        address, _, parent = entry.partition(";")
        try:
            fd = os.open(address, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        except OSError:
            continue
        record(Recorder(fd, address, parent))


def note(act: Callable[[Recorder, str], Any], path: Any, folder_fd: int = -1) -> None:
    """Tell each recorder that `path` was `act`ed on; never raises."""
    if not active or getattr(_thread, "busy", False):
        return
    _thread.busy = True
    try:
        where = absolute(path, folder_fd)
        if where is not None:
            for recorder in active:
                act(recorder, where)
    except Exception:
        return
    finally:
        _thread.busy = False


def absolute(path: Any, folder_fd: int = -1) -> str | None:
    """An absolute path, links not followed, of text, bytes, a path or a descriptor."""
    if path is None:
        path = "."
    if isinstance(path, int):
        return os.readlink(f"/proc/self/fd/{path}")
    name = os.fsdecode(path)
    if folder_fd >= 0 and not os.path.isabs(name):
        name = os.path.join(os.readlink(f"/proc/self/fd/{folder_fd}"), name)
    return os.path.abspath(name) if name else None


def _wrap_libraries() -> None:
    """By its path, as this module may have been loaded, so that both are of one version."""
    spec = importlib.util.spec_from_file_location(
        "_dlutil_c_libraries", Path(__file__).with_name("c_libraries.py")
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.wrap_libraries(note, Recorder)


def _publish() -> None:
    """Say in the environment what started processes are to record."""
    others = [p for p in os.environ.get("PYTHONPATH", "").split(os.pathsep) if p and p != STARTED]
    if active:
        os.environ[ENVIRONMENT] = "|".join(f"{r.address};{r.process}" for r in active)
        os.environ["PYTHONPATH"] = os.pathsep.join([STARTED, *others])
    elif os.environ.pop(ENVIRONMENT, None) is not None:
        if others:
            os.environ["PYTHONPATH"] = os.pathsep.join(others)
        else:
            os.environ.pop("PYTHONPATH", None)


def _before_fork() -> None:
    for recorder in active:
        with suppress(Exception):
            recorder.forking()


def _after_fork() -> None:
    _thread.busy = False
    for recorder in active:
        with suppress(Exception):
            recorder.forked()
    if active:
        _publish()


def _is_of_user(frame: FrameType | None, code: bool) -> bool:
    """Whether a read is the user's: not the import system's, nor one of dlutil's own.

    `code`: what is read may be a module.
    """
    for _ in range(20):
        if frame is None:
            return True
        name = frame.f_code.co_filename
        if code and (name.startswith("<frozen importlib") or name.endswith("/linecache.py")):
            return False
        if not name.startswith(STDLIB_FRAMES) or "site-packages" in name:
            return not name.startswith(CORE) or name.startswith(USED)
        frame = frame.f_back
    return True


def _on_open(arguments: tuple[Any, ...]) -> None:
    path, mode, flags = arguments
    if (path, flags) in _known or isinstance(path, int):
        return
    if mode is None and not os.path.isabs(path) and not os.path.lexists(path):
        return  # `os.open` does not tell of its `dir_fd`: the path may be that of another folder.
    access = flags & os.O_ACCMODE
    made = flags & os.O_TRUNC or (flags & os.O_EXCL and flags & os.O_CREAT)
    if access != os.O_WRONLY and not made:
        code = os.fsdecode(path).endswith(CODE)
        if not _is_of_user(sys._getframe(2), code):
            return
        note(Recorder.read, path)
    if access != os.O_RDONLY and (made or flags & os.O_CREAT or os.path.lexists(path)):
        note(Recorder.wrote if made else Recorder.changed, path)
    if os.path.lexists(path):
        _known.add((path, flags))


def _on_glob(arguments: tuple[Any, ...]) -> None:
    pattern, recursive = arguments[:2]
    if _is_of_user(sys._getframe(2), False):
        note(lambda recorder, path: recorder.matched(path, bool(recursive)), pattern)


def _on_listing(arguments: tuple[Any, ...]) -> None:
    if sys._getframe(2).f_code.co_filename == glob.__file__:
        return  # of a pattern, which is noted as such
    if _is_of_user(sys._getframe(2), True):
        note(Recorder.listed, arguments[0])


def _on_rename(arguments: tuple[Any, ...]) -> None:
    source, target, source_fd, target_fd = arguments
    note(Recorder.wrote, target, target_fd)
    note(Recorder.removed, source, source_fd)


def _on_link(arguments: tuple[Any, ...]) -> None:
    source, target, source_fd, target_fd = arguments
    origin = absolute(source, source_fd)
    note(lambda recorder, path: recorder.linked(str(origin), path), target, target_fd)


def _on_symlink(arguments: tuple[Any, ...]) -> None:
    source, target, folder_fd = arguments
    note(
        lambda recorder, path: recorder.linked(
            os.path.abspath(os.path.join(os.path.dirname(path), os.fsdecode(source))), path
        ),
        target,
        folder_fd,
    )


def _on_sqlite(arguments: tuple[Any, ...]) -> None:
    from urllib.parse import unquote

    name = os.fsdecode(arguments[0])
    if name.startswith("file:"):
        name = unquote(name[5:].partition("?")[0])
    if name and name != ":memory:":
        note(_read_and_made, name)
        for ending in ("-wal", "-journal"):
            if os.path.exists(name + ending):
                note(Recorder.read, name + ending)


def _read_and_made(recorder: Recorder, path: str) -> None:
    recorder.read(path)
    recorder.changed(path)


_HANDLERS: dict[str, Callable[[tuple[Any, ...]], None]] = {
    "open": _on_open,
    "os.listdir": _on_listing,
    "os.scandir": _on_listing,
    "glob.glob": _on_glob,
    "os.rename": _on_rename,
    "os.remove": lambda a: note(Recorder.removed, a[0], a[1]),
    "os.rmdir": lambda a: note(Recorder.removed, a[0], a[1]),
    "os.mkdir": lambda a: note(Recorder.made_folder, a[0], a[2]),
    "os.link": _on_link,
    "os.symlink": _on_symlink,
    "os.truncate": lambda a: note(Recorder.changed, a[0]),
    "sqlite3.connect": _on_sqlite,
    "os.chdir": lambda a: _known.clear(),  # What was known by a relative path.
    "ctypes.dlopen": lambda a: note(Recorder.read, a[0]) if "/" in str(a[0]) else None,
    # Of compiled modules, which the analysis of sources does not see.
    "import": lambda a: note(Recorder.read, a[1]) if a[1] else None,
}


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    handler = _HANDLERS.get(event)
    if handler is None or not active or getattr(_thread, "busy", False):
        return
    try:
        handler(arguments)
    except Exception:
        return  # The user's code is never to see trouble in here.
