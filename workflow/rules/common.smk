# Reads the config, names things, says what is wrong before anything runs, and judges what is there.

import logging
import os
import shlex
import sys
import time
from pathlib import Path

from snakemake.settings.types import SharedFSUsage
from snakemake_interface_logger_plugins.common import LogEvent

from dlutil_core.run.config import check_config_files
from dlutil_core.common.errors import UserError
from dlutil_core.common import result_folder
from dlutil_core.common.files import sentence_of
from dlutil_core.common.hash_memory import HashMemory
from dlutil_core.common.shown_text import shown
from dlutil_core.job.variables import job_variables
from dlutil_core.preprocess import parts as data_parts
from dlutil_core.preprocess import kept_encoding, section
from dlutil_core.run import arguments, result_files
from dlutil_core.run.checks import check
from dlutil_core.run.job_sizes import JobSizes
from dlutil_core.run.judge import Judge, check_search
from dlutil_core.run.event_hooks import EventHooks
from dlutil_core.run.lifecycle import Lifecycle, linked_alone, say
from dlutil_core.run.odd_times import settle_times
from dlutil_core.run.report_arguments import report_arguments as arguments_of_report
from dlutil_core.run.requests import Requests, stale_flag
from dlutil_core.run.run_config import RunConfig, placed
from dlutil_core.run.steps import Steps
from dlutil_core.run.warnings import result_warnings

# A module's prefix is put before what the run writes; Snakemake would put it before what it reads too,
# and before no parameter.
MODIFIER = workflow.modifier.path_modifier
PLACED = placed(config, MODIFIER.replace_prefix)
MODIFIER.prefix = MODIFIER._prefix_replacements = MODIFIER.inner_modifier = None

# Jobs of a cluster read this file too; what is to be made was decided by the run itself.
JUDGES = workflow.is_main_process

if SharedFSUsage.INPUT_OUTPUT not in workflow.storage_settings.shared_fs_usage:
    sys.exit(
        "error: --shared-fs-usage: jobs keep each trial's state in the result folder, so all nodes must "
        "share the working directory; mount it on every node and name input-output"
    )

try:
    check_config_files(workflow.configfiles)
    RUN = RunConfig(PLACED)
    RUN.set_environment()
    check(RUN)
    SIZES = JobSizes(RUN.values, RUN.plan)
    STEPS = Steps(RUN, SIZES)
    if JUDGES:
        check_search(STEPS, HashMemory())
        settle_times(STEPS)
    JUDGE = Judge(STEPS, HashMemory()) if JUDGES else None
    FLAG = stale_flag(JUDGES)
    REQUESTS = Requests(JUDGES)
except (UserError, OSError) as error:
    # One sentence and exit code 1; an exception would print Snakemake's own traceback.
    sys.exit(f"error: {shown(sentence_of(error, 'config'))}")
if JUDGES:
    for text in result_warnings(RUN, JUDGE):
        say(f"warning: {text}")

CFG = RUN.values
# What is fetched may be newer in its storage, which Snakemake finds out after this: times count then.
FETCHED = CFG["storage"]
DATA = RUN.data
RESULT = RUN.result
BENCHMARKS = f"{RESULT}/{result_folder.BENCHMARKS}"
DEFINITION = RUN.definition
JOBS = SIZES.kind
GPUS = SIZES.gpus
BRACKETS = {bracket.number: bracket for bracket in RUN.plan.brackets}
KEEP = CFG["keep_checkpoints"]
PRUNED = [f"{RESULT}/logs/pruned.txt"] if RUN.trains and KEEP != "all" else []

# Outputs are kept until they are made again (`update`); that a job which fails had none yet is no news.
logging.getLogger("snakemake.logging").addFilter(
    lambda record: not record.getMessage().startswith("Cannot restore ")
)

# The interpreter that runs this workflow, or the one of the rule's conda environment, which finds
# dlutil in a checkout or, alone and without the packages beside it, where it is installed. The order of
# sets, the encoding of files and the threads of libraries are the same in every job.
DEPLOYED = workflow.deployment_settings.deployment_method
PYTHON = f"{'python' if DEPLOYED else shlex.quote(sys.executable)} -P"
IMPORTED_FROM = ROOT
if not (ROOT / "dlutil_core").is_dir():
    IMPORTED_FROM = linked_alone(ROOT, Path(".snakemake/dlutil")) if DEPLOYED else None
if IMPORTED_FROM:
    PYTHON = f"PYTHONPATH={shlex.quote(str(IMPORTED_FROM))}${{PYTHONPATH:+:$PYTHONPATH}} {PYTHON}"
VARIABLES = " ".join(f"{n}={value}" for n, value in job_variables(SIZES.trial_threads).items())
PYTHON = f"{VARIABLES} {PYTHON}"
SCRIPTS = shlex.quote(str(ROOT / "scripts"))
# What `--sdm conda` makes for the jobs; PYTHONPATH brings dlutil itself.
ENVIRONMENT = str(ROOT / "workflow" / "envs" / "dlutil.yaml")


def stale(step):
    """Whether a step is to be made; a job asks nothing."""
    return JUDGE is not None and JUDGE.is_stale(step)


def flag(step):
    """An input that makes Snakemake run a step which is to be made, and is nothing to others."""
    return [local(FLAG) if stale(step) else ancient(local(FLAG))]


