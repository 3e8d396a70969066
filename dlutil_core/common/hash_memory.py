"""Content hashes of files, remembered while the file stays what it was.

A hash is remembered under the real path with size, times of change and inode: an unchanged file
costs a stat. A file that was written in the last seconds is hashed again next time, since a second
change may leave the same times. (A write through an open memory map changes no time until it is
flushed; nobody can see it.)
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from dlutil_core.common.errors import UserError
from dlutil_core.common.logs import log
from dlutil_core.common.reads import FILE, FOLDER, GLOB, RECURSIVE_GLOB, Read

Signature = tuple[int, int, int, int]
"""Size, time of the last change of content and of anything (ns), inode."""

SETTLED_NS = 2 * 10**9
"""A file whose times are younger than this when it is hashed may change again unseen."""

BLOCK = 2**22
TOLD_BYTES = 2**30
"""Files of at least this size get a line while they are hashed."""

CHEAP_BYTES, CHEAP_FILES = 2**20, 64
"""So much is sooner hashed than looked up: most jobs never open the memory, whatever it holds."""

KEPT = 100_000
"""Hashes that are remembered at most; the oldest are forgotten."""


def signature(path: str | os.PathLike[str]) -> Signature | None:
    """What is compared to tell whether a file may have changed; `None` where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino


def hashed_names(folder: str | os.PathLike[str]) -> str:
    """Hash of the names in a folder."""
    names = sorted(os.fsencode(name) for name in os.listdir(folder))
    return hashlib.sha256(b"".join(name + b"\n" for name in names)).hexdigest()


def hashed_matches(pattern: str, recursive: bool) -> str:
    """Hash of the paths that match a pattern, from the folder that it names on; that may move."""
    home = os.path.dirname(pattern)
    while glob.has_magic(home):
        home = os.path.dirname(home)
    found = glob.glob(pattern, recursive=recursive)
    names = sorted(os.fsencode(os.path.relpath(name, home or ".")) for name in found)
    return hashlib.sha256(b"".join(name + b"\n" for name in names)).hexdigest()


def memory_file() -> Path:
    """Where a user's hashes are remembered: `$XDG_CACHE_HOME/dlutil/hashes.json`."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(base, "dlutil", "hashes.json")


class HashMemory:
    """Hashes of files, as they are now.

    Parameters
    ----------
    path
        The file that remembers; the user's own unless given. One that cannot be read or written
        only costs time.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or memory_file()
        self._known: dict[str, list[int | str]] | None = None
        self._new: dict[str, list[int | str]] = {}
        self._cheap: dict[str, list[int | str]] = {}
        self._cheap_bytes = 0

    def file(self, path: str | os.PathLike[str]) -> str | None:
        """Hexadecimal SHA-256 of a file's bytes; `None` where there is no such file."""
        now = signature(path)
        if now is None or not os.path.isfile(path):
            return None
        real = os.path.realpath(path)
        cheap = self._is_cheap(real, now[0])
        held = self._new.get(real) or self._cheap.get(real)
        if held is None and not cheap:
            held = self._remembered().get(real)
        if held is not None and held[:4] == list(now):
            return str(held[4])
        found = _hashed(path, now[0])
        after = signature(path)
        if after == now and time.time_ns() - max(now[1], now[2]) > SETTLED_NS:
            (self._cheap if cheap else self._new)[real] = [*now, found]
        return found

    def _is_cheap(self, real: str, size: int) -> bool:
        """Whether a file is one of the few small ones that are hashed without the memory."""
        if real in self._cheap:
            return True
        if self._known is not None or len(self._cheap) >= CHEAP_FILES:
            return False
        self._cheap_bytes += size
        return self._cheap_bytes <= CHEAP_BYTES

    def read(self, kind: str, path: str) -> str | None:
        """What a `Read` of this kind and path would hold now; `None` where it would be none."""
        if kind == FILE:
            return self.file(path)
        if kind == FOLDER:
            return hashed_names(path) if os.path.isdir(path) else None
        if kind in (GLOB, RECURSIVE_GLOB):
            return hashed_matches(path, kind == RECURSIVE_GLOB)
        return None if os.path.lexists(path) else ""

    def changed(self, reads: Iterable[Read]) -> Read | None:
        """The first of these that is not what it was; `None` where all are."""
        return next((r for r in reads if self.read(r.kind, r.path) != r.sha256), None)

    def save(self) -> None:
        """Remember what was hashed; merged with what other processes remembered meanwhile."""
        if not self._new:
            return
        known = _loaded(self.path)
        for real, entry in self._new.items():
            known.pop(real, None)
            known[real] = entry
        kept = dict(list(known.items())[-KEPT:])
        temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}.tmp")
        with suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_text(json.dumps(kept), encoding="utf-8")
            os.replace(temporary, self.path)
            self._known, self._new = known, {}

    def _remembered(self) -> dict[str, list[int | str]]:
        if self._known is None:
            self._known = _loaded(self.path)
        return self._known


def _loaded(path: Path) -> dict[str, list[int | str]]:
    """What a memory file holds; entries that are none are left out."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {k: v for k, v in found.items() if isinstance(v, list) and len(v) == 5}
    except (OSError, ValueError, AttributeError):
        return {}


def _hashed(path: str | os.PathLike[str], size: int) -> str:
    digest = hashlib.sha256()
    done, told = 0, time.monotonic()
    try:
        with open(path, "rb", buffering=0) as file:
            while block := file.read(BLOCK):
                digest.update(block)
                done += len(block)
                if size >= TOLD_BYTES and time.monotonic() - told > 2:
                    told = time.monotonic()
                    _tell(f"hashing {path}: {done / max(size, 1):.0%} of {size / 1e9:.1f} GB")
    except OSError as error:
        raise UserError(
            f"{path}: cannot be read ({error.strerror}); check its permissions"
        ) from error
    return digest.hexdigest()


def _tell(text: str) -> None:
    """Before a job's log is open, the terminal."""
    if log.handlers:
        log.info("%s", text)
    else:
        print(text, file=sys.stderr, flush=True)
