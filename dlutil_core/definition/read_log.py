"""Makes of the log's lines what one process and its children have read.

The log is that of a whole tree: a forked process sees its own reads and those that came before its
fork, not its siblings' later ones. What the tree itself has written is its product, not data.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, field
from typing import Any

from dlutil_core.common.hash_memory import Signature


@dataclass
class Opened:
    """A path that was opened or listed.

    Parameters
    ----------
    signature
        Of the file when it was first opened; `None` where it was not there.
    listed
        Whether this is a listing, and `names` the hash of what it gave (`None`: no such folder).
    changed, own
        The code itself has changed it, or made it, after that.
    rewritten
        It was Python that opened it to be changed, or it was made anew.
    made, removed
        Names that the code has made in the folder, and removed from it, after that.
    """

    signature: Signature | None = None
    listed: bool = False
    names: str | None = None
    changed: bool = False
    own: bool = False
    rewritten: bool = False
    made: set[str] = field(default_factory=set)
    removed: set[str] = field(default_factory=set)

    def names_before(self, path: str) -> str:
        """Hash of a folder's names as they were before the code changed them."""
        names = (set(os.listdir(path)) - self.made) | self.removed
        lines = b"".join(name + b"\n" for name in sorted(os.fsencode(n) for n in names))
        return hashlib.sha256(lines).hexdigest()


class ReadLog:
    """The log as one process sees it, parsed as far as it has been asked for.

    Parameters
    ----------
    process
        The name under which the process writes its lines.
    """

    def __init__(self, process: str) -> None:
        self.opened: dict[str, Opened] = {}
        self.matched: dict[tuple[str, bool], set[str]] = {}
        self._family = {process}
        self._at = 0
        self._parents: dict[str, tuple[str, int]] = {}
        self._own: set[str] = set()
        self._own_folders: set[str] = set()

    def advance(self, fd: int, process: str, end: int | None) -> None:
        """Parse what has come to the log since, up to `end`; `process` is who asks now."""
        if end is None:
            end = os.fstat(fd).st_size
        text = os.pread(fd, max(0, end - self._at), self._at)
        text = text[: text.rfind(b"\n") + 1]
        lines = [(len(line), json.loads(line)) for line in text.splitlines(keepends=True)]
        for _, (kind, who, parent, *more) in lines:
            if kind == "p":
                self._parents[who] = parent, more[0]
        turns = self._turns(process)
        for length, line in lines:
            # From a fork on, what the parent and its other children read is not the child's.
            while turns and turns[-1][0] <= self._at:
                self._family = {turns.pop()[1]}
            self._take(line)
            self._at += length

    def is_own(self, path: str) -> bool:
        """Whether the code itself has made a file."""
        return path in self._own or self._is_in_own_folder(path)

    def _turns(self, process: str) -> list[tuple[int, str]]:
        """Where the process, and those that it comes from, were forked; the latest first."""
        found = []
        while process in self._parents and process not in self._family:
            parent, at = self._parents[process]
            found.append((at, process))
            process = parent
        return found

    def _take(self, line: list[Any]) -> None:
        kind, who, path, *more = line
        if kind == "p":
            if path in self._family:
                self._family.add(who)
        elif kind in "rl":
            if who in self._family:
                self._reads(kind, path, *more)
        elif kind == "b":
            if who in self._family:
                recursive, found = more
                self.matched.setdefault((path, recursive), set(found))
        else:
            self._writes(kind, path, *more)

    def _reads(self, kind: str, path: str, found: Any) -> None:
        if path in self._own or self._is_in_own_folder(path):
            return
        held = self.opened.get(path)
        signature = None if found is None or kind == "l" else tuple(found)
        if held is None or (held.signature is None and signature is not None):
            names = found if kind == "l" else None
            self.opened[path] = Opened(signature, kind == "l", names)
        elif kind == "l" and held.listed and held.names is None:
            held.names = found

    def _writes(self, kind: str, path: str, existed: bool = False) -> None:
        held = self.opened.get(path)
        if held is not None:
            held.changed = True
            held.own = held.own or kind in "wm"
            held.rewritten = held.rewritten or kind in "wo"
        if kind == "w":
            self._own.add(path)
        elif kind == "m":
            self._own_folders.add(path)
        self._names(kind, *os.path.split(path), existed)

    def _names(self, kind: str, folder: str, name: str, existed: bool) -> None:
        listing = self.opened.get(folder)
        if listing is None or not listing.listed:
            return
        if kind == "g":
            if name in listing.made:
                listing.made.discard(name)
            else:
                listing.removed.add(name)
        elif kind in "wmn" and not existed:
            if name in listing.removed:
                listing.removed.discard(name)
            else:
                listing.made.add(name)

    def _is_in_own_folder(self, path: str) -> bool:
        while self._own_folders and path != (parent := os.path.dirname(path)):
            if path in self._own_folders:
                return True
            path = parent
        return False
