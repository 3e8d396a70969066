"""The declared result files of a config, relative to the result folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlutil_core.common import result_folder as names
from dlutil_core.members.repeat import Member
from dlutil_core.preprocess import section as preprocess
from dlutil_core.trained.members import BEST_ALONE

if TYPE_CHECKING:
    from dlutil_core.run.run_config import RunConfig
    from dlutil_core.search.plan import Bracket, Schedule

TEST_FILES = (names.TEST_METRICS, names.TEST_OUTPUTS, names.TEST_PROVENANCE)
FIGURE_FILES = (names.TEST_INTERVALS, "test/performance.svg", "test/errors.svg")
BASELINE_FILES = (names.BASELINE_METRICS, names.BASELINE_ABOUT)
EXPLAIN_FILES = (
    *(names.EXPLAIN_SUMMARY, "explain/filters.meme", "explain/filters.jaspar"),
    *("explain/filters.tsv", "explain/attributions.npz"),
    *("explain/examples.svg", "explain/filters.svg"),
)


def search_files(run: RunConfig) -> list[str]:
    """The plan and what all brackets or stages leave."""
    return [*plan_files(run.plan), *(n for b in run.plan.brackets for n in part_files(run.plan, b))]


def plan_files(plan: Schedule) -> list[str]:
    """What planning leaves."""
    return [names.PLAN, names.DRAWS] if plan.is_staged else [names.PLAN]


def part_files(plan: Schedule, bracket: Bracket) -> list[str]:
    """All files of a bracket or stage; those of a stage begin with what it tries."""
    proposed = [names.proposal(bracket.number)] if plan.is_staged else []
    return [*proposed, *names.bracket_files(bracket.number, plan.kind)]


def needed_before(plan: Schedule, bracket: int) -> list[str]:
    """What the training of a bracket needs beside the plan; nothing for one of Hyperband."""
    if not plan.is_staged:
        return []
    return [*names.stages_before(bracket), names.proposal(bracket)]


def picked_files(run: RunConfig) -> list[str]:
    """What tells the configuration that was picked, and its trial."""
    proposed = [names.proposal(b.number) for b in run.plan.brackets if run.plan.is_staged]
    return [names.PLAN, *proposed, *names.BEST_FILES]


def member_results(run: RunConfig) -> list[str]:
    """What all members leave; nothing where nothing is repeated."""
    kinds: tuple[str, ...] = names.MEMBER_FILES
    kinds += names.MEMBER_TEST_FILES if run.values["evaluate"] else ()
    return [name for member in run.repeat.members for name in member.files(kinds)]


def model_files(run: RunConfig) -> list[str]:
    """The weights that predict: the best model's or, where it is repeated, those of all members."""
    members = [member.files((names.MEMBER_MODEL,)) for member in run.repeat.members]
    return [name for files in members for name in files] or [names.BEST_MODEL]


def summary_files(run: RunConfig) -> list[str]:
    """What is told of all members together."""
    folded = run.repeat.has_folds and run.values["evaluate"]
    return [*names.SUMMARY_FILES, *([names.OUT_OF_FOLD] if folded else [])]


def tested_files(run: RunConfig) -> dict[int, str]:
    """The file of each fold's test set, where preprocessing writes one; below the data folder."""
    if not run.repeat.has_folds or not run.values["evaluate"]:
        return {}
    planned = {k: run.files_of(k).planned.get("test", []) for k in range(run.repeat.fold_count)}
    if run.section.get("command"):
        return {}
    return {fold: name for fold, found in planned.items() for name in found}


def explained_files(run: RunConfig) -> list[str]:
    """The weights that are explained: those that predict, or the member's that the config names."""
    chosen = run.values["explain"]["member"]
    if chosen is None:
        return model_files(run)
    if chosen == BEST_ALONE:
        return [names.BEST_MODEL]
    return Member.named(chosen).files((names.MEMBER_MODEL,))


def prediction_files(name: str) -> list[str]:
    """The predictions of one file."""
    return [names.prediction(name), names.prediction_table(name)]


def variant_files(name: str) -> list[str]:
    """What is predicted of the alleles of one VCF file."""
    return [names.variants(name), *names.annotated_variants(name)]


def result_files(run: RunConfig) -> list[str]:
    """All that the manifest holds."""
    found = [*search_files(run), *names.BEST_FILES]
    if run.values["evaluate"]:
        found += [*TEST_FILES, *FIGURE_FILES]
    if run.values["baseline"]["enabled"]:
        found += BASELINE_FILES
    if run.repeat.is_set:
        found += [*member_results(run), *summary_files(run)]
    for name in run.files.predicted:
        found += prediction_files(name)
    for name in run.variants:
        found += variant_files(name)
    if run.values["explain"]["enabled"]:
        found += EXPLAIN_FILES
    return [*found, *report_files(run)]


def report_files(run: RunConfig) -> list[str]:
    """What the report leaves: the page and the pictures in it."""
    return [*names.REPORT_FILES, *([names.MEMBER_CURVES] if run.repeat.is_set else [])]


def report_inputs(run: RunConfig) -> list[str]:
    """Files that the report tells of."""
    left_out = {"test/performance.svg", "test/errors.svg", "explain/attributions.npz"}
    left_out |= {names.BEST_MODEL, *report_files(run), *member_results(run)}
    untold = ("predictions/", f"{names.VARIANTS}/")
    found = [n for n in result_files(run) if not n.startswith(untold)]
    found = [n for n in found if n not in left_out and not n.endswith(names.BEST_STATE)]
    histories = [member.files((names.MEMBER_HISTORY,)) for member in run.repeat.members]
    return [*found, *(name for files in histories for name in files)]


def statistics(run: RunConfig) -> list[str]:
    """Statistics of labelled sets that preprocessing writes, relative to the data folder."""
    written = preprocess.output_files(run.section)
    data = [n for s in ("train", "valid", "test") for n in run.files.planned.get(s, [])]
    return [n for n in map(preprocess.statistics_name, data) if n in written]
