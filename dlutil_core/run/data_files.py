"""Which files below the data folder a run is known to need, before anything has run."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

from dlutil_core.common.errors import UserError
from dlutil_core.common.paths import matches, natural_key
from dlutil_core.preprocess import section as preprocess
from dlutil_core.preprocess.parts import parts, with_folds
from dlutil_core.preprocess.split import fold_folder


class DataFiles:
    """Names below the data folder, and those among them that a fold's loaders read.

    Parameters
    ----------
    values
        A validated config.
    data, result
        The data folder and the result folder.
    fold
        The fold, or None where there are none.
    """

    def __init__(
        self, values: Mapping[str, Any], data: str, result: str, fold: int | None = None
    ) -> None:
        self.values = values
        self.data = data
        self.result = result
        self.folder = "" if fold is None else f"{fold_folder(fold)}/"
        """What the names of files of the loaders begin with."""
        self.section = with_folds(values["preprocess"], values["repeat"]["folds"], fold or 0)
        """What preprocessing makes, with the fold."""

    @property
    def data_dir(self) -> str:
        """What the loaders get."""
        return os.path.join(self.data, self.folder).rstrip("/") or "/"

    @cached_property
    def planned(self) -> dict[str, list[str]]:
        """Files that preprocessing writes, by set; labelled ones of this fold."""
        return preprocess.planned_files(self.section) if self.section else {}

    @cached_property
    def available(self) -> list[str]:
        """Files that exist or will be there, of all folds, in natural order."""
        made = [preprocess.planned_files(part.section) for part in parts(self.section).values()]
        planned = [name for sets in made for names in sets.values() for name in names]
        found = dict.fromkeys([*self._present(), *planned, *self.fetched])
        return sorted(found, key=natural_key)

    @property
    def fetched(self) -> list[str]:
        """Files that are fetched from a storage."""
        start = f"{self.data.rstrip('/')}/"
        paths = map(os.path.normpath, self.values["storage"])
        return [path.removeprefix(start) for path in paths if path.startswith(start)]

    def of_stage(self, stage: str) -> list[str]:
        """What `train` or `test` is known to read; what else it reads is found when it does."""
        globs = self.values["data_files"][stage]
        if globs:
            return self.matching(globs, f"data_files.{stage}", self.folder)
        sets = ("train", "valid") if stage == "train" else (stage,)
        return [name for s in sets for name in self.planned.get(s, [])]

    def awaited(self, stage: str) -> list[str]:
        """What has to be there before a stage begins: also what is fetched, and labelled sets,
        unless the config says what the stage reads.
        """
        named = self.values["data_files"].get(stage)
        return list(dict.fromkeys([*self.of_stage(stage), *([] if named else self.arriving)]))

    @property
    def arriving(self) -> list[str]:
        """What is made or fetched: code of any stage may read it unasked."""
        made = [name for s in preprocess.LABELLED_SETS for name in self.planned.get(s, [])]
        return [*made, *self.fetched]

    @cached_property
    def predicted(self) -> list[str]:
        """Files to predict."""
        return self.matching(self.values["predict"], "predict")

    def matching(self, patterns: Iterable[str], key: str, folder: str = "") -> list[str]:
        """Available files that match, natural order; a pattern without any is a `UserError`.

        Parameters
        ----------
        folder
            Where the patterns begin, below the data folder.
        """
        found: dict[str, None] = {}
        place = os.path.join(self.data, folder).rstrip("/") or "/"
        for pattern in patterns:
            inner = folder + self._inside(pattern, key, place)
            hits = [name for name in self.available if matches(name, inner)]
            if inner not in hits:  # a glob means data, not what preprocessing tells of them
                hits = [name for name in hits if not self._is_statistics(name)]
            if not hits:
                raise UserError(
                    f"{key}: '{pattern}' matches no file under {place}; check the spelling"
                )
            found |= dict.fromkeys(hits)
        return sorted(found, key=natural_key)

    def _is_statistics(self, name: str) -> bool:
        start = name.removesuffix(".stats.json")
        return start != name and f"{start}.h5" in self.available

    def _inside(self, pattern: str, key: str, folder: str) -> str:
        """A pattern relative to a folder of data; one that leaves it is refused."""
        inner = os.path.normpath(pattern)
        if os.path.isabs(inner):
            inner = os.path.relpath(inner, os.path.abspath(folder))
        if inner == ".." or inner.startswith("../"):
            raise UserError(
                f"{key}: '{pattern}' leaves the data folder {folder}; give a path below it"
            )
        return inner

    def _present(self) -> list[str]:
        """Files that are there but for hidden ones and the result folder."""
        result = os.path.abspath(self.result)
        found = []
        for folder, below, names in os.walk(self.data, followlinks=True):
            below[:] = sorted(
                d
                for d in below
                if not d.startswith(".") and os.path.abspath(os.path.join(folder, d)) != result
            )
            if os.path.abspath(folder) == result:
                names = []
            for name in names:
                if not name.startswith("."):
                    found.append(os.path.relpath(os.path.join(folder, name), self.data))
        return found
