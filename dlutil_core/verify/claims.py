"""What a result folder says of itself: its manifest, its identities, the config of its run.

Everything is only read; what does not fit together is told as a sentence.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from dlutil_core.common import result_folder
from dlutil_core.common.errors import UserError
from dlutil_core.common.hashes import read_manifest, sha256_file
from dlutil_core.common.identity import Identity, identity_path
from dlutil_core.common.run_lock import is_held
from dlutil_core.search.plan import Plan
from dlutil_core.trained.run_note import noted_config


class Claims:
    """A finished result folder, as it is.

    Parameters
    ----------
    result
        The result folder, or a copy of one.

    Raises
    ------
    UserError
        It is no finished result, or a run works on it.
    """

    def __init__(self, result: Path) -> None:
        self.result = result
        if not (result / result_folder.MANIFEST).is_file():
            raise UserError(
                f"{result}: there is no {result_folder.MANIFEST} in it, so it holds no finished "
                "result; give the result folder of a run that has ended"
            )
        if is_held(result):
            raise UserError(f"{result}: a run works on it; wait until it has ended")

    @cached_property
    def manifest(self) -> dict[str, str]:
        """Hashes of the result files, by name."""
        return read_manifest(self.result / result_folder.MANIFEST)

    def identity(self, step: str) -> Identity | None:
        """What a step left; `None` where there is none, or not what was written."""
        return Identity.read(identity_path(self.result, step))

    @cached_property
    def config(self) -> dict[str, Any]:
        """The config of the run that worked here last; values of `env` are left to the environment.

        Raises
        ------
        UserError
            It is not known, or its run had no search of its own.
        """
        found = noted_config(self.result)
        if found is None:
            raise UserError(
                f"{self.result / result_folder.RUN_NOTE}: holds no config of a run; run the same "
                "command again, which makes nothing anew, and verify then"
            )
        if found["search"]["method"] == "existing":
            raise UserError(
                f"{self.result}: the run that worked here last took the search as it was "
                "(search.method: existing); run the search's own config again, which makes "
                "nothing anew, and verify then"
            )
        return found | {"env": dict.fromkeys(found["env"])}

    @cached_property
    def plan(self) -> Plan:
        """The plan of the search, with its trials."""
        return Plan.read(self.result / result_folder.PLAN)

    @property
    def trials(self) -> Path | None:
        """The folder of the trials' memos; `None` where it was removed."""
        folder = self.result / result_folder.TRIALS
        return folder if any(folder.glob("[0-9]*/config.json")) else None

    def differences(self, steps: Iterable[str]) -> Iterator[str]:
        """What of the manifest and of these steps' identities does not hold."""
        for name, sha256 in self.manifest.items():
            path = self.result / name
            if not path.is_file():
                yield f"{name}: stands in {result_folder.MANIFEST}, but there is no such file"
            elif sha256_file(path) != sha256:
                yield f"{name}: is not the file that {result_folder.MANIFEST} tells the hash of"
        for step in steps:
            told = result_folder.identity(step)
            identity = self.identity(step)
            if identity is None:
                yield f"{told}: is absent, or not what the step wrote"
                continue
            for name, told_hash in {**identity.inputs, **identity.outputs}.items():
                listed = self.manifest.get(name)
                if listed is not None and listed != told_hash:
                    yield f"{told}: tells another hash of {name} than {result_folder.MANIFEST}"
