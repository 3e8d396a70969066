"""What the trials of memos read: sets of reads, each kept once under the hash of what it holds.

A memo is valid while all that its trial read is what it was, which is found without running it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path

from dlutil_core.common.errors import UserError
from dlutil_core.common.files import read_json, write_text
from dlutil_core.common.hashes import sha256_text
from dlutil_core.common.identity import Places
from dlutil_core.common.reads import Read
from dlutil_core.job.loaded_run import LoadedRun


class TrialReads:
    """Sets of reads of a run's trials, in the folder of their memos.

    Parameters
    ----------
    loaded
        The run; what it has found out about a set holds for its process.
    """

    def __init__(self, loaded: LoadedRun) -> None:
        spec = loaded.spec
        self.loaded = loaded
        self.folder = Path(spec.trials_dir)
        home = os.path.dirname(spec.definition) or "."
        self.places = Places(spec.result or spec.trials_dir, spec.data_dir, home)

    def keep(self, before: str) -> str:
        """Keep what this process read, with the set of this name before; the new set's name.

        Raises
        ------
        UserError
            Something was changed while it was read.
        """
        found = {(r.kind, r.path): r for r in self.get(before) or ()}
        found |= {(r.kind, r.path): r for r in self.loaded.reads()}
        return self._keep(sorted(found.values()))

    def get(self, name: str) -> tuple[Read, ...] | None:
        """The reads of a set, with absolute paths; `None` where it is absent or damaged."""
        path = self._path(name)
        try:
            content = read_json(path)
            text = json.dumps(content)
            if sha256_text(text) != name:
                return None
            return tuple(Read(self.places.path(p), kind, sha) for kind, p, sha in content)
        except (UserError, OSError, TypeError, ValueError):
            return None

    def are_current(self, name: str) -> bool:
        """Whether all of a set is what it was; looked at once a process."""
        verdicts = self.loaded.verdicts
        if name not in verdicts:
            reads = self.get(name)
            verdicts[name] = reads is not None and self.loaded.memory.changed(reads) is None
        return verdicts[name]

    def _keep(self, reads: Iterable[Read]) -> str:
        content = [[r.kind, self.places.named(r.path), r.sha256] for r in reads]
        text = json.dumps(content)
        name = sha256_text(text)
        path = self._path(name)
        if not path.is_file():
            write_text(path, text)
        self.loaded.verdicts[name] = True
        return name

    def _path(self, name: str) -> Path:
        return self.folder / f"reads-{name[:16]}.json"
