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
    metrics
        Names of metrics of validation and test beside the model's own.
    reward
        The metric that is the reward; empty: what `get_hyperband_reward` gives.
    """

    precision: str = "32"
    clip_norm: float | None = None
    early_stop: int | None = None
    compile: bool = False
    deterministic: bool = True
    metrics: tuple[str, ...] = ()
    reward: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "metrics", tuple(self.metrics))  # JSON has lists

    def identity(self) -> dict[str, Any]:
        """The options that are not at their plain value: part of what a trial depends on."""
        plain = TrainingOptions()
        changed = {k: v for k, v in asdict(self).items() if v != getattr(plain, k)}
        return {k: list(v) if isinstance(v, tuple) else v for k, v in changed.items()}
