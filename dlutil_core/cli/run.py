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

from dlutil_core.common.errors import UserError
from dlutil_core.common.files import sentence_of
from dlutil_core.common.result_folder import RUN_NOTE
from dlutil_core.common.shown_text import shown
from dlutil_core.run.checks import check
from dlutil_core.run.config import workflow_folder
from dlutil_core.run.run_config import EXISTING, RunConfig

PREAMBLE = ("Using workflow", "Assuming", "Building DAG", "Config file")

EPILOG = (
    "NAME=VALUE before the command reaches def.py; the variables that def.py names in os.environ "
    "or os.getenv are part of the run. What follows -- goes to snakemake as it is (-- -n is a dry "
    "run)."
)


def main(arguments: list[str], program: str = "main.py") -> int:
    """Run the workflow as the flags say; returns the exit code."""
    words, passed_on = _divided(arguments)
    flags = parser(program).parse_args(words)
    try:
        config = config_of(flags, os.environ)
        run = RunConfig(config, source=program)
        check(run)
        return run_workflow(run, config, flags, passed_on)
    except (UserError, OSError) as error:
        print(f"error: {shown(sentence_of(error, program))}", file=sys.stderr)
        return 1


def parser(program: str) -> argparse.ArgumentParser:
    """The documented flags."""
    made = argparse.ArgumentParser(
        prog=program,
        allow_abbrev=False,
        description="Search hyperparameters, train, test and predict with the model of a def.py.",
        epilog=EPILOG,
    )
    add = made.add_argument
    add("-f", "--model", required=True, metavar="DEF.PY", help="your def.py")
    add("-y", "--hyper", action="store_true", help="search hyperparameters and train")
    add("-e", "--eval", action="store_true", help="test the best model")
    add("-p", "--predict", nargs="+", default=[], metavar="PATTERN", help="files below --data")
    add("-d", "--data", required=True, metavar="DIR", help="data_dir of the loaders")
    add("-r", "--result", required=True, metavar="DIR", help="folder of the results")
    add("-ep", "--epoch", default="27", metavar="N", help="epochs of a trial at most (27)")
    add("-bs", "--batch-size", default="100", metavar="N", help="training batch size (100)")
    add("-c", "--cpu", action="store_true", help="do not use a GPU")
    add("--debug", action="store_true", help="one trial, one epoch, into RESULT/debug")
    add("--seed", default="1", metavar="N", help="seed of the run (1)")
    add("--cores", default="all", metavar="N", help="cores to use (all)")
    add(
        "--jobs",
        choices=["auto", "bracket", "trial"],
        default="auto",
        help="how a search is divided",
    )
    add(
        "--data-files",
        action="append",
        default=[],
        metavar="STAGE=GLOB",
        help="files below --data that train or test reads; may be given again",
    )
    return made


def config_of(flags: argparse.Namespace, environment: Mapping[str, str]) -> dict[str, Any]:
    """The config that the flags stand for."""
    if not (flags.hyper or flags.eval or flags.predict or flags.debug):
        raise UserError("nothing to do: give --hyper, --eval or --predict (see --help)")
    if flags.cores != "all":
        whole_number("--cores", flags.cores, least=1)
    search: dict[str, Any] = {
        "method": "hyperband",
        "max_epochs": whole_number("--epoch", flags.epoch, least=1),
        "jobs": flags.jobs,
    }
    config: dict[str, Any] = {
        "definition": flags.model,
        "data": flags.data,
        "result": flags.result,
        "seed": whole_number("--seed", flags.seed, least=0),
        "device": "cpu" if flags.cpu else "auto",
        "batch_size": whole_number("--batch-size", flags.batch_size, least=1),
        "search": search,
        "evaluate": flags.eval,
        "predict": flags.predict,
        "data_files": data_files_of(flags.data_files),
    }
    if flags.debug:
        config |= {"result": str(Path(flags.result, "debug")), "batch_size": 2}
        search |= {"max_epochs": 1}
    elif not flags.hyper:
        search |= {"method": EXISTING}
    analysis = RunConfig(config).analysis
    config["env"] = {n: environment[n] for n in analysis.environment if n in environment}
    return config


def data_files_of(pairs: list[str]) -> dict[str, list[str]]:
    """`--data-files train=GLOB …` as the config's section."""
    found: dict[str, list[str]] = {}
    for pair in pairs:
        stage, equals, pattern = pair.partition("=")
        if stage not in ("train", "test") or not equals or not pattern:
            raise UserError(
                f"--data-files is '{pair}', but must be train=GLOB or test=GLOB, for example "
                "train='train*.h5'"
            )
        found.setdefault(stage, []).append(pattern)
    return found


def whole_number(flag: str, text: str, least: int) -> int:
    """A flag's value as a whole number of at least `least`."""
    if not text.isascii() or not text.isdigit() or int(text) < least:
        raise UserError(f"{flag} is {text}, but must be a whole number of at least {least}")
    return int(text)


def run_workflow(
    run: RunConfig, config: dict[str, Any], flags: argparse.Namespace, passed_on: list[str] | None
) -> int:
    """Call snakemake; without arguments of its own it is quiet, and the jobs speak."""
    import yaml

    path = Path(run.result, "logs", "config.yaml")
    path.parent.mkdir(parents=True, exist_ok=True)
    written = config | {"env": dict.fromkeys(config["env"])}  # values may be secrets
    path.write_text(yaml.safe_dump(written, sort_keys=False), encoding="utf-8")
    command = [sys.executable, "-m", "snakemake"]
    command += ["--snakefile", str(workflow_folder() / "Snakefile"), "--configfile", str(path)]
    command += ["--cores", flags.cores]
    environment = dict(os.environ, DLUTIL_DEBUG="1") if flags.debug else dict(os.environ)
    if passed_on is not None:
        return _ended(subprocess.Popen(command + passed_on, env=environment))
    # The jobs speak for themselves; Snakemake's own account stays in .snakemake/log.
    environment["DLUTIL_QUIET"] = "1"
    began = time.time_ns()
    code = _ended(subprocess.Popen([*command, "--quiet", "all"], env=environment))
    if code == 1 and not _written(Path(run.result, RUN_NOTE), began):
        tell_why(command, environment)
    if code == 0 and not _written(Path(run.result, "MANIFEST.sha256"), began):
        print(f"Nothing has changed: the results in {run.result}/ are up to date", file=sys.stderr)
    return code


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
