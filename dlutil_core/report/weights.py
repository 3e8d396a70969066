"""Names and shapes of the tensors in a checkpoint, read without torch.

A `torch.save` file is a zip archive whose `data.pkl` describes the tensors. The pickle is read with
stand-ins for the few classes that occur in it; anything else is refused, so no code of the file is
run.
"""

from __future__ import annotations

import math
import pickle
import zipfile
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlutil_core.common.errors import UserError

BUFFERS = ("running_mean", "running_var", "num_batches_tracked")
"""Last parts of names of tensors that batch normalisation keeps, which are not trained."""


@dataclass(frozen=True)
class Weight:
    """One tensor of a model."""

    name: str
    shape: tuple[int, ...]

    @property
    def count(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.shape)

    @property
    def trained(self) -> bool:
        """Whether it is a parameter; statistics of batch normalisation are not."""
        return self.name.rpartition(".")[2] not in BUFFERS


class _Storage:
    """Stands for a type of storage."""


def _tensor(storage: Any, offset: int, size: tuple[int, ...], *_: Any) -> tuple[int, ...]:
    return tuple(size)


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if module == "torch._utils" and name.startswith("_rebuild_tensor"):
            return _tensor
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module == "torch" or module == "torch.storage":
            return _Storage
        raise pickle.UnpicklingError(f"{module}.{name} is not expected in a checkpoint")

    def persistent_load(self, identity: Any) -> Any:
        return None


def read_weights(path: Path) -> list[Weight]:
    """The tensors under the key `weights` of a checkpoint, in the network's order."""
    try:
        with zipfile.ZipFile(path) as archive:
            inside = next(n for n in archive.namelist() if n.endswith("/data.pkl"))
            with archive.open(inside) as file:
                content = _Unpickler(file).load()
        return [Weight(name, shape) for name, shape in content["weights"].items()]
    except (OSError, zipfile.BadZipFile, StopIteration, pickle.UnpicklingError, KeyError) as error:
        raise UserError(
            f"{path}: not a checkpoint of dlutil ({error}); remove it and run again"
        ) from None
