"""The command lines of the scripts: written by the workflow, read by the scripts."""

from __future__ import annotations

import argparse
import json
import shlex
from pathlib import Path
from typing import Any

from dlutil_core.common import result_folder
from dlutil_core.job.run_spec import RunSpec
from dlutil_core.members.repeat import Member
from dlutil_core.model.options import TrainingOptions
from dlutil_core.preprocess import kept_encoding
from dlutil_core.preprocess import parts as data_parts
from dlutil_core.run.result_files import summary_files, tested_files
from dlutil_core.run.run_config import RunConfig


def run_arguments(run: RunConfig, stage: str, fold: int = 0, trials: str = "") -> str:
    """Arguments that the scripts of a stage share, quoted for a shell.

    Values stand behind an equals sign, so that one may begin with a dash.

    Parameters
    ----------
    fold
        Whose data are used; files to predict belong to none.
    trials
        The folder of trials' memos below the result folder; empty: the search's.
    """
    values = run.values
    files = run.files_of(fold)
    given: dict[str, Any] = {
        "definition": run.definition,
        "data": run.data if stage == "predict" else files.data_dir,
        "result": run.result,
        "seed": run.seed,
        "device": values["device"],
        "threads-per-trial": run.search["threads_per_trial"],
        "trials-per-gpu": values["trials_per_gpu"],
        "stage": stage,
        "fingerprint": run.analysis.fingerprints[stage],
        "options": json.dumps(run.options.identity(), sort_keys=True),
    }
    if stage in ("train", "baseline"):
        given["batch-size"] = values["batch_size"]
    if stage == "train":
        trials = trials or result_folder.TRIALS
        given["trials"] = f"{run.result}/{trials}"
        if run.search["epoch_timeout"] is not None:
            given["epoch-timeout"] = run.search["epoch_timeout"]
        if values["tensorboard"]:
            given["tensorboard"] = f"{run.result}/{result_folder.TENSORBOARD}"
    words = [f"--{name}={value}" for name, value in given.items()]
    words += [f"--env={name}" for name in sorted(values["env"])]
    for part in ("train", "test") if stage == "baseline" else (stage,):
        if part in values["data_files"]:
            words += [f"--data-file={run.data}/{name}" for name in files.of_stage(part)]
    words += [f"--definition-file={path}" for path in run.definition_files]
    return shlex.join(words)


def evaluate_arguments(run: RunConfig, fold: int = 0) -> str:
    """Arguments of the evaluation of the best model or of a fold's member, quoted for a shell."""
    names = shlex.join(f"--label-name={name}" for name in run.label_names)
    return f"{run_arguments(run, 'test', fold)} {names}".rstrip()


def member_arguments(run: RunConfig, member: Member) -> str:
    """Arguments of a member's training, quoted for a shell; it has memos of its own."""
    trials = f"{result_folder.MEMBER_TRIALS}/{member.name}"
    given = run_arguments(run, "train", member.fold, trials)
    return f"{given} --fold={member.fold} --member={member.seed}"


def summary_arguments(run: RunConfig) -> str:
    """Arguments of what is told of all members together, quoted for a shell."""
    stage, tested = ("test", " --tested") if run.values["evaluate"] else ("train", "")
    files = [f"--tested-file={run.data}/{name}" for name in tested_files(run).values()]
    folded = " --folded" if result_folder.OUT_OF_FOLD in summary_files(run) else ""
    return f"{run_arguments(run, stage)}{tested}{folded} {shlex.join(files)}".rstrip()


