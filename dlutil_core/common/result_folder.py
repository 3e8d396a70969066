"""Every path of a result, said once: texts relative to the result folder, as in the manifest."""

from __future__ import annotations

import re
from pathlib import PurePath

PLAN = "search/plan.json"
DRAWS = "search/draws.json"
"""What the stages of a staged search draw from."""
TRIALS = "search/trials"
TENSORBOARD = "tensorboard"
BENCHMARKS = "logs/benchmarks"
"""What Snakemake measured of the jobs that train."""
MANIFEST = "MANIFEST.sha256"
REPORT = "report.html"

BEST = "best"
BEST_MODEL = "best/model.pt"
BEST_CONFIG = "best/config.json"
BEST_HISTORY = "best/history.csv"
BEST_LEADERBOARD = "best/leaderboard.csv"
BEST_NETWORK = "best/network.csv"
BEST_PROVENANCE = "best/provenance.json"
BEST_ENCODING = "best/encoding.json"
"""How the training data were encoded; like `best/definition/`, in the step's identity alone."""
BEST_FILES = (
    BEST_MODEL,
    BEST_CONFIG,
    BEST_HISTORY,
    BEST_LEADERBOARD,
    BEST_NETWORK,
    BEST_PROVENANCE,
)
"""What the selection leaves."""

MEMBERS = "members"
MEMBER_TRIALS = "members/trials"
"""Memos of members, as those of trials: no results, but what their training goes on from."""

MEMBER_NAME = re.compile(r"fold-(\d+)/seed-(\d+)")
MEMBER_MODEL = "model.pt"
MEMBER_HISTORY = "history.csv"
MEMBER_FILES = (MEMBER_MODEL, MEMBER_HISTORY)
"""What a member's training leaves in its folder."""

MEMBER_TEST_FILES = ("metrics.json", "outputs.npz", "provenance.json")
"""What its test leaves there."""

MEMBERS_TABLE = "members/summary.csv"
MEMBERS_SUMMARY = "members/summary.json"
MEMBER_CURVES = "members/learning_curves.svg"
"""What the report leaves of members."""

OUT_OF_FOLD = "members/out_of_fold.tsv"
"""Predictions of every record by the members that did not see it; with folds that are tested."""

SUMMARY_FILES = (MEMBERS_TABLE, MEMBERS_SUMMARY)
"""What is told of all members together."""


TEST_METRICS = "test/metrics.json"
TEST_OUTPUTS = "test/outputs.npz"
TEST_PROVENANCE = "test/provenance.json"
TEST_INTERVALS = "test/intervals.json"

BASELINE_METRICS = "baseline/metrics.json"
BASELINE_ABOUT = "baseline/about.json"

VARIANTS = "variants"

EXPLAIN = "explain"
EXPLAIN_SUMMARY = "explain/summary.json"

LEARNING_CURVES = "search/learning_curves.svg"
HYPERPARAMETERS = "search/hyperparameters.svg"
PARALLEL_COORDINATES = "search/parallel_coordinates.svg"
BEST_HISTORY_PICTURE = "best/history.svg"
REPORT_FILES = (
    REPORT,
    LEARNING_CURVES,
    HYPERPARAMETERS,
    PARALLEL_COORDINATES,
    BEST_HISTORY_PICTURE,
)
"""What the report leaves: the page and the pictures in it."""

LOGS = "logs"
RUN_NOTE = "logs/run.json"
"""The config of the run that worked here last, and where its `def.py` is."""

RUN_PAGE = "logs/run.html"
"""When it worked, how long and on what."""

MEASURED = "logs/measured.json"
EXPECTED = "logs/expected.json"
"""How long an epoch takes, and the searches that were expected to fit (`dlutil plan --hours`)."""

TIMES = "times"
"""The folder below `logs/` with the times of each step's last job."""

LEADERBOARD = "leaderboard.csv"
HISTORY = "history.csv"
BEST_STATE = "best.pt"
NETWORK = "network.csv"
BRACKET_FILES = (LEADERBOARD, HISTORY, BEST_STATE, NETWORK)
"""What a bracket leaves in its folder."""


BRACKET = "bracket"
STAGE = "stage"
"""What the parts of a search are called: brackets of Hyperband, stages of a staged search."""


def bracket(number: int, kind: str = BRACKET) -> str:
    """The folder of a bracket's, or a stage's, results."""
    return f"search/{kind}-{number}"


def bracket_files(number: int, kind: str = BRACKET) -> list[str]:
    """What a bracket, or a stage, leaves."""
    return [f"{bracket(number, kind)}/{name}" for name in BRACKET_FILES]


def proposal(stage: int) -> str:
    """The configurations that a stage tries."""
    return f"{bracket(stage, STAGE)}/trials.json"


def stages_before(stage: int) -> list[str]:
    """What a stage needs of those before it: what they tried, and what came of it."""
    found = [(proposal(k), f"{bracket(k, STAGE)}/{LEADERBOARD}") for k in range(stage)]
    return [name for pair in found for name in pair]


def trial_name(number: int) -> str:
    """What the folders of a trial are called: five digits."""
    return f"{number:05d}"


def trial(number: int) -> str:
    """The folder of a trial's memo."""
    return f"{TRIALS}/{trial_name(number)}"


def member_name(fold: int, seed: int) -> str:
    """What the folders of a member are called, below `members/`."""
    return f"fold-{fold}/seed-{seed}"


def member_training(name: str) -> str:
    """The step that trains a member, by its name."""
    return f"{MEMBERS}/{name}/model"


def member_of(folder: PurePath) -> str:
    """The name of the member whose folder this is; empty where it is no member's."""
    *_, above, fold, seed = ("", "", "", *folder.parts)
    name = f"{fold}/{seed}"
    return name if above == MEMBERS and MEMBER_NAME.fullmatch(name) else ""


def member(fold: int, seed: int) -> str:
    """The folder of a member's results."""
    return f"{MEMBERS}/{member_name(fold, seed)}"


def prediction(name: str) -> str:
    """Predictions of a file under the data folder, as an array."""
    return f"predictions/{name}.npy"


def prediction_table(name: str) -> str:
    """The same as a table."""
    return f"predictions/{name}.tsv"


def variants(name: str) -> str:
    """Predictions of the alleles of a VCF file, as a table."""
    return f"{VARIANTS}/{name}.tsv"


def annotated_variants(name: str) -> list[str]:
    """The VCF file with these predictions, and its index."""
    return [f"{VARIANTS}/{name}.vcf.gz", f"{VARIANTS}/{name}.vcf.gz.tbi"]


def explanation(name: str) -> str:
    """A file of the explanation."""
    return f"{EXPLAIN}/{name}"


def identity(step: str) -> str:
    """What a step of the workflow depended on, and the hashes of what it left."""
    return f"identity/{step}.json"


def step_times(step: str) -> str:
    """When a step's last job worked, and on what."""
    return f"{LOGS}/{TIMES}/{step}.json"
