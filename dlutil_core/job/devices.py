"""Which GPU a process uses: a device is handed out by a file lock, one trial on each.

The kernel frees the lock when its process ends, however it ends. `trials_per_gpu` in the config
lets several trials share a device. A scheduler's CUDA_VISIBLE_DEVICES is respected: only the
devices that it shows are counted. `DLUTIL_DEVICES` says how many devices there are, for tests on
machines without; `DLUTIL_LOCKS` is another folder for the locks.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dlutil_core.common.errors import UserError

POLL_SECONDS = 0.2

GPU_FILES = ("/dev/nvidiactl", "/dev/nvidia0", "/dev/kfd", "/dev/dxg")
"""What is there where a driver for NVIDIA's or AMD's cards is (the last under Windows)."""

JOB_VARIABLES = ("SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID")
"""Where schedulers say which job this is."""

_held: set[int] = set()
"""Handles of locks. A forked process would share them, and keep the device while it lives."""
_holding = threading.Lock()
"""Held while a handle is made or closed, so that no fork comes between."""


def _close_in_child() -> None:
    for handle in _held:
        os.close(handle)
    _held.clear()
    _holding.release()


os.register_at_fork(
    before=_holding.acquire, after_in_parent=_holding.release, after_in_child=_close_in_child
)


def has_gpu() -> bool:
    """Whether this machine has a driver for one; no library is asked, which takes a second."""
    return any(map(os.path.exists, GPU_FILES))


def visible_devices() -> list[str]:
    """Names of the devices that this process may use, as CUDA_VISIBLE_DEVICES gives them."""
    counted = os.environ.get("DLUTIL_DEVICES")
    if counted is None:
        import torch

        count = torch.cuda.device_count()
    elif counted.isdigit():
        count = int(counted)
    else:
        raise UserError(f"DLUTIL_DEVICES is {counted!r}, but must be a whole number")
    shown = os.environ.get("CUDA_VISIBLE_DEVICES")
    if shown is None:
        return [str(k) for k in range(count)]
    return [name.strip() for name in shown.split(",") if name.strip()][:count]


@contextmanager
def device_slot(kind: str, per_device: int = 1, alone: bool = False) -> Iterator[str]:
    """Hold one place on a device, waiting until there is one: `cpu`, or `cuda:k`.

    Parameters
    ----------
    kind
        `cpu` (of which there is no end) or `cuda`.
    per_device
        How many may share a device.
    alone
        Whether all places of the device are wanted.
    """
    names = visible_devices() if kind == "cuda" or "DLUTIL_DEVICES" in os.environ else []
    if not names:
        yield kind
        return
    index, handles = _wait_for_places(names, per_device, alone)
    try:
        yield f"cuda:{index}" if kind == "cuda" else "cpu"
    finally:
        for handle in handles:
            _let_go(handle)


def lock_folder() -> Path:
    """Where this machine's device locks lie: shared by all runs of this user."""
    base = os.environ.get("DLUTIL_LOCKS") or os.path.join(
        tempfile.gettempdir(), f"dlutil-devices-{os.getuid()}"
    )
    return Path(base)


def lock_name(device: str, place: int) -> str:
    """The file that stands for a place on a device.

    A scheduler's job has its devices for itself, and may see another job's device 0 by the same
    number: its locks are its own.
    """
    job = next((os.environ[name] for name in JOB_VARIABLES if name in os.environ), "")
    words = [job, device, str(place)] if job else [device, str(place)]
    return "-".join(words).replace("/", "_") + ".lock"


def _wait_for_places(names: list[str], per_device: int, alone: bool) -> tuple[int, list[int]]:
    """The index of a device and the handles of the locks that are held on it."""
    lock_folder().mkdir(parents=True, exist_ok=True)
    while True:
        for place in range(1 if alone else per_device):
            for index, name in enumerate(names):
                handle = _locked(name, place)
                if handle is None:
                    continue
                # Whoever wants all places takes them in order, so that no two wait for each other.
                rest = range(1, per_device) if alone else ()
                return index, [handle, *(_wait_for(name, other) for other in rest)]
        time.sleep(POLL_SECONDS)


def _wait_for(name: str, place: int) -> int:
    while True:
        handle = _locked(name, place)
        if handle is not None:
            return handle
        time.sleep(POLL_SECONDS)


def _locked(name: str, place: int) -> int | None:
    """A handle that holds the place's lock, or `None` where another holds it."""
    path = lock_folder() / lock_name(name, place)
    with _holding:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return None
        _held.add(handle)
    return handle


def _let_go(handle: int) -> None:
    """Free a place; in a forked process, which never had it, nothing."""
    with _holding:
        if handle in _held:
            _held.remove(handle)
            os.close(handle)
