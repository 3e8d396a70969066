"""A step of the workflow in its job: done before or not, and what it leaves as its identity."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dlutil_core.common.errors import UserError
from dlutil_core.common.files import read_json
from dlutil_core.common.hash_memory import HashMemory
from dlutil_core.common.identity import Identity, Places, Present, identity_path
from dlutil_core.common.reads import Read


@dataclass(frozen=True)
class Request:
    """What a run wants of a step.

    Parameters
    ----------
    step
        Its name, that of its file below `identity/`.
    places
        The folders that names stand for.
    part
        What the results depend on beside files.
    inputs, outputs
        Names of the files that are needed and made.
    """

    step: str
    places: Places
    part: Mapping[str, Any]
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()

    def text(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def read(cls, path: Path) -> Request:
        """From the file that the run wrote."""
        if not path.is_file():
            raise UserError(
                "def.py, the config or dlutil itself changed since the run began, so this job does "
                "not know what is wanted of it; run the same command again"
            )
        found = read_json(path)
        return cls(
            found["step"],
            Places(**found["places"]),
            found["part"],
            tuple(found["inputs"]),
            tuple(found["outputs"]),
        )

    @property
    def path(self) -> Path:
        """Where the identity lies."""
        return identity_path(self.places.result, self.step)


class Step:
    """One step while its job runs.

    Parameters
    ----------
    request
        What is wanted.
    """

    def __init__(self, request: Request) -> None:
        self.request = request
        self.memory = HashMemory()
        self.before: dict[str, str | None] = {}

    def is_done(self) -> bool:
        """Whether what is wanted is there, undamaged."""
        request = self.request
        present = Present(request.places, self.memory)
        found = Identity.read(request.path)
        self.before = {name: present.file(name) for name in request.inputs}
        why = present.difference(found, request.part, request.inputs, request.outputs)
        return not why and present.damaged(found) is None

    def begin(self) -> None:
        """From now on the results are not what their identity says."""
        missing = next((name for name, sha256 in self.before.items() if sha256 is None), None)
        if missing is not None:
            path = self.request.places.shown(missing)
            raise UserError(f"{path}: there is no such file; check the path, or make it again")
        self.request.path.unlink(missing_ok=True)

    def check_inputs(self) -> None:
        """Refuse inputs that are not what they were when the job began."""
        now = Present(self.request.places, self.memory)
        for name, sha256 in self.before.items():
            if now.file(name) != sha256:
                raise UserError(
                    f"{self.request.places.shown(name)}: was changed while it was used, so nothing "
                    "that was made of it is kept; run the same command again"
                )

    def finish(self, reads: Iterable[Read] = (), further: Iterable[str | Path] = ()) -> None:
        """Write the identity, last of all.

        Parameters
        ----------
        reads
            What the step's code read, with absolute paths.
        further
            Files that were written beside the declared outputs.
        """
        self.check_inputs()
        request, places = self.request, self.request.places
        names = [*request.outputs, *(places.named(path) for path in further)]
        written = {name: self.memory.file(places.path(name)) for name in names}
        missing = next((name for name, sha256 in written.items() if sha256 is None), None)
        if missing is not None:
            raise UserError(f"{places.shown(missing)}: was not written; run the same command again")
        declared = set(self.before)
        named = (Read(places.named(r.path), r.kind, r.sha256) for r in reads)
        kept = tuple(sorted({r for r in named if r.path not in declared}))
        Identity(request.part, self.before, kept, written).write(request.path)
        self.memory.save()


@dataclass(frozen=True)
class Made:
    """What a step's code read, and what it wrote beside its declared outputs."""

    reads: tuple[Read, ...] = ()
    files: tuple[Path, ...] = ()
