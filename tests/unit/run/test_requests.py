"""The flag that makes a step run: newer than anything, also after a copy of its folder."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from dlutil_core.run.requests import FOLDER, stale_flag


def followed() -> None:
    """A copy whose maker followed the link."""
    shutil.copytree(FOLDER, "copy")
    shutil.rmtree(FOLDER)
    shutil.move("copy", FOLDER)


def turned() -> None:
    (FOLDER / "stale").unlink()
    (FOLDER / "other").write_text("other")
    (FOLDER / "stale").symlink_to("other")


def lost() -> None:
    (FOLDER / "stale.target").unlink()


@pytest.mark.parametrize("change", [followed, turned, lost])
def test_the_flag_is_newer_than_anything_and_older_than_outputs(
    change: Callable[[], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    stale_flag(writes=True)
    change()
    flag = stale_flag(writes=True)
    assert os.stat(flag).st_mtime > time.time() + 86400
    assert os.lstat(flag).st_mtime < time.time() - 86400
