"""Options of training that change results; each is off, or at its plain value, by default."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class TrainingOptions:
    """How models are trained, beyond what `def.py` says.

    Parameters
    ----------
    precision
        `"32"`, or `"bf16"` for forward passes in mixed precision.
    clip_norm
        The largest norm of all gradients together; larger ones are scaled down.
    early_stop
        A trial ends after this many epochs without a higher reward.
    compile
        Whether networks go through `torch.compile`.
    deterministic
        Whether only deterministic GPU kernels are used.
    """

    precision: str = "32"
    clip_norm: float | None = None
    early_stop: int | None = None
    compile: bool = False
    deterministic: bool = True

    def identity(self) -> dict[str, Any]:
        """The options that are not at their plain value: part of what a trial depends on."""
        plain = TrainingOptions()
        return {k: v for k, v in asdict(self).items() if v != getattr(plain, k)}
