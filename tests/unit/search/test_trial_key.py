"""What a trial's key holds of the device: the kind that trains, not how the config asks for it."""

from __future__ import annotations

from pathlib import Path

from small_search import SmallSearch

from dlutil_core.job.loaded_run import LoadedRun
from dlutil_core.search.trial_key import trial_key


def key(folder: Path, asked: str, found: str) -> str:
    """The key of a trial where `device` is `asked`, on a machine where that is `found`."""
    search = SmallSearch(folder, device=asked)
    loaded = LoadedRun(search.spec)
    loaded.__dict__["device_kind"] = found  # no GPU is needed to compare keys
    return trial_key(loaded, search.plan.trials[0])


def test_a_key_holds_the_device_that_was_found(tmp_path: Path) -> None:
    assert key(tmp_path, "auto", "cpu") == key(tmp_path, "cpu", "cpu")
    assert key(tmp_path, "auto", "cuda") == key(tmp_path, "cuda", "cuda")
    assert key(tmp_path, "auto", "cuda") != key(tmp_path, "auto", "cpu")
