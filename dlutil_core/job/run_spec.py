"""A run as plain values: what the workflow tells a job, and a job its workers."""

from __future__ import annotations

from dataclasses import dataclass, field

from dlutil_core.model.options import TrainingOptions

RESULT_VERSION = 3
"""Raised when the same inputs give other results than before: old trials are then not reused."""


@dataclass(frozen=True)
class RunSpec:
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
