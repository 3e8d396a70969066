"""Finds what the user's code reads, so that nobody has to name it.

Seen: what Python opens and lists, in this process and in the Python processes that it forks or
starts, and what the libraries of `c_libraries` open. Not seen: programs in other languages,
Python started with `-I`, `-S` or `-E` or with an environment without `PYTHONPATH`, `os.stat`, and
`os.open` with `dir_fd`.
"""

from __future__ import annotations

import glob
import os
import sys
import tempfile
import time
import weakref
from collections.abc import Iterable
from operator import attrgetter
from typing import Any

from dlutil_core.common.errors import UserError
from dlutil_core.common.hash_memory import HashMemory, memory_file, signature
from dlutil_core.common.reads import ABSENT, FILE, FOLDER, GLOB, RECURSIVE_GLOB, Read
from dlutil_core.definition import open_events
from dlutil_core.definition.read_log import Opened, ReadLog

CACHES = ("matplotlib", "fontconfig", "torch/kernels", "torch_extensions")
"""Folders of a user's cache in which libraries keep what they have made."""


class OpenedFiles:
    """Records what this process, and the processes that it forks or starts, read from now on.

    Parameters
    ----------
    ignored
        Folders and files whose reads are never recorded; compared by their real paths.
    data
        Folders whose files are data even where the code has changed them after reading.
    """

    def __init__(
        self,
        ignored: Iterable[str | os.PathLike[str]] = (),
        data: Iterable[str | os.PathLike[str]] = (),
    ) -> None:
        self._fd = _log_file()
        weakref.finalize(self, _end, self._fd, os.getpid())
        self._recorder: open_events.Recorder | None = None
        self._log: ReadLog | None = None
        self._end: int | None = None
        self._ignored = _folders([*ignored, memory_file().parent, *_caches()])
        self._data = _folders(data)
        self._kept: dict[str, bool] = {}
        self._hashes: dict[str, tuple[Any, Read]] = {}

    def start(self) -> None:
        """Record, here and in processes forked or started from now on."""
        if self._recorder is None:
            address = f"/proc/{os.getpid()}/fd/{self._fd}"
            self._recorder = open_events.Recorder(self._fd, address, "")
            self._log = ReadLog(self._recorder.process)
        self._end = None
        open_events.record(self._recorder)

    def stop(self) -> None:
        """What is read after this is not recorded; in workers that still run neither."""
        if self._recorder is not None and self._end is None:
            open_events.silence(self._recorder)
            self._end = os.fstat(self._fd).st_size

    def reads(self, memory: HashMemory) -> list[Read]:
        """Everything read so far by this process and its children.

        Parameters
        ----------
        memory
            Hashes the files.

        Returns
        -------
        Sorted; each path once. A file that the code itself has changed after reading is its
        product, and left out; one of the data, or that a library such as h5py alone has opened to
        change it, is there with what it holds now.

        Raises
        ------
        UserError
            Something else changed a file, a folder's names, or made what was absent.
        """
        if self._recorder is None or self._log is None:
            return []
        self._log.advance(self._fd, self._recorder.process, self._end)
        kept = [path for path in self._log.opened if self._keeps(path)]
        # Asked after every epoch: all modules are looked through where it may matter alone.
        modules = _imported_sources() if any(path.endswith(".py") for path in kept) else set()
        found = [
            read
            for path in kept
            if path not in modules
            for read in self._read(path, self._log.opened[path], memory)
        ]
        found += [
            self._matches(pattern, recursive, before, memory)
            for (pattern, recursive), before in self._log.matched.items()
            if self._keeps(pattern)
        ]
        return sorted(found, key=attrgetter("path", "kind"))

    def _matches(self, pattern: str, recursive: bool, before: set[str], memory: HashMemory) -> Read:
        """A pattern with its matches as they are now, if only the code itself has changed them."""
        assert self._log is not None
        now = set(glob.glob(pattern, recursive=recursive))
        if any(not self._log.is_own(path) for path in now ^ before):
            raise _changed(pattern)
        kind = RECURSIVE_GLOB if recursive else GLOB
        return Read(pattern, kind, str(memory.read(kind, pattern)))

    def _keeps(self, path: str) -> bool:
        """Whether reads of this path are of interest; asked once a path."""
        kept = self._kept.get(path)
        if kept is None:
            kept = self._kept[path] = self._is_kept(path)
        return kept

    def _is_kept(self, path: str) -> bool:
        parts = path.split(os.sep)
        if ".snakemake" in parts or "__pycache__" in parts or path.endswith(".pyc"):
            return False
        real = os.path.realpath(path) + os.sep
        return not real.startswith((*self._ignored, *open_events.INSTALLED))

    def _is_data(self, path: str) -> bool:
        return os.path.realpath(path).startswith(self._data) if self._data else False

    def _read(self, path: str, opened: Opened, memory: HashMemory) -> list[Read]:
        now = signature(path)
        if opened.listed:
            return self._listing(path, opened, memory)
        if opened.signature is None:
            if now is None:
                return [Read(path, ABSENT)]
            if opened.changed or opened.own:
                return []
            raise _changed(path)
        if now is None or (now != opened.signature and not opened.changed):
            raise _changed(path)
        if now != opened.signature and opened.rewritten and not self._is_data(path):
            return []
        held = self._hashes.get(path)
        if held is not None and held[0] == now:
            return [held[1]]
        settled = time.time_ns() - max(now[1], now[2]) > 2 * 10**9
        sha256 = memory.file(path)
        if sha256 is None or (signature(path) != now and not opened.changed):
            raise _changed(path)
        read = Read(path, FILE, sha256)
        if settled:
            self._hashes[path] = now, read
        return [read]

    def _listing(self, path: str, opened: Opened, memory: HashMemory) -> list[Read]:
        """The names as they are now, if only the code itself has changed them."""
        if not os.path.isdir(path):
            if opened.names is None:
                return [Read(path, ABSENT)] if not os.path.lexists(path) else []
            raise _changed(path)
        if opened.names is None:
            if opened.own:
                return []
            raise _changed(path)
        now = str(memory.read(FOLDER, path))
        if opened.names not in (now, opened.names_before(path)):
            raise _changed(path)
        return [Read(path, FOLDER, now)]


