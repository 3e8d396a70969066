"""Command-line arguments that scripts share, and the run that they describe."""

from __future__ import annotations

import argparse
from dataclasses import fields
from pathlib import Path
from typing import Any

from dlutil_core.common.hashes import joint_digest, read_digests
from dlutil_core.job.run_spec import RunSpec
from dlutil_core.model.options import TrainingOptions


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of every script that executes `def.py`."""
    parser.add_argument("--definition", required=True, help="path of def.py")
    parser.add_argument("--data", required=True, help="data_dir of the loaders")
    parser.add_argument("--seed", type=int, required=True, help="seed of the run")
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--threads-per-trial", type=int, default=1)
    parser.add_argument("--batch-size", type=int, default=1)
    parser.add_argument("--trials-per-gpu", type=int, default=1)
    parser.add_argument("--env", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--option", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--fingerprint", default="", help="of the stage's part of def.py")
    parser.add_argument("--trials", default="", help="folder of the trials' memos")
    parser.add_argument("--tensorboard", default="", help="folder of event files; empty: none")
    parser.add_argument("--epoch-timeout", type=float, help="minutes that an epoch may take")
    parser.add_argument(
        "--digests", nargs="*", default=[], help="files with hashes of the stage's data"
    )
    parser.add_argument(
        "--watch-files", action="store_true", help="warn of files read without a digest"
    )


def run_spec_of(arguments: argparse.Namespace) -> RunSpec:
    """The run that these arguments describe."""
    digests = read_digests(arguments.digests)
    if arguments.watch_files:
        from dlutil_core.definition.opened_files import name_files

        name_files(arguments.data, [str(Path(arguments.data, name)) for name in digests])
    return RunSpec(
        definition=arguments.definition,
        data_dir=arguments.data,
        batch_size=arguments.batch_size,
        seed=arguments.seed,
        device=arguments.device,
        threads=arguments.threads_per_trial,
        options=parsed_options(arguments.option),
        env=dict(pair.split("=", 1) for pair in arguments.env),
        fingerprint=arguments.fingerprint,
        train_digest=joint_digest(digests),
        trials_dir=arguments.trials,
        trials_per_gpu=arguments.trials_per_gpu,
        tensorboard=arguments.tensorboard,
        epoch_timeout=arguments.epoch_timeout,
    )


def parsed_options(pairs: list[str]) -> TrainingOptions:
    """Training options from texts such as `early_stop=5`."""
    kinds = {field.name: str(field.type) for field in fields(TrainingOptions)}
    values: dict[str, Any] = {}
    for pair in pairs:
        name, _, text = pair.partition("=")
        if "float" in kinds[name]:
            values[name] = float(text)
        elif "int" in kinds[name]:
            values[name] = int(text)
        elif "bool" in kinds[name]:
            values[name] = text == "True"
        else:
            values[name] = text
    return TrainingOptions(**values)
