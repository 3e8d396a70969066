"""The flags of `main.py` and `dlutil run`, and the config that they stand for."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dlutil_core.common.errors import UserError
from dlutil_core.run.config import read_config
from dlutil_core.run.run_config import EXISTING, RunConfig

EPILOG = (
    "With a CONFIG, flags that are given replace its keys. NAME=VALUE before the command reaches"
    " def.py; without a CONFIG the variables that def.py names in os.environ or os.getenv are part "
    "of the run. What follows -- goes to snakemake as it is (-- -n is a dry run)."
)

NEEDED = {"model": "-f/--model", "data": "-d/--data", "result": "-r/--result"}
"""Flags that a run without a config file needs."""


def parser(program: str) -> argparse.ArgumentParser:
    """The documented flags."""
    made = argparse.ArgumentParser(
        prog=program,
        allow_abbrev=False,
        description="Search hyperparameters, train, test and predict with the model of a def.py.",
        epilog=EPILOG,
    )
    add = made.add_argument
    add("config", nargs="?", type=Path, metavar="CONFIG", help="a config.yaml, instead of -f -d -r")
    add("-f", "--model", metavar="DEF.PY", help="your def.py")
    add("-y", "--hyper", action="store_true", help="search hyperparameters and train")
    add("-e", "--eval", action="store_true", help="test the best model")
    add("-p", "--predict", nargs="+", default=[], metavar="PATTERN", help="files below --data")
    add("-d", "--data", metavar="DIR", help="data_dir of the loaders")
    add("-r", "--result", metavar="DIR", help="folder of the results")
    add("-ep", "--epoch", metavar="N", help="epochs of a trial at most (27)")
    add("-bs", "--batch-size", metavar="N", help="training batch size (100)")
    add("-c", "--cpu", action="store_true", help="do not use a GPU")
    add("--debug", action="store_true", help="one trial, one epoch, into RESULT/debug")
    add("--seed", metavar="N", help="seed of the run (1)")
    add("--cores", default="all", metavar="N", help="cores to use (all)")
    add("--jobs", choices=["auto", "bracket", "trial"], help="how a search is divided (auto)")
    add(
        "--data-files",
        action="append",
        default=[],
        metavar="STAGE=GLOB",
        help="files below --data that train or test reads; may be given again",
    )
    add("--verbose", action="store_true", help="also show Snakemake's own account")
    return made


def config_of(flags: argparse.Namespace, environment: Mapping[str, str]) -> dict[str, Any]:
    """The config that the flags stand for.

    Raises
    ------
    UserError
        A flag is missing or is not what it must be, or the config file cannot be read.
    """
    if flags.cores != "all":
        whole_number("--cores", flags.cores, least=1)
    config = _of_file(flags) if flags.config is not None else _of_flags(flags)
    search = config["search"] = dict(config.get("search") or {})
    if flags.debug:
        config |= {"result": str(Path(config["result"], "debug")), "batch_size": 2}
        search |= {"method": "hyperband", "max_epochs": 1, "sampler": None}
    if flags.config is None:
        analysis = RunConfig(config).analysis
        config["env"] = {n: environment[n] for n in analysis.environment if n in environment}
    return config


def _of_flags(flags: argparse.Namespace) -> dict[str, Any]:
    """The config of a run without a file."""
    missing = [flag for name, flag in NEEDED.items() if getattr(flags, name) is None]
    if missing:
        raise UserError(f"{', '.join(missing)}: missing; give them, or a config.yaml (see --help)")
    if not (flags.hyper or flags.eval or flags.predict or flags.debug):
        raise UserError("nothing to do: give --hyper, --eval or --predict (see --help)")
    config: dict[str, Any] = {"seed": 1, "device": "auto", "batch_size": 100}
    config["search"] = {"method": "hyperband", "max_epochs": 27, "jobs": "auto"}
    config |= {"evaluate": False, "predict": [], "data_files": {}}
    _replace(config, flags)
    if not (flags.hyper or flags.debug):
        config["search"]["method"] = EXISTING
    return config


def _of_file(flags: argparse.Namespace) -> dict[str, Any]:
    """The config of a file, with the keys that flags replace."""
    config = read_config(flags.config)
    config["search"] = dict(config.get("search") or {})
    _replace(config, flags)
    if flags.hyper and config["search"].get("method") == EXISTING:
        config["search"]["method"] = "hyperband"
    if flags.debug and not isinstance(config.get("result"), str):
        raise UserError(f"{flags.config}: names no result folder (result), which --debug needs")
    return config


def _replace(config: dict[str, Any], flags: argparse.Namespace) -> None:
    """Put the flags that are given into a config."""
    given = {"definition": flags.model, "data": flags.data, "result": flags.result}
    config |= {key: value for key, value in given.items() if value is not None}
    if flags.seed is not None:
        config["seed"] = whole_number("--seed", flags.seed, least=0)
    if flags.batch_size is not None:
        config["batch_size"] = whole_number("--batch-size", flags.batch_size, least=1)
    if flags.epoch is not None:
        config["search"]["max_epochs"] = whole_number("--epoch", flags.epoch, least=1)
    if flags.jobs is not None:
        config["search"]["jobs"] = flags.jobs
    if flags.cpu:
        config["device"] = "cpu"
    if flags.eval:
        config["evaluate"] = True
    if flags.predict:
        config["predict"] = flags.predict
    if flags.data_files:
        config["data_files"] = data_files_of(flags.data_files)


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
