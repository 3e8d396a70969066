"""Whether a model that was restored from a checkpoint is the one that was saved.

What a model keeps outside `save`, such as an average of its weights, is lost when a checkpoint is
read. Its validation values are computed again, and must be those that were recorded.
"""

from __future__ import annotations

import math
import platform
from functools import cache
from pathlib import Path
from typing import Any

from dlutil_core.common.errors import UserError
from dlutil_core.common.logs import log
from dlutil_core.common.seeds import epoch_seed, seed_everything
from dlutil_core.search.trial_folder import EpochRow

TOLERANCE = 1e-2
"""How far the validation loss of another machine, or of a GPU, may be from the recorded one."""


class StateOutsideSave(UserError):
    """A model is another one after it was restored: a fault of `def.py`, no trial's result."""


def check_restored(
    model: Any, val: Any, trial: int, seed: int, row: EpochRow, exactly: bool
) -> None:
    """Refuse a model whose validation values are not those of `row`, the epoch it was saved after.

    Parameters
    ----------
    exactly
        Whether equal bits can be asked for; if not, the loss must be near the recorded one.
    """
    recorded = {name: value for name, value in row.items() if name.startswith("val_")}
    if val is None or not recorded:
        return
    found = _validated(model, val, epoch_seed(seed, int(row["epoch"])))
    # A `fit` of one's own may validate in a way of its own.
    if set(found) != set(recorded) or _same(found, recorded, exactly):
        return
    # Where validation itself is random, nothing can be said.
    if not _same(found, _validated(model, val, 0), exactly):
        return
    name = next(n for n in recorded if not _equal(found[n], recorded[n], True))
    sentence = (
        f"trial {trial}: {name} after epoch {row['epoch']:.0f} was {recorded[name]!r}, but is "
        f"{found[name]!r} when the model is restored from its checkpoint: Model keeps something "
        "that save() does not return, such as an average of the weights; return it from save() "
        "and take it over in load()"
    )
    if _validates_by_itself(model):
        log.warning("warning: %s", sentence)
        return
    raise StateOutsideSave(sentence)


def _validated(model: Any, val: Any, seed: int) -> EpochRow:
    from dlutil_core.loaders.own_generators import reseed_epoch

    seed_everything(seed)
    reseed_epoch(None, val, seed)
    return {f"val_{name}": value for name, value in model.evaluate(val).items()}


def _validates_by_itself(model: Any) -> bool:
    from dlutil_core.model.base import BaseModel

    return type(model).fit is not BaseModel.fit


def _same(one: EpochRow, other: EpochRow, exactly: bool) -> bool:
    names = one if exactly else ["val_loss"]
    return all(_equal(one[name], other[name], exactly) for name in names)


def _equal(one: float, other: float, exactly: bool) -> bool:
    if math.isnan(one) or math.isnan(other):
        return math.isnan(one) and math.isnan(other)
    return one == other if exactly else math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=1e-6)


def difference(found: EpochRow, recorded: EpochRow) -> str | None:
    """What of an epoch is another one than was recorded; `None` where all is equal."""
    for name, value in recorded.items():
        if name not in found or not _equal(float(found[name]), value, True):
            return f"{name} is {found.get(name)!r} instead of {value!r}"
    return None


@cache
def machine() -> str:
    """What a processor computes the same bits as: its model, and the instructions torch uses."""
    import torch

    model = platform.processor()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        model = next(line for line in lines if line.startswith("model name")).partition(":")[2]
    except (OSError, StopIteration):
        pass
    return f"{model.strip()}, {torch.backends.cpu.get_cpu_capability()}"
