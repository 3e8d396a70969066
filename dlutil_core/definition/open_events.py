"""Notes what a process opens, lists and writes, as lines of a log that a tree of processes shares.

Python tells by audit events (PEP 578); what C libraries open is told by `c_libraries`; `recorder`
writes the lines. The three are also loaded, by their folder, in Python processes that a recorded
one starts: they import nothing but the standard library and each other.
"""

from __future__ import annotations

import glob
import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

from .recorder import CORE, INSTALLED, Recorder, open_log

__all__ = ["ENVIRONMENT", "INSTALLED", "STARTED", "Recorder", "join", "note", "record", "silence"]

ENVIRONMENT = "DLUTIL_READS"
STARTED = str(Path(__file__).resolve().parent / "started")
USED = tuple(CORE + room + os.sep for room in ("loaders", "model"))
"""What these rooms open is opened for the user."""

STDLIB = os.path.dirname(os.path.realpath(os.__file__)) + os.sep
STDLIB_FRAMES = (STDLIB, os.path.dirname(os.__file__) + os.sep, "<frozen ")
IMPORTING = (
    "<frozen importlib",
    *(home + name for home in STDLIB_FRAMES[:2] for name in ("importlib/", "linecache.py")),
    *(home + "pkgutil.py" for home in STDLIB_FRAMES[:2]),
)
"""What looks for modules and installed packages along `sys.path`, and for lines of code to show."""
CODE = (".py", ".pyc")

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
        address, parent, file = entry.split(";")
        try:
            fd = open_log(address, file)
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
    from . import c_libraries

    c_libraries.wrap_libraries(note, Recorder)


def _publish() -> None:
    """Say in the environment what started processes are to record."""
    others = [p for p in os.environ.get("PYTHONPATH", "").split(os.pathsep) if p and p != STARTED]
    if active:
        os.environ[ENVIRONMENT] = "|".join(f"{r.address};{r.process};{r.file}" for r in active)
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
        if code and name.startswith(IMPORTING):
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
        note(Recorder.wrote if made else Recorder.opened_to_change, path)
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
    "os.truncate": lambda a: note(Recorder.opened_to_change, a[0]),
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
