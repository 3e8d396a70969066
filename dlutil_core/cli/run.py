"""`main.py` and `dlutil run`: flags become the config, the workflow does the rest."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dlutil_core.cli.run_flags import config_of, parser
from dlutil_core.common.errors import UserError
from dlutil_core.common.files import sentence_of
from dlutil_core.common.result_folder import RUN_NOTE
from dlutil_core.common.shown_text import shown
from dlutil_core.run.checks import check
from dlutil_core.run.config import workflow_folder
from dlutil_core.run.lifecycle import say, sentences
from dlutil_core.run.run_config import RunConfig
from dlutil_core.run.summary import summary

PREAMBLE = ("Using workflow", "Assuming", "Building DAG", "Config file")


def main(arguments: list[str], program: str = "main.py") -> int:
    """Run the workflow as the flags say; returns the exit code."""
    words, passed_on = _divided(arguments)
    flags = parser(program).parse_args(words)
    try:
        config = config_of(flags, os.environ)
        run = RunConfig(config, source=str(flags.config or program))
        check(run)
        return run_workflow(run, config, flags, passed_on)
    except (UserError, OSError) as error:
        text = sentence_of(error, program) + _looked_in(flags.config, error)
        print(f"error: {shown(text)}", file=sys.stderr)
        return 1


def _looked_in(config: Path | None, error: Exception) -> str:
    """Where paths were looked for, if a config of another folder names one that is not there."""
    if config is None or config.absolute().parent == Path.cwd():
        return ""
    if not any(words in str(error) for words in ("no such file", "matches no file", "No such")):
        return ""
    return (
        f"; paths in {config} hold from the folder that the command is given in, which is "
        f"{Path.cwd()}; go to {config.parent}, or correct the paths"
    )


def run_workflow(
    run: RunConfig, config: dict[str, Any], flags: argparse.Namespace, passed_on: list[str] | None
) -> int:
    """Call snakemake; without arguments of its own it is quiet, and the jobs speak."""
    import yaml

    path = Path(run.result, "logs", "config.yaml")
    path.parent.mkdir(parents=True, exist_ok=True)
    written = config | {"env": dict.fromkeys(run.values["env"])}  # values may be secrets
    run.set_environment()
    path.write_text(yaml.safe_dump(written, sort_keys=False), encoding="utf-8")
    command = [sys.executable, "-m", "snakemake"]
    command += ["--snakefile", str(workflow_folder() / "Snakefile"), "--configfile", str(path)]
    command += ["--cores", flags.cores]
    environment = dict(os.environ, DLUTIL_DEBUG="1") if flags.debug else dict(os.environ)
    if passed_on is not None or flags.verbose:
        return _ended(subprocess.Popen(command + (passed_on or []), env=environment))
    # The jobs speak for themselves; Snakemake's own account stays in .snakemake/log.
    environment["DLUTIL_QUIET"] = "1"
    command += profile_words()
    began = time.time_ns()
    code = _ended(subprocess.Popen([*command, "--quiet", "all"], env=environment))
    if code == 1 and not _written(Path(run.result, RUN_NOTE), began):
        tell_why(command, environment)
    elif code == 1 and not sentences(Path(run.result, "logs"), began / 1e9):
        print(
            f"error: a job ended without saying why; its log is in {run.result}/logs, and the same "
            "command goes on where it stopped",
            file=sys.stderr,
        )
    if code == 0 and not _written(Path(run.result, "MANIFEST.sha256"), began):
        say(f"Nothing to be done: nothing has changed, the results in {run.result}/ are up to date")
        for line in summary(run):
            say(line)
    return code


def profile_words() -> list[str]:
    """The workflow's default profile as arguments: Snakemake names a profile that it reads.

    Empty where the working directory has a profile of its own, which Snakemake takes instead.
    """
    import yaml

    profile = workflow_folder() / "profiles" / "default" / "config.yaml"
    for own in (Path("default", "config.yaml"), Path("profiles", "default", "config.yaml")):
        if own.exists() and not own.samefile(profile):
            return []
    words = ["--workflow-profile", "none"]
    for key, value in yaml.safe_load(profile.read_text(encoding="utf-8")).items():
        if value is False or key == "quiet":
            continue
        words.append(f"--{key}")
        if value is not True:
            words += [str(item) for item in (value if isinstance(value, list) else [value])]
    return words


def _written(path: Path, since: int) -> bool:
    """Whether a file was written after this time in nanoseconds."""
    return path.exists() and path.stat().st_mtime_ns >= since


def tell_why(command: list[str], environment: Mapping[str, str]) -> None:
    """Print why Snakemake could not begin, which `--quiet all` does not."""
    words = [*command, "--dry-run", "--quiet", "progress", "rules", "host", "reason"]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line.strip() for line in (done.stdout + done.stderr).splitlines()]
        told = [line for line in lines if line and not line.startswith(PREAMBLE)]
        print(f"error: snakemake cannot begin: {shown(' '.join(told))}", file=sys.stderr)


def _ended(process: subprocess.Popen[bytes]) -> int:
    """Wait for snakemake, which gets a Ctrl-C of the terminal itself."""
    interrupted = False
    while True:
        try:
            code = process.wait()
            break
        except KeyboardInterrupt:
            interrupted = True
    if interrupted:
        print("interrupted: the same command goes on where it stopped", file=sys.stderr)
        return 130
    return 1 if code else 0


def _divided(arguments: list[str]) -> tuple[list[str], list[str] | None]:
    """Our own arguments, and what follows `--`, if there is one."""
    if "--" not in arguments:
        return arguments, None
    place = arguments.index("--")
    return arguments[:place], arguments[place + 1 :]
