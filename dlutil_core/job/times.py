"""When a step's job worked, how long and on what: `logs/times/<step>.json`, which is no result.

And how long a search was expected to take, where `dlutil plan --hours` was asked.
"""

from __future__ import annotations

import os
import platform
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dlutil_core.common.errors import UserError
from dlutil_core.common.files import read_json, write_json
from dlutil_core.common.result_folder import EXPECTED, step_times


@dataclass(frozen=True)
class StepTimes:
    """The work of one job.

    Parameters
    ----------
    began
        Seconds since 1970.
    seconds
        How long it took.
    host, processor, gpu
        Names; `gpu` is empty where none was used.
    cores
        How many the job could use.
    """

    began: float
    seconds: float
    host: str
    processor: str
    cores: int
    gpu: str = ""

    @classmethod
    def since(cls, began: float) -> StepTimes:
        """Of a job that began then, in this process, and ends now."""
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        seconds = time.time() - began
        return cls(began, seconds, platform.node(), processor(), cores or 1, gpu())

    def write(self, result: str, step: str) -> None:
        """Keep it; where it cannot be kept, nothing is lost."""
        with suppress(OSError):
            write_json(Path(result, step_times(step)), asdict(self))

    @classmethod
    def read(cls, result: str, step: str) -> StepTimes | None:
        """What was kept of a step's last job; `None` where nothing was."""
        path = Path(result, step_times(step))
        if not path.is_file():
            return None
        try:
            found: dict[str, Any] = read_json(path)
            return cls(**found)
        except (UserError, TypeError):
            return None


@dataclass(frozen=True)
class Expected:
    """How long a search was expected to take.

    Parameters
    ----------
    settings
        Those of its plan.
    cores
        How many it was to have.
    seconds
        From the first job of the search to its last.
    """

    settings: dict[str, Any]
    cores: int
    seconds: float

    @staticmethod
    def write(result: str, told: list[Expected]) -> None:
        """Keep what was told, in place of what was told before."""
        Path(result, EXPECTED).parent.mkdir(parents=True, exist_ok=True)
        write_json(Path(result, EXPECTED), [asdict(one) for one in told])

    @classmethod
    def read(cls, result: str, settings: dict[str, Any]) -> Expected | None:
        """What was told of a search with these settings; `None` where nothing was."""
        with suppress(UserError, OSError, TypeError):
            told = [cls(**one) for one in read_json(Path(result, EXPECTED))]
            return next((one for one in told if one.settings == settings), None)
        return None


def seconds_of_jobs(result: str, steps: list[str], since: float) -> float | None:
    """From the beginning of the first of these steps' jobs to the end of the last.

    `None` unless each of them worked since then.
    """
    found = [StepTimes.read(result, step) for step in steps]
    worked = [times for times in found if times is not None and times.began >= since]
    if not worked or len(worked) < len(steps):
        return None
    return max(t.began + t.seconds for t in worked) - min(t.began for t in worked)


def processor() -> str:
    """What the processor is called."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def gpu() -> str:
    """The GPU that this process has used; empty where it has used none."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return ""
    return str(torch.cuda.get_device_name())