def baseline_arguments(run: RunConfig) -> str:
    """Arguments of the baseline, quoted for a shell."""
    kmer = run.values["baseline"]["kmer"]
    words = [f"--label-name={name}" for name in run.label_names]
    words += [] if kmer is None else [f"--kmer={kmer}"]
    return f"{run_arguments(run, 'baseline')} {shlex.join(words)}".rstrip()


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of every script that executes `def.py`."""
    add = parser.add_argument
    add("--definition", required=True, help="path of def.py")
    add("--data", required=True, help="data_dir of the loaders")
    add("--result", default="", help="the result folder")
    add("--seed", type=int, required=True, help="seed of the run")
    add("--device", default="auto", choices=["auto", "cpu", "cuda"])
    add("--threads-per-trial", type=int, default=1)
    add("--batch-size", type=int, default=1)
    add("--trials-per-gpu", type=int, default=1)
    add("--stage", default="train", help="the part of def.py that is used")
    add("--fingerprint", default="", help="of that part")
    add("--options", type=json.loads, default={}, help="of training, as JSON")
    add("--env", action="append", default=[], metavar="NAME", help="a variable of the run")
    add("--data-file", action="append", default=[], help="a file that the stage reads")
    add("--definition-file", action="append", default=[], help="a file that def.py reads")
    add("--trials", default="", help="folder of the trials' memos")
    add("--tensorboard", default="", help="folder of event files; empty: none")
    add("--epoch-timeout", type=float, help="minutes that an epoch may take")
    add("--measured", type=Path, help="where Snakemake writes what the job used")


def run_spec_of(arguments: argparse.Namespace) -> RunSpec:
    """The run that these arguments describe."""
    return RunSpec(
        definition=arguments.definition,
        data_dir=arguments.data,
        batch_size=arguments.batch_size,
        seed=arguments.seed,
        device=arguments.device,
        threads=arguments.threads_per_trial,
        options=TrainingOptions(**arguments.options),
        env=tuple(sorted(arguments.env)),
        stage=arguments.stage,
        fingerprint=arguments.fingerprint,
        result=arguments.result,
        data_files=tuple(arguments.data_file),
        definition_files=tuple(arguments.definition_file),
        trials_dir=arguments.trials,
        trials_per_gpu=arguments.trials_per_gpu,
        tensorboard=arguments.tensorboard,
        epoch_timeout=arguments.epoch_timeout,
    )


def plan_arguments(run: RunConfig) -> str:
    """Arguments of the plan, quoted for a shell."""
    words = [f"--{k.replace('_', '-')}={run.search[k]}" for k in ("method", "max_epochs", "eta")]
    if run.plan.is_staged:
        words.append(f"--sampler={run.plan.sampler}")
    if run.search["method"] == "fixed":
        words.append(f"--config={json.dumps(run.search['config'], sort_keys=True)}")
    if run.start:
        words.append(f"--start={json.dumps(run.start)}")
    return shlex.join(words)


def encoding_arguments(run: RunConfig) -> str:
    """How the data are encoded, for what is kept of it with the model; quoted for a shell."""
    words = [f"--section={json.dumps(run.section, sort_keys=True)}"]
    words += [f"--encoding={run.data}/{name}" for name in kept_encoding.told_files(run.section)]
    return shlex.join(words)


def variant_arguments(run: RunConfig, name: str) -> str:
    """Arguments that name a VCF file and its genome, quoted for a shell."""
    return shlex.join(f"--{key}={run.variants[name][key]}" for key in ("vcf", "genome"))


def explain_arguments(run: RunConfig) -> str:
    """Arguments of the explanation, quoted for a shell."""
    section = run.values["explain"]
    words = [f"--{k}={section[k]}" for k in ("set", "examples", "sequences")]
    words += [f"--{k}={section[k]}" for k in ("output", "motifs") if section[k] is not None]
    return shlex.join(words)


def data_arguments(run: RunConfig, part: str) -> str:
    """Arguments of a part of preprocessing, quoted for a shell."""
    found = data_parts.parts(run.section)[part]
    words = [f"--section={json.dumps(found.section, sort_keys=True)}"]
    words += [f"--data={run.data}", f"--seed={run.values['seed']}"]
    words += [f"--later={run.data}/{name}" for name in found.needed]
    return shlex.join(words)
