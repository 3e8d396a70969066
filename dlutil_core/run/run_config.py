"""A run as the workflow sees it: a validated config, and what is derived from it.

Pure but for reading file names and `def.py` (which is parsed, never executed); no torch.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from dlutil_core.common.errors import UserError
from dlutil_core.common.files import read_json
from dlutil_core.common.identity import Places
from dlutil_core.fingerprint import analysis as fingerprint
from dlutil_core.job.run_spec import hashed_env
from dlutil_core.members.repeat import Member, Repeat
from dlutil_core.model.options import TrainingOptions
from dlutil_core.run.config import validated
from dlutil_core.run.data_files import DataFiles
from dlutil_core.run.reward import computed_metrics
from dlutil_core.search import plan
from dlutil_core.search.known_configs import start_configs
from dlutil_core.trained.members import BEST_ALONE

EXISTING = "existing"


class RunConfig:
    """A validated config with everything that is derived from it.

    Parameters
    ----------
    config
        The config as the user wrote it.
    source
        What to call it in error messages.
    """

    def __init__(self, config: Mapping[str, Any], source: str = "config") -> None:
        self.values = validated(config, source)
        self.definition: str = self.values["definition"]
        self.data: str = self.values["data"].rstrip("/") or "/"
        self.result: str = self.values["result"].rstrip("/") or "/"
        self.search: dict[str, Any] = self.values["search"]
        self.trains = self.search["method"] != EXISTING
        self.repeat = Repeat.of(self.values["repeat"])
        folds = range(self.repeat.fold_count) if self.repeat.has_folds else [None]
        self._files = [DataFiles(self.values, self.data, self.result, fold) for fold in folds]

    @cached_property
    def analysis(self) -> fingerprint.Definition:
        """What is known of `def.py` without executing it."""
        return fingerprint.analyse(self.definition, _python_path())

    @cached_property
    def plan(self) -> plan.Schedule:
        """The plan: of the config, or of the search that the result folder holds."""
        given = self.search if self.trains else read_json(self.plan_path)
        method, epochs, eta = (given[k] for k in ("method", "max_epochs", "eta"))
        return plan.schedule(method, epochs, eta, given.get("sampler"))

    @cached_property
    def start(self) -> list[dict[str, Any]]:
        """Known configurations that the search begins with; those of a table are texts."""
        return start_configs(self.search, self.plan.trial_count) if self.trains else []

    @property
    def seed(self) -> int:
        """The seed: of the config, or of the search that the result folder holds."""
        return int(self.values["seed"] if self.trains else read_json(self.plan_path)["seed"])

    @property
    def plan_path(self) -> Path:
        """`search/plan.json`."""
        return Path(self.result, "search", "plan.json")

    @property
    def options(self) -> TrainingOptions:
        """Options of training that change results."""
        names = ("clip_norm", "early_stop", "compile", "deterministic", "precision")
        options = {name: self.values[name] for name in names}
        options["metrics"] = computed_metrics(self.values["metrics"], self.values["reward"])
        options["reward"] = self.values["reward"] or ""
        return TrainingOptions(**options)

    @property
    def label_names(self) -> list[str]:
        """What several columns of labels are called, where `preprocess` names them."""
        columns = (self.values["preprocess"] or {}).get("columns") or {}
        names = columns.get("labels") or []
        return names if len(names) > 1 and all(isinstance(name, str) for name in names) else []

    @property
    def places(self) -> Places:
        """The folders that identities name by a word."""
        return Places(self.result, self.data, os.path.dirname(self.definition) or ".")

    @cached_property
    def definition_files(self) -> list[str]:
        """Further files that `def.py` reads, which nobody may see."""
        found = []
        for pattern in self.values["definition_files"]:
            hits = sorted(f for f in glob.glob(pattern, recursive=True) if os.path.isfile(f))
            if not hits:
                raise UserError(f"definition_files: '{pattern}' matches no file; check the path")
            found += hits
        return found

    @cached_property
    def env_sha256(self) -> dict[str, str]:
        """Hashes of the values of the environment variables that are part of the run."""
        return hashed_env(self.values["env"], os.environ | self._given_environment)

    @property
    def _given_environment(self) -> dict[str, str]:
        return {name: text for name, text in self.values["env"].items() if text is not None}

    def set_environment(self) -> None:
        """Give the variables of `env` to this process, and so to its jobs; nothing shows them."""
        os.environ.update(self._given_environment)

    @property
    def shown_values(self) -> dict[str, Any]:
        """The config as it may be kept: hashes instead of the values of environment variables."""
        return self.values | {"env": self.env_sha256}

    @property
    def variants(self) -> dict[str, dict[str, str]]:
        """The VCF files to predict, by name: the path of each and of its genome."""
        found: dict[str, dict[str, str]] = self.values["variants"]
        return found

    @property
    def section(self) -> dict[str, Any]:
        """The section `preprocess`, with what makes folds of it, for the first one."""
        return self.files.section

    @property
    def files(self) -> DataFiles:
        """The data files of the first fold, or of the one split there is."""
        return self.files_of(0)

    def files_of(self, fold: int) -> DataFiles:
        """The data files of a fold; without folds, of the one split there is."""
        return self._files[fold]

    @property
    def explained_stage(self) -> str:
        """The stage whose sequences explain the model: `test`, or `train` for validation's."""
        return "test" if self.values["explain"]["set"] == "test" else "train"

    @property
    def explained_fold(self) -> int:
        """The fold whose sequences explain the model: that of the member that is chosen, else 0."""
        chosen = self.values["explain"]["member"]
        return 0 if chosen in (None, BEST_ALONE) else Member.named(chosen).fold


def placed(config: Mapping[str, Any], place: Callable[[str], str]) -> dict[str, Any]:
    """A config whose run writes elsewhere: the result folder, and the data folder if it makes data.

    Parameters
    ----------
    config
        A config, not validated.
    place
        Gives the new place of a path; the same path leaves everything where it is.
    """
    moved = dict(config)
    makes_data = config.get("preprocess") or config.get("storage")
    for key in ("result", "data") if makes_data else ("result",):
        if isinstance(config.get(key), str):
            moved[key] = str(place(config[key]))
    if isinstance(config.get("storage"), Mapping) and isinstance(config.get("data"), str):
        start = config["data"].rstrip("/") + "/"
        moved["storage"] = {
            str(place(path)) if path.startswith(start) else path: address
            for path, address in config["storage"].items()
        }
    return moved


def _python_path() -> list[str]:
    return [p for p in os.environ.get("PYTHONPATH", "").split(os.pathsep) if p]
