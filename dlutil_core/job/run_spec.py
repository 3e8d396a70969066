"""A run as plain values: what the workflow tells a job, and a job its workers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from dlutil_core.common.errors import UserError
from dlutil_core.common.hashes import sha256_text
from dlutil_core.model.options import TrainingOptions

RESULT_VERSION = 3
"""Raised when the same inputs give other results than before: old trials are then not reused."""

TRAINING_PACKAGES = ("torch", "numpy")
"""Packages whose versions a trial's bits may depend on."""


@dataclass(frozen=True)
class RunSpec:
    """A run as plain values, which can be sent to another process.

    Parameters
    ----------
    definition, data_dir
        Paths of `def.py` and of the loaders' folder.
    device
        What the config says: `auto`, `cpu` or `cuda`.
    env
        Names of the environment variables that are part of the run. Their values are in the
        environment, where no command line and no file shows them.
    fingerprint
        Of the stage's part of `def.py`.
    result
        The result folder; empty where there is none.
    data_files
        Files that the stage is known to read, although nobody may see it.
    tensorboard
        The folder for event files, or empty.
    epoch_timeout
        Minutes after which an epoch ends the run; `None`: it may take what it takes.
    """

    definition: str
    data_dir: str
    batch_size: int
    seed: int
    device: str = "auto"
    threads: int = 1
    options: TrainingOptions = field(default_factory=TrainingOptions)
    env: tuple[str, ...] = ()
    stage: str = "train"
    fingerprint: str = ""
    result: str = ""
    data_files: tuple[str, ...] = ()
    definition_files: tuple[str, ...] = ()
    trials_dir: str = ""
    trials_per_gpu: int = 1
    tensorboard: str = ""
    epoch_timeout: float | None = None


def hashed_env(names: Iterable[str], environment: Any) -> dict[str, str]:
    """The hash of each variable's value, which stands for it wherever it is kept.

    Raises
    ------
    UserError
        A variable is not set.
    """
    found = {}
    for name in sorted(names):
        if name not in environment:
            raise UserError(
                f"env.{name}: has no value, and the environment has no variable of this name; set "
                f"it ({name}=… before the command) or give a value in the config"
            )
        found[name] = sha256_text(f"{name}={environment[name]}")
    return found
