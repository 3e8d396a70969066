"""What all trials of a run share: the definition, the data, what results depend on."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlutil_core.devices import device_slot
from dlutil_core.files import sha256_text
from dlutil_core.options import TrainingOptions
from dlutil_core.script import LOGGER
from dlutil_core.trial_store import TrialStore

if TYPE_CHECKING:
    from dlutil_core.definition import Definition

log = logging.getLogger(LOGGER)

RESULT_VERSION = 2
"""Raised when the same inputs give other results than before: old trials are then not reused."""


@dataclass(frozen=True)
class SessionSpec:
    """A run as plain values, which can be sent to another process.

    `device` is what the config says (`auto`, `cpu` or `cuda`), `train_digest` the hash of all
    training data, `fingerprint` that of the training part of `def.py`; `tensorboard` is the folder
    for event files, or empty.
    """

    definition: str
    data_dir: str
    batch_size: int
    seed: int
    device: str = "auto"
    threads: int = 1
    options: TrainingOptions = field(default_factory=TrainingOptions)
    env: dict[str, str] = field(default_factory=dict)
    fingerprint: str = ""
    train_digest: str = ""
    trials_dir: str = ""
    trials_per_gpu: int = 1
    tensorboard: str = ""


class Session:
    """A run in one process: executes the definition and loads the data, once, when needed."""

    def __init__(self, spec: SessionSpec) -> None:
        self.spec = spec
        self.device: str | None = None
        os.environ.update(spec.env)

    @cached_property
    def device_kind(self) -> str:
        """`cpu` or `cuda`; a GPU that is asked for but absent is said to be."""
        return resolved_device(self.spec.device)

    @contextmanager
    def on_device(self) -> Iterator[None]:
        """Have a device, or a place on one, for the models that are made meanwhile."""
        with device_slot(self.device_kind, self.spec.trials_per_gpu) as self.device:
            yield
        self.device = None

    @cached_property
    def definition(self) -> Definition:
        """The executed `def.py`; torch is set up before."""
        set_up_torch(self.device_kind, self.spec.options)
        from dlutil_core.definition import Definition

        return Definition(self.spec.definition)

    @cached_property
    def loaders(self) -> tuple[Any, Any]:
        """The training and validation loaders, called under the run's seed."""
        from dlutil_core.audit import watched_files
        from dlutil_core.seeding import loader_seed, seed_everything

        definition = self.definition
        seed_everything(loader_seed(self.spec.seed))
        with watched_files("get_train_generator", self.spec.data_dir):
            train, val = definition.train_loaders(self.spec.data_dir, self.spec.batch_size)
        for loader in (train, val):
            source = getattr(loader, "source", None)
            if source is not None and not source.streamed:
                source.load()
        return train, val

    def key(self, trial: dict[str, Any]) -> str:
        """Hash of everything that a trial's result depends on."""
        spec = self.spec
        parts = {
            "fingerprint": spec.fingerprint,
            "data": spec.train_digest,
            "config": trial["config"],
            "trial_seed": trial["seed"],
            "run_seed": spec.seed,
            "batch_size": spec.batch_size,
            "threads": spec.threads,
            "device": self.device_kind,
            "options": spec.options.identity(),
            "env": spec.env,
            "torch": torch_version(),
            "result_version": RESULT_VERSION,
        }
        return sha256_text(json.dumps(parts, sort_keys=True))

    def store(self, trial: dict[str, Any]) -> TrialStore:
        """The memo folder of a trial of the plan."""
        folder = Path(self.spec.trials_dir) / f"{trial['trial']:05d}"
        identity = {k: trial[k] for k in ("trial", "seed", "config")}
        return TrialStore(folder, self.key(trial), identity)

    def model(self, config: dict[str, Any], device: str | None = None) -> Any:
        """A new model of this configuration, on this device or on the session's own."""
        import torch

        from dlutil_core.base_model import BaseModel

        torch.set_num_threads(self.spec.threads)
        BaseModel.default_device = device or self.device or self.device_kind
        BaseModel.default_options = self.spec.options
        return self.definition.model_class()(config)


@cache
def torch_version() -> str:
    """The version of torch, without importing it; looked up once, since it takes 2 ms."""
    return version("torch").partition("+")[0]


def resolved_device(device: str) -> str:
    """`cpu` or `cuda` for `auto`, `cpu` or `cuda`; says when there is no GPU."""
    if device == "cpu":
        return "cpu"
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if device == "cuda":
        log.info("no GPU is available: going on with the CPU")
    return "cpu"


def set_up_torch(device: str, options: TrainingOptions) -> None:
    """Before `def.py` is executed. One thread: a fork after an operation of several can hang."""
    import torch

    from dlutil_core.fast_torch import keep_freed_memory, skip_compiler_import

    torch.set_num_threads(1)
    keep_freed_memory()
    if not options.compile:
        skip_compiler_import()
    if device == "cuda" and options.deterministic:
        torch.use_deterministic_algorithms(True)
        torch.backends.cudnn.benchmark = False
