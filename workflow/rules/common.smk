# Reads the config, names things, and says what is wrong before anything runs.

import shlex
import sys
from pathlib import Path

ROOT = Path(workflow.current_basedir).parent.parent
if (ROOT / "dlutil_core").is_dir() and str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from dlutil_core.run import lifecycle
from dlutil_core.run.config import check_config_files
from dlutil_core.common.errors import UserError
from dlutil_core.run.job_sizes import JobSizes
from dlutil_core.run.warnings import search_warnings
from dlutil_core.run.run_config import BEST_FILES, RunConfig, placed
from dlutil_core.run.lifecycle import linked_alone

# A module's prefix is put before what the run writes; Snakemake would put it before what it reads too,
# and before no parameter.
MODIFIER = workflow.modifier.path_modifier
PLACED = placed(config, MODIFIER.replace_prefix)
MODIFIER.prefix = MODIFIER._prefix_replacements = MODIFIER.inner_modifier = None

try:
    check_config_files(workflow.configfiles)
    RUN = RunConfig(PLACED)
    RUN.check()
except UserError as error:
    # One sentence and exit code 1; an exception would print Snakemake's own traceback.
    sys.exit(f"error: {error}")
if workflow.is_main_process:
    for warning in search_warnings(RUN):
        print(f"warning: {warning}", file=sys.stderr)

CFG = RUN.values
DATA = RUN.data
RESULT = RUN.result
DEFINITION = RUN.definition
SIZES = JobSizes(CFG, RUN.plan)
JOBS = SIZES.kind
GPUS = SIZES.gpus
BRACKETS = {bracket.number: bracket for bracket in RUN.plan.brackets}
KEEP = CFG["keep_checkpoints"]
PRUNED = [f"{RESULT}/logs/pruned.txt"] if RUN.trains and KEEP != "all" else []

# The interpreter that runs this workflow, or the one of the rule's conda environment, which finds
# dlutil in a checkout or, alone and without the packages beside it, where it is installed.
DEPLOYED = workflow.deployment_settings.deployment_method
PYTHON = f"{'python' if DEPLOYED else shlex.quote(sys.executable)} -P"
IMPORTED_FROM = ROOT
if not (ROOT / "dlutil_core").is_dir():
    IMPORTED_FROM = linked_alone(ROOT, Path(".snakemake/dlutil")) if DEPLOYED else None
if IMPORTED_FROM:
    PYTHON = f"PYTHONPATH={shlex.quote(str(IMPORTED_FROM))}${{PYTHONPATH:+:$PYTHONPATH}} {PYTHON}"
SCRIPTS = shlex.quote(str(ROOT / "scripts"))
# What `--sdm conda` makes for the jobs; PYTHONPATH brings dlutil itself.
ENVIRONMENT = str(ROOT / "environment.yml")

TRAIN_ARGUMENTS = RUN.arguments("train")
TEST_ARGUMENTS = RUN.arguments("test")
PREDICT_ARGUMENTS = RUN.arguments("predict")


def script(name, arguments=""):
    """The command that runs a script, for `params`.

    It is a function that takes the input files, since Snakemake does not compare the values of these:
    where dlutil and its Python lie is no reason to run a job again.
    """
    return lambda wildcards, input: f"{PYTHON} {SCRIPTS}/{name}.py {arguments}".rstrip()


wildcard_constraints:
    bracket=r"\d+",
    rung=r"\d+",
    job=r"\d+",
    file=r".+",
    subpath=r".+",


def data_files(names):
    """Files below the data folder: their content is known by their digest, not by their time."""
    return [f"{DATA}/{name}" for name in names]


def digests(names):
    return [f"{RESULT}/digests/{name}.sha256" for name in names]


# What jobs ask for. These are functions, since both grow when a job is tried again.


def memory(_, attempt, threads):
    return SIZES.mem_mb(attempt, threads)


def minutes(_, attempt, threads):
    return SIZES.runtime(attempt, threads)


onstart:
    lifecycle.start(RUN)


onsuccess:
    lifecycle.succeed(RUN)


onerror:
    lifecycle.fail(RUN)
