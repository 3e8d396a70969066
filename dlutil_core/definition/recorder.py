"""Writes what happens to files as lines of a log that a tree of processes shares.

A line is one `write` to a descriptor opened with O_APPEND, so that workers may be killed at any
moment. The log is a file in memory: nothing stays behind.

A line is a JSON list: kind, process, path and, by kind,

| kind | what happened | more |
| --- | --- | --- |
| `p` | a process began | instead of the path: its parent; the log's length before a fork |
| `r` | a file was opened to be read | its signature; none: it was not there |
| `w` | a file was made or emptied | whether it was there before |
| `c` | a library opened a file that was there to be changed, which alone changes its times | |
| `o` | Python opened a file that was there to be changed | |
| `l` | a folder was listed | hash of the names; none: it was not there |
| `b` | a pattern's matches were asked for | whether `**` crosses folders, and the matches |
| `m` | a folder was made | |
| `n` | a link was made | |
| `g` | a file or folder was removed, or renamed away | |
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import stat
import sys
import sysconfig
import time
from pathlib import Path
from typing import Any

CORE = str(Path(__file__).resolve().parents[1]) + os.sep
"""The folder of dlutil."""


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


def file_name(fd: int | str) -> str:
    """What tells a file from all others, as text, of a descriptor or a path."""
    found = os.stat(fd)
    return f"{found.st_dev}-{found.st_ino}"


def open_log(address: str, file: str) -> int:
    """A descriptor of a log, found by another process's descriptor.

    That process may have closed its own, and the number may be a pipe's or a data file's by now:
    to hold or fill a pipe would hang whoever reads it, so nothing else is ever opened.

    Raises
    ------
    OSError
        The address leads to another file than `file`, or to none.
    """
    if file_name(address) != file:
        raise FileNotFoundError(address)
    fd = os.open(address, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK)
    if file_name(fd) != file:
        os.close(fd)
        raise FileNotFoundError(address)
    return fd


class Recorder:
    """One process's end of a log."""

    def __init__(self, fd: int, address: str, parent: str) -> None:
        self.fd, self.address, self.parent = fd, address, parent
        self.process = _new_name()
        self.seen: set[Any] = set()
        self.links: dict[str, str] = {}
        self.file = file_name(fd)
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
            mine = file_name(self.fd) == self.file
        except OSError:
            mine = False
        if not mine:  # The code closed the descriptor, or has made it another file's.
            self.fd = open_log(self.address, self.file)
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

    def changed(self, path: str, kind: str = "c") -> None:
        """A library opens a file to change it, and makes it where it is not there."""
        if path.startswith(INSTALLED):
            return
        if os.path.lexists(path):
            self.once(kind, path)
        else:
            self.once("w", path, False)

    def opened_to_change(self, path: str) -> None:
        """Python opens a file to change it, and makes it where it is not there."""
        self.changed(path, "o")

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
