"""What all trials of a run share: the definition, the data, what results depend on."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from dlutil_core.common.logs import log
from dlutil_core.job.devices import device_slot
from dlutil_core.job.run_spec import RunSpec
from dlutil_core.model.options import TrainingOptions

if TYPE_CHECKING:
    from dlutil_core.definition.executed import Definition


class LoadedRun:
    """A run in one process: executes the definition and loads the data, once, when needed."""

    def __init__(self, spec: RunSpec) -> None:
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
        from dlutil_core.definition.executed import Definition

        return Definition(self.spec.definition)

    @cached_property
    def loaders(self) -> tuple[Any, Any]:
        """The training and validation loaders, called under the run's seed."""
        from dlutil_core.common.seeds import loader_seed, seed_everything
        from dlutil_core.definition.opened_files import watched_files

        definition = self.definition
        seed_everything(loader_seed(self.spec.seed))
        with watched_files("get_train_generator", self.spec.data_dir):
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
            return self.definition.model_class()(copy.deepcopy(config))


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

    from dlutil_core.model.torch_setup import keep_freed_memory, skip_compiler_import

    torch.set_num_threads(1)
    keep_freed_memory()
    if not options.compile:
        skip_compiler_import()
    if device == "cuda" and options.deterministic:
        torch.use_deterministic_algorithms(True)
        torch.backends.cudnn.benchmark = False