def flag_of(request):
    """The same for a step that is judged when it is asked for: a trial job, a ranking."""
    wanted = JUDGE is not None and JUDGE.wants(request)
    return [local(FLAG) if wanted else ancient(local(FLAG))]


def made_by(step, paths):
    """Results of another step as inputs: their times count where it runs, and never else."""
    return paths if stale(step) or FETCHED else [ancient(path) for path in paths]


def results(names):
    return [f"{RESULT}/{name}" for name in names]


def in_data(names):
    return [f"{DATA}/{name}" for name in names]


def data_files(names):
    """Files below the data folder, awaited where they are made or fetched; content counts, not time."""
    paths = in_data(names)
    ours = [path for path in paths if STEPS.maker(path)]
    return made(ours) + unhurried([path for path in paths if path not in ours])


def unhurried(paths):
    """Files that the user gives: never a reason to run by their time. One that is dated in the future
    would make Snakemake fail the job; it is left out, since its content is looked at in any case.
    """
    now = time.time()
    known = {path: os.path.getmtime(path) for path in paths if os.path.exists(path)}
    kept = [path for path in paths if known.get(path, 0) <= now]
    return [path if path in FETCHED else ancient(path) for path in kept]


def made(paths):
    """Results of any step."""
    return [path for name in paths for path in made_by(STEPS.maker(name), [name])]


def everything():
    return made(results(result_files.result_files(RUN)))


def listed(paths):
    """Paths behind one flag: one that begins with a dash would be taken for a flag itself."""
    return [f"./{path}" if str(path).startswith("-") else str(path) for path in paths]


def script(name, request, arguments=""):
    """The command that runs a script for a step, as a function of a job's wildcards.

    Parameters
    ----------
    request
        What is wanted of the step, or a function that gives it for wildcards.
    """

    def command(wildcards, input=None):
        wanted = request(wildcards) if callable(request) else request
        path = shlex.quote(REQUESTS.path(wanted))
        return f"{PYTHON} {SCRIPTS}/{name}.py --request={path} {arguments}".rstrip()

    return command


def scripts(name, steps, arguments):
    """The command that runs a script for several steps, one after the other."""

    def command(wildcards, input=None):
        paths = [shlex.quote(REQUESTS.path(request_of(step))) for step in steps]
        wanted = " ".join(f"--step={path}" for path in paths)
        return f"{PYTHON} {SCRIPTS}/{name}.py {wanted} {arguments}".rstrip()

    return command


def request_of(step):
    return STEPS[step].request


def fetch_flag(wildcards):
    return flag(STEPS.fetching(wildcards.path))


def fetch_request(wildcards):
    return request_of(STEPS.fetching(wildcards.path))


def fetched_file(wildcards):
    return storage(FETCHED[wildcards.path])


DATA_PARTS = data_parts.parts(RUN.section)
SETS_APART = data_parts.sets_apart(RUN.section)
FOLD_FILES = data_parts.files_of_folds(RUN.section)


def raw_files(part):
    return unhurried(section.input_files(DATA_PARTS[part].section))


def fold_flag(wildcards):
    return flag(data_parts.main_part(wildcards.fold))


def fold_script(wildcards):
    part = data_parts.main_part(wildcards.fold)
    return script("preprocess", request_of(part), arguments.data_arguments(RUN, part))(wildcards)


def set_flag(wildcards):
    return flag(f"preprocess/{wildcards.set}")


def set_files(wildcards):
    return raw_files(f"preprocess/{wildcards.set}")


def set_script(wildcards):
    part = f"preprocess/{wildcards.set}"
    return script("preprocess", request_of(part), arguments.data_arguments(RUN, part))(wildcards)


def predict_request(wildcards):
    return request_of(f"predict/{wildcards.subpath}")


def predict_flag(wildcards):
    return flag(f"predict/{wildcards.subpath}")


def predicted_file(wildcards):
    return data_files(dict.fromkeys([wildcards.subpath, *RUN.files.arriving]))


def variants_request(wildcards):
    return request_of(f"variants/{wildcards.variants}")


def variants_flag(wildcards):
    return flag(f"variants/{wildcards.variants}")


def variants_files(wildcards):
    return unhurried(list(RUN.variants[wildcards.variants].values()))


# What jobs ask for. These are functions, since both grow when a job is tried again.


def memory(_, attempt, threads):
    return SIZES.mem_mb(attempt, threads)


def minutes(_, attempt, threads):
    return SIZES.runtime(attempt, threads)


def local_python():
    """How jobs call Python, where they run on this machine with the run's own packages."""
    return PYTHON if workflow.local_exec and not DEPLOYED else ""


LIFE = Lifecycle(RUN, JUDGE, local_python) if JUDGES else None
# What stands below Snakemake runs for the outermost workflow alone.
if JUDGES and not workflow.modifier.is_main_snakefile():
    EVENTS = EventHooks(LIFE, begun=LogEvent.JOB_STARTED, failed=LogEvent.JOB_ERROR)
    logging.getLogger("snakemake.logging").addFilter(EVENTS)


wildcard_constraints:
    bracket=r"\d+",
    rung=r"\d+",
    job=r"\d+",
    fold=r"\d+",
    seed=r"\d+",
    subpath=r".+",
    variants=r"[^/]+",


onstart:
    LIFE.start()


onsuccess:
    LIFE.succeed()


onerror:
    LIFE.fail()
