"""A run in one process: the executed definition, the loaded data, and what was read for them."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlutil_core.common.errors import UserError
from dlutil_core.common.hash_memory import HashMemory, Signature, signature
from dlutil_core.common.reads import FILE, Read
from dlutil_core.common.shown_text import hide_values
from dlutil_core.definition.opened_files import OpenedFiles
from dlutil_core.job.devices import device_slot
from dlutil_core.job.run_spec import RunSpec
from dlutil_core.job.source_check import SourceCheck
from dlutil_core.model.options import TrainingOptions

if TYPE_CHECKING:
    from dlutil_core.definition.executed import Definition

OWN_FOLDERS = (
    *("search", "best", "test", "predictions", "explain", "identity", "logs", "tensorboard"),
    *("baseline", "export", "members", "variants", "report.html", "MANIFEST.sha256"),
)
"""What a run writes into its result folder and reads again: never data of a loader."""


class LoadedRun:
    """A run in one process: executes the definition and loads the data, once, when needed.

    Parameters
    ----------
    spec
        The run.
    """

    def __init__(self, spec: RunSpec) -> None:
        self.spec = spec
        hide_values(spec.env)
        self.device: str | None = None
        self.memory = HashMemory()
        self.verdicts: dict[str, bool] = {}
        """Whether sets of reads, by name, were found to be what they were."""
        ignored = [Path(spec.result, name) for name in OWN_FOLDERS] if spec.result else []
        ignored += [Path(spec.trials_dir)] if spec.trials_dir else []
        self.opened = OpenedFiles(ignored, [spec.data_dir])
        self._named_before: dict[str, Signature | None] = {}

    @cached_property
    def device_kind(self) -> str:
        """`cpu` or `cuda`; a GPU that is asked for but absent is refused."""
        return resolved_device(self.spec.device)

    @contextmanager
    def on_device(self) -> Iterator[None]:
        """Have a device, or a place on one, for the models that are made meanwhile."""
        with device_slot(self.device_kind, self.spec.trials_per_gpu) as self.device:
            yield
        self.device = None

    @cached_property
    def source(self) -> SourceCheck:
        """That `def.py` is what the run began with."""
        return SourceCheck(self.spec)

    @cached_property
    def definition(self) -> Definition:
        """The executed `def.py`; torch is set up before, and what it reads is recorded from now."""
        set_up_torch(self.device_kind, self.spec.options)
        from dlutil_core.definition.executed import Definition

        _ = self.source
        named = (*self.spec.data_files, *self.spec.definition_files)
        self._named_before = {path: signature(path) for path in named}
        self.opened.start()
        found = Definition(self.spec.definition)
        self.source.check()
        return found

    @property
    def is_loaded(self) -> bool:
        """Whether the definition was executed."""
        return "definition" in self.__dict__

    @cached_property
    def loaders(self) -> tuple[Any, Any]:
        """The training and validation loaders, called under the run's seed."""
        from dlutil_core.common.seeds import loader_seed, seed_everything

        definition = self.definition
        seed_everything(loader_seed(self.spec.seed))
        train, val = definition.train_loaders(self.spec.data_dir, self.spec.batch_size)
        for loader in (train, val):
            source = getattr(loader, "source", None)
            if source is not None and not source.streamed:
                source.load()
        return train, val

    def model(self, config: dict[str, Any], device: str | None = None) -> Any:
        """A new model of this configuration, on this device or on the run's own."""
        import torch

        from dlutil_core.model.base import model_settings

        torch.set_num_threads(self.spec.threads)
        with model_settings(device or self.device or self.device_kind, self.spec.options):
            return self.definition.model(copy.deepcopy(config))

    def reads(self) -> tuple[Read, ...]:
        """What results of this process depend on: files that were read, and those that the config
        names, as they were when they were opened.

        Raises
        ------
        UserError
            The definition or a file was changed meanwhile: nothing may be kept.
        """
        self.source.check()
        named = {self._named(path, before) for path, before in self._named_before.items()}
        return tuple(sorted({*self.opened.reads(self.memory), *named}))

    def _named(self, path: str, before: Signature | None) -> Read:
        sha256 = self.memory.file(path)
        if sha256 is None:
            raise UserError(f"{path}: there is no such file; check the data folder")
        if signature(path) != before:
            raise UserError(
                f"{path}: was changed while it was used, so nothing that was made of it is kept; "
                "run the same command again"
            )
        return Read(os.path.abspath(path), FILE, sha256)


def resolved_device(device: str) -> str:
    """`cpu` or `cuda` for `auto`, `cpu` or `cuda`.

    Raises
    ------
    UserError
        `cuda` is asked for, and there is no GPU.
    """
    if device == "cpu":
        return "cpu"
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if device == "cuda":
        raise UserError(
            "device is cuda, but no GPU is available to this process; use device: auto or cpu, or "
            "a machine with a GPU"
        )
    return "cpu"


def set_up_torch(device: str, options: TrainingOptions) -> None:
    """Before `def.py` is executed. One thread: a fork after an operation of several can hang."""
    import torch

    from dlutil_core.model.torch_setup import keep_freed_memory, skip_compiler_import

    torch.set_num_threads(1)
    keep_freed_memory()
    if not options.compile:
        skip_compiler_import()
    if device == "cuda" and options.deterministic:
        torch.use_deterministic_algorithms(True)
        torch.backends.cudnn.benchmark = False
