"""How a job ends: its exit code, and what it says."""

from __future__ import annotations

import subprocess
import sys

import pytest

ENDING = """
import argparse
from dlutil_core.common.errors import UserError
from dlutil_core.job import script

def main(arguments):
    {how}

script.run(main, argparse.Namespace(log=None))
"""


@pytest.mark.parametrize(
    ("how", "code", "told"),
    [
        ("raise SystemExit(0)", 1, "error: the definition ended the program (0); raise an error"),
        ("exit(3)", 1, "error: the definition ended the program (3); raise an error"),
        ("raise UserError('no data')", 1, "error: no data\n"),
        ("pass", 0, ""),
    ],
)
def test_a_job_never_ends_without_a_word(how: str, code: int, told: str) -> None:
    command = [sys.executable, "-c", ENDING.format(how=how)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert done.stderr.startswith(told)
