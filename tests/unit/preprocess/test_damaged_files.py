"""Some damaged raw files; `make fuzz` tries thousands."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "fuzz"))

import mutation


def test_damaged_files_give_a_whole_output_or_a_sentence(tmp_path: Path) -> None:
    logging.disable(logging.CRITICAL)
    try:
        outcomes = mutation.damage_many(240, 5, tmp_path / "files")
    finally:
        logging.disable(logging.NOTSET)
    assert outcomes["refused"] > 50 and outcomes["ok"] > 20
