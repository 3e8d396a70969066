"""What users write reaches terminals, logs, pages and tables without its control characters."""

from __future__ import annotations

import io
import logging
from pathlib import Path

import h5py
import numpy as np
import pytest

from dlutil_core.common import shown_text
from dlutil_core.common.logs import log, start_logging
from dlutil_core.common.shown_text import shown, shown_cell
from dlutil_core.job.loaded_run import LoadedRun
from dlutil_core.job.run_spec import RunSpec
from dlutil_core.report.chart import escape
from dlutil_core.report.page import _finalized
from dlutil_core.trained.predict import write_table

ESCAPES = "a\x1b[31mred\x07\x9b\u202edcba\u2066\x00\r"
SAFE = r"a\x1b[31mred\x07\x9b\u202edcba\u2066\x00\r"


def test_control_characters_are_escaped() -> None:
    assert shown(ESCAPES) == SAFE
    assert shown("two\nlines\tand é 名 – \U0001f9ec") == "two\nlines\tand é 名 – \U0001f9ec"
    assert shown_cell("two\nlines\tx") == r"two\nlines\tx"
    assert escape(ESCAPES + "<") == SAFE + "&lt;"
    assert _finalized(ESCAPES) == SAFE


@pytest.mark.parametrize(
    "text", ["=1+1", "+cmd", "-x", "@SUM(A1)", "\t=1", "\r=1", "-", "=", "-1_0"]
)
def test_formulas_are_texts(text: str) -> None:
    assert shown_cell(text).startswith("'")


@pytest.mark.parametrize("text", ["-1.5", "+3", "-1e-5", "-inf", "chr1:5-9", "a=b", "", "1"])
def test_numbers_and_names_stay(text: str) -> None:
    assert shown_cell(text) == text


def test_secrets_are_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shown_text, "_hidden", {})
    monkeypatch.setenv("TOKEN_OF_TEST", "s3cr3t-token")
    monkeypatch.setenv("KIND_OF_TEST", "cpu")
    LoadedRun(RunSpec("def.py", "", 1, 0, env=("TOKEN_OF_TEST", "KIND_OF_TEST", "UNSET_OF_TEST")))
    assert shown("cpu: ValueError: bad s3cr3t-token!") == "cpu: ValueError: bad $TOKEN_OF_TEST!"


def test_logs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    handlers = list(log.handlers)
    try:
        start_logging(tmp_path / "job.log")
        log.error("error: %s", ESCAPES)
        try:
            raise ValueError(ESCAPES)
        except ValueError:
            log.exception("traceback of")
        logging.shutdown()
    finally:
        log.handlers[:] = handlers
        log.propagate = True
    for text in (capsys.readouterr().err, (tmp_path / "job.log").read_text()):
        assert f"error: {SAFE}" in text and text.count("\x1b") == 0 and "\n" in text


def test_names_beside_predictions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["=HYPERLINK(1)", "-1", "chr1:1-5(+)", "x\ty\x1b[2J", "名"]
    with h5py.File(tmp_path / "p.h5", "w") as file:
        file["name"] = names
        file["data"] = np.zeros((5, 2))
    # As in a locale that lacks most letters.
    monkeypatch.setattr(io, "text_encoding", lambda encoding, *_: encoding or "ascii")
    write_table(tmp_path / "p.tsv", str(tmp_path / "p.h5"), np.zeros(5, "float32"))
    lines = (tmp_path / "p.tsv").read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t")[0] for line in lines]
    assert rows == ["name", "'=HYPERLINK(1)", "-1", "chr1:1-5(+)", r"x\ty\x1b[2J", "名"]
