"""The run once more in an empty folder, with the trials' memos as the only thing given.

All but the training of trials is computed again by the workflow itself, and so exactly as it was
the first time: preprocessing, the plan, rankings, selection, test, predictions, explanation and
report.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from dlutil_core.common import result_folder
from dlutil_core.common.errors import UserError
from dlutil_core.common.hashes import sha256_file
from dlutil_core.common.logs import ERROR_PREFIX
from dlutil_core.run.config import workflow_folder
from dlutil_core.run.job_sizes import JobSizes
from dlutil_core.run.run_config import RunConfig, placed
from dlutil_core.run.steps import Steps
from dlutil_core.verify.claims import Claims

TRAINING = ("plan", "bracket-", "stage-", "preprocess")
"""How the steps begin whose bytes hold only with the definition and packages of the first run."""


class SecondRun:
    """A run that is made again below a folder.

    Parameters
    ----------
    claims
        The result.
    folder
        An empty folder.
    data
        A data folder instead of the config's: nothing is preprocessed then.
    """

    def __init__(self, claims: Claims, folder: Path, data: Path | None = None) -> None:
        self.claims = claims
        self.folder = folder
        self.result = folder / "result"
        self.first = RunConfig(self._config(data), source=str(claims.result))
        self.run = RunConfig(self._moved(), source=str(claims.result))

    @property
    def preprocesses(self) -> bool:
        """Whether its data are made from raw files again."""
        return bool(self.run.values["preprocess"] or self.run.values["storage"])

    def _config(self, data: Path | None) -> dict[str, Any]:
        """The config of the first run, with the definition that the result keeps if need be."""
        config = dict(self.claims.config)
        config |= {"cluster": False, "tensorboard": False}
        config["search"] = config["search"] | {"jobs": "bracket"}
        kept = self.claims.result / "best" / "definition" / Path(config["definition"]).name
        if not Path(config["definition"]).is_file() and kept.is_file():
            config["definition"] = str(kept)
        if data is not None:
            # Windows of variants are encoded by what preprocessing tells.
            config |= {"data": str(data), "preprocess": None, "storage": {}, "variants": {}}
        return config

    def _moved(self) -> dict[str, Any]:
        """The same in the folder."""
        places = {self.first.values["result"]: str(self.result)}
        places.setdefault(self.first.values["data"], str(self.folder / "data"))
        return placed(self.first.values, lambda path: _within(path, places))

    def steps(self) -> Steps:
        """The steps of the run."""
        return Steps(self.first, JobSizes(self.first.values, self.first.plan))

    def check(self) -> None:
        """Refuse what cannot have the same bytes.

        Raises
        ------
        UserError
            The definition, a package or an option is not what the result was made with.
        """
        for step in self.steps():
            identity = self.claims.identity(step.name)
            if identity is None or not step.name.startswith(TRAINING):
                continue
            wanted = step.request.part
            keys = sorted(
                k for k in {*wanted, *identity.part} if wanted.get(k) != identity.part.get(k)
            )
            if not keys or (step.name.startswith("preprocess") and not self.preprocesses):
                continue
            key = keys[0]
            raise UserError(
                f"{self.claims.result}: {step.name} was made with another {_words(key)} "
                f"({identity.part.get(key)!r}) than there is here ({wanted.get(key)!r}), so its "
                "bytes cannot be computed again; verify with what it was made with"
            )

    def make(self, cores: int) -> None:
        """Let the workflow make all of it.

        Raises
        ------
        UserError
            It failed; the sentences of its jobs are in the message.
        """
        import yaml

        self._give_memos()
        config = self.folder / "config.yaml"
        written = self.run.values | {"env": dict.fromkeys(self.run.values["env"])}
        config.write_text(yaml.safe_dump(written, sort_keys=False), encoding="utf-8")
        command = [sys.executable, "-m", "snakemake", "--quiet", "all", "--cores", str(cores)]
        command += ["--snakefile", str(workflow_folder() / "Snakefile")]
        command += ["--configfile", str(config)]
        environment = dict(os.environ, DLUTIL_QUIET="1")
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            lines = (done.stdout + done.stderr).splitlines()
            told = [line for line in lines if line.startswith(ERROR_PREFIX)] or lines[-3:]
            raise UserError(f"{self.claims.result}: cannot be made again: {' '.join(told)}")

    def _give_memos(self) -> None:
        """What trials left; without their memos the brackets', which rankings are computed of."""
        given = [self.claims.trials] if self.claims.trials else []
        if not given:
            given = sorted((self.claims.result / "search").glob("*-[0-9]*"))
            given += sorted((self.claims.result / "identity").glob("*-[0-9]*.json"))
        for path in given:
            target = self.result / path.relative_to(self.claims.result)
            target.parent.mkdir(parents=True, exist_ok=True)
            if path.is_dir():
                shutil.copytree(path, target)
            else:
                shutil.copyfile(path, target)

    @property
    def compared(self) -> list[str]:
        """Results that are made again; without preprocessing not those that depend on it."""
        names = list(self.claims.manifest)
        if self.preprocesses or not self.claims.config["preprocess"]:
            return names
        unlike = (result_folder.REPORT, f"{result_folder.VARIANTS}/")
        return [name for name in names if not name.startswith(unlike)]

    def differences(self) -> Iterator[str]:
        """Results, and data where they are made, that are not the same bytes."""
        made = Claims(self.result).manifest
        for name in self.compared:
            sha256 = self.claims.manifest[name]
            if made.get(name) != sha256:
                told = "is made by no step" if name not in made else "has other bytes"
                yield f"{name}: {told} when it is computed again"
        for name in sorted(made.keys() - self.claims.manifest.keys()):
            yield f"{name}: is a result of the run, but does not stand in {result_folder.MANIFEST}"
        yield from self._data_differences()

    def _data_differences(self) -> Iterator[str]:
        """Data sets that were used, and are not those that are made, or given, now."""
        for step in self.steps():
            identity = self.claims.identity(step.name)
            for name, sha256 in {} if identity is None else identity.inputs.items():
                if not name.startswith("{data}/"):
                    continue
                path = self.run.places.path(name)
                with suppress(OSError):
                    if sha256_file(path) == sha256:
                        continue
                yield f"{self.first.places.shown(name)}: {step.name} used other data than these"


def _within(path: str, places: dict[str, str]) -> str:
    """A path in the new place of the folder that it is, or is in."""
    for before, now in places.items():
        if path.rstrip("/") == before.rstrip("/"):
            return now
    return path


def _words(key: str) -> str:
    """A key of a step's part as one would say it."""
    names = {"fingerprint": "def.py", "packages": "torch or numpy", "env_sha256": "env"}
    return names.get(key, key.replace("_", " "))
