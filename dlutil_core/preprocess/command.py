"""A user's own command that makes the data files."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from dlutil_core.common.errors import UserError
from dlutil_core.common.logs import log
from dlutil_core.preprocess.read.text_files import readable
from dlutil_core.preprocess.section import Command


def run_command(command: Command, data: Path, seed: int) -> None:
    """Run the command in the working directory and check that its outputs are there.

    ``{data}`` and ``{seed}`` in the command are filled in; ``python`` is the running interpreter.
    If the command fails, its outputs are removed.

    Raises
    ------
    UserError
        The command ends with an exit code other than 0, or leaves an output out.
    """
    data.mkdir(parents=True, exist_ok=True)
    text = command.command.replace("{data}", str(data)).replace("{seed}", str(seed))
    outputs = [data / file for files in command.outputs.values() for file in files]
    for output in outputs:
        output.parent.mkdir(parents=True, exist_ok=True)
    folder = str(Path(sys.executable).parent)
    environment = os.environ | {"PATH": folder + os.pathsep + os.environ.get("PATH", "")}
    log.info(f"preprocessing: {text}")
    done = subprocess.run(
        text,
        shell=True,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    said = done.stdout.decode("utf-8", "replace").strip()
    if said:
        log.info(said)
    missing = [str(output) for output in outputs if not output.is_file()]
    if done.returncode != 0 or missing:
        for output in outputs:
            with suppress(OSError):
                output.unlink()
    if done.returncode != 0:
        last = readable(said.splitlines()[-1], 200) if said else "it said nothing"
        raise UserError(
            f"preprocess.command: {text!r} ended with exit code {done.returncode} ({last});"
            " correct the command"
        )
    if missing:
        raise UserError(
            f"preprocess.command: {text!r} did not make {missing[0]}; correct the command or its"
            " outputs"
        )
