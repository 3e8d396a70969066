"""What a step's results are: all that they depend on, and their own hashes.

Each step leaves `identity/<step>.json` in the result folder. It is no result itself (the manifest
does not hold it): it tells whether the results are the present ones, whatever the times of files or
the memory of Snakemake say.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dlutil_core.common.errors import UserError
from dlutil_core.common.files import read_json, write_json
from dlutil_core.common.hash_memory import HashMemory
from dlutil_core.common.reads import Read

DATA = "{data}/"
DEFINITION = "{definition}/"
"""How the names of files below these folders begin in an identity."""


@dataclass(frozen=True)
class Places:
    """Folders that an identity names by a word, so that they may be moved.

    Parameters
    ----------
    result, data, definition
        The result folder, the data folder, and the folder of `def.py`.
    """

    result: str
    data: str
    definition: str

    def named(self, path: str | os.PathLike[str]) -> str:
        """A path as an identity holds it: below the result folder as it is, else with a word."""
        full = os.path.abspath(path)
        for word, folder in (
            (DATA, self.data),
            ("", self.result),
            (DEFINITION, self.definition),
        ):
            start = os.path.abspath(folder).rstrip("/") + "/"
            if f"{full}/".startswith(start):
                return word + (full[len(start) :] or ".")
        return full

    def path(self, name: str) -> str:
        """Where a named path lies now, absolute."""
        for word, folder in ((DATA, self.data), (DEFINITION, self.definition)):
            if name.startswith(word):
                return os.path.abspath(os.path.join(folder, name[len(word) :]))
        return os.path.abspath(os.path.join(self.result, name))

    def shown(self, name: str) -> str:
        """A named path as the user would write it: with the folders that the config gives."""
        for word, folder in ((DATA, self.data), (DEFINITION, self.definition)):
            if name.startswith(word):
                return os.path.join(folder, name[len(word) :])
        return name if os.path.isabs(name) else os.path.join(self.result, name)


@dataclass(frozen=True)
class Identity:
    """The content of `identity/<step>.json`.

    Parameters
    ----------
    part
        What the results depend on beside files: its part of the config, fingerprints, versions.
    inputs
        Hashes of the files that the step is known to need, by name.
    reads
        What else its code read, paths named.
    outputs
        Hashes of what the step wrote, by name.
    """

    part: Mapping[str, Any]
    inputs: Mapping[str, str | None] = field(default_factory=dict)
    reads: tuple[Read, ...] = ()
    outputs: Mapping[str, str | None] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Write it, atomically."""
        reads = [[read.kind, read.path, read.sha256] for read in self.reads]
        content = {"part": self.part, "inputs": self.inputs, "reads": reads}
        write_json(path, content | {"outputs": self.outputs})

    @classmethod
    def read(cls, path: Path) -> Identity | None:
        """What a file says; `None` where it is absent, damaged or of another shape."""
        try:
            found = read_json(path)
            reads = tuple(Read(name, kind, sha256) for kind, name, sha256 in found["reads"])
            made = cls(found["part"], found["inputs"], reads, found["outputs"])
            whole = all(isinstance(p, dict) for p in (made.part, made.inputs, made.outputs))
        except (UserError, OSError, KeyError, TypeError, ValueError):
            return None
        return made if whole else None


def identity_path(result: str | os.PathLike[str], step: str) -> Path:
    """`identity/<step>.json` of a result folder."""
    return Path(result, "identity", f"{step}.json")


class Present:
    """What files hold now, looked at once each.

    Parameters
    ----------
    places
        Where named paths lie.
    memory
        Remembers hashes.
    """

    def __init__(self, places: Places, memory: HashMemory) -> None:
        self.places = places
        self.memory = memory
        self._seen: dict[tuple[str, str], str | None] = {}

    def file(self, name: str) -> str | None:
        """The hash of a named file; `None` where there is none."""
        return self.holds("file", name)

    def holds(self, kind: str, name: str) -> str | None:
        """What a read of this kind and name would hold; `None` where it would be none."""
        key = (kind, name)
        if key not in self._seen:
            self._seen[key] = self.memory.read(kind, self.places.path(name))
        return self._seen[key]

    def difference(
        self,
        found: Identity | None,
        part: Mapping[str, Any],
        inputs: Iterable[str],
        outputs: Iterable[str],
    ) -> str:
        """Why an identity is not that of the results that are wanted and there; empty if it is.

        Parameters
        ----------
        part, inputs, outputs
            What the results are to depend on, and the names of the files that they need and are.
        """
        if found is None:
            return "has no identity"
        if found.part != part:
            keys = sorted(k for k in {*found.part, *part} if found.part.get(k) != part.get(k))
            return f"{', '.join(keys)} changed"
        if set(found.inputs) != set(inputs):
            return "needs other files"
        for name in inputs:
            if self.file(name) != found.inputs[name]:
                return f"{name} changed"
        for read in found.reads:
            if self.holds(read.kind, read.path) != read.sha256:
                return f"{read.path} changed"
        for name in outputs:
            if name not in found.outputs:
                return f"{name} is new"
        return ""

    def damaged(self, found: Identity | None) -> str | None:
        """The first output that is not what was written; `None` where all are."""
        outputs = {} if found is None else found.outputs
        return next((name for name, sha in outputs.items() if self.file(name) != sha), None)