def _log_file() -> int:
    """A descriptor of a new file that is gone with the processes that have it."""
    fd = os.memfd_create("dlutil-reads") if hasattr(os, "memfd_create") else _unlinked_file()
    mine = os.open(f"/proc/self/fd/{fd}", os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
    os.close(fd)
    return mine


def _unlinked_file() -> int:
    fd, path = tempfile.mkstemp(prefix="dlutil-reads-")
    os.unlink(path)
    return fd


def _end(fd: int, process: int) -> None:
    """Nobody asks any more what was read: whoever recorded into this file records no more."""
    open_events.silence_all(fd)
    if os.getpid() == process:
        os.close(fd)


def _changed(path: str) -> UserError:
    return UserError(f"{path} was changed while it was read; run the same command again")


def _folders(paths: Iterable[str | os.PathLike[str]]) -> tuple[str, ...]:
    return tuple(os.path.realpath(path) + os.sep for path in paths)


def _caches() -> list[str]:
    """What libraries keep for themselves: compiled kernels, lists of fonts."""
    home = os.path.expanduser("~")
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.join(home, ".cache")
    found = [os.path.join(cache, name) for name in CACHES]
    found += [p for name in ("MPLCONFIGDIR", "TORCHINDUCTOR_CACHE_DIR") if (p := os.getenv(name))]
    found += [os.path.join(home, name) for name in (".triton", ".nv", ".config/matplotlib")]
    inductor = f"torchinductor_{os.getenv('USER', 'root')}"
    return [*found, os.path.join(tempfile.gettempdir(), inductor)]


def _imported_sources() -> set[str]:
    """Sources of modules: the definition's are part of its fingerprint."""
    names = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
    return {os.path.abspath(name) for name in names if isinstance(name, str) and name[-3:] == ".py"}
