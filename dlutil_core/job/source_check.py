"""That `def.py` stays what the run began with, from its execution until results are kept."""

from __future__ import annotations

import os
from pathlib import Path

from dlutil_core.common.errors import UserError
from dlutil_core.common.hash_memory import Signature, signature
from dlutil_core.fingerprint.analysis import analyse
from dlutil_core.job.run_spec import RunSpec


class SourceCheck:
    """The files of a definition, watched.

    Parameters
    ----------
    spec
        The run; without a fingerprint in it, whatever the file holds at first is taken for it.

    Raises
    ------
    UserError
        The definition is not the one that the run began with.
    """

    def __init__(self, spec: RunSpec) -> None:
        self.spec = spec
        self.files: dict[str, Signature | None] = {}
        self.fingerprint = self._look()
        if spec.fingerprint and self.fingerprint != spec.fingerprint:
            raise self._edited()

    def check(self) -> None:
        """Refuse a definition that was edited meanwhile, unless what the stage reaches is equal."""
        if all(signature(path) == before for path, before in self.files.items()):
            return
        try:
            now = self._look()
        except UserError:
            raise self._edited() from None
        if now != self.fingerprint:
            raise self._edited()

    def _look(self) -> str:
        """The fingerprint; the files' signatures are from before it was taken."""
        path = self.spec.definition
        places = [p for p in os.environ.get("PYTHONPATH", "").split(os.pathsep) if p]
        before = signature(path)
        known = {p: signature(p) for p in self.files}
        found = analyse(path, places)
        files = [str(Path(path).resolve()), *map(str, found.local_files)]
        self.files = {p: known.get(p, signature(p)) for p in files}
        self.files[path] = before
        return found.fingerprints[self.spec.stage]

    def _edited(self) -> UserError:
        return UserError(
            f"{self.spec.definition}: was edited while the run went on, so nothing that was made "
            "meanwhile is kept; run the same command again"
        )
