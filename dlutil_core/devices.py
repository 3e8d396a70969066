"""Which GPU a worker uses: a device number is handed out by a file lock, one worker on each.

`DLUTIL_TRIALS_PER_GPU` lets several share one; `DLUTIL_DEVICES` says how many devices there are
(for tests on machines without). A scheduler's CUDA_VISIBLE_DEVICES is respected: only the devices
that it shows are counted, and their locks carry its names.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def visible_devices() -> list[str]:
    """Names of the devices that this process may use, as CUDA_VISIBLE_DEVICES gives them."""
    counted = os.environ.get("DLUTIL_DEVICES")
    if counted is not None:
        count = int(counted)
    else:
        import torch

        count = torch.cuda.device_count()
    shown = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    return shown[:count] if shown else [str(k) for k in range(count)]


@contextmanager
def device_slot(kind: str) -> Iterator[str]:
    """Hold one place on a device: `cpu`, or `cuda:k` with its lock held until the end."""
    if kind == "cpu" and "DLUTIL_DEVICES" not in os.environ:
        yield "cpu"
        return
    names = visible_devices()
    per_device = int(os.environ.get("DLUTIL_TRIALS_PER_GPU", "1"))
    index, handle = _wait_for_slot(names, per_device)
    try:
        yield f"cuda:{index}" if kind == "cuda" else "cpu"
    finally:
        os.close(handle)


def lock_folder() -> Path:
    """Where this machine's device locks lie: shared by all runs of this user."""
    base = os.environ.get("DLUTIL_LOCKS") or os.path.join(
        tempfile.gettempdir(), f"dlutil-devices-{os.getuid()}"
    )
    return Path(base)


def _wait_for_slot(names: list[str], per_device: int) -> tuple[int, int]:
    folder = lock_folder()
    folder.mkdir(parents=True, exist_ok=True)
    while True:
        for place in range(per_device):
            for index, name in enumerate(names):
                handle = os.open(folder / f"{name}.{place}.lock", os.O_RDWR | os.O_CREAT, 0o600)
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    os.close(handle)
                    continue
                return index, handle
        time.sleep(0.2)
