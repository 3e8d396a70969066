"""What is refused before anything runs."""

from __future__ import annotations

import importlib.util
import os
import re

from dlutil_core.common import result_folder
from dlutil_core.common.errors import UserError
from dlutil_core.fingerprint import analysis as fingerprint
from dlutil_core.job.devices import has_gpu
from dlutil_core.members.repeat import EACH
from dlutil_core.preprocess import section as preprocess
from dlutil_core.preprocess.kept_encoding import encodes_windows
from dlutil_core.preprocess.split import FOLDS
from dlutil_core.run.run_config import RunConfig
from dlutil_core.trained.members import BEST_ALONE

FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


def check(run: RunConfig) -> None:
    """Refuse what would fail later."""
    check_definition(run)
    _check_data(run)
    _check_names(run)
    _check_packages(run)
    _check_device(run)
    _check_repeat(run)
    _check_explained(run)
    _check_variants(run)
    if not run.trains and not run.plan_path.is_file():
        raise UserError(
            f"{run.result}: holds no earlier search ({run.plan_path} is missing); search "
            "first, with --hyper"
        )
    _ = run.env_sha256, run.start


def check_definition(run: RunConfig) -> None:
    """Refuse a `def.py` that lacks what the run asks for."""
    values = run.values
    needed: dict[str, str] = {"Model": "every run"}
    if run.trains:
        needed["get_train_generator"] = "training"
        if run.search["method"] in ("hyperband", "staged"):
            needed["get_config"] = "the search"
    if values["evaluate"]:
        needed["get_test_generator"] = "evaluation (evaluate: true, --eval)"
    if values["baseline"]["enabled"]:
        needed["get_train_generator"] = "the baseline (baseline: true)"
    if values["explain"]["enabled"] and run.explained_stage == "test":
        needed["get_test_generator"] = "the explanation (explain.enabled)"
    if values["predict"]:
        needed["get_pred_generator"] = "prediction (predict:, --predict)"
    if run.variants:
        needed["get_pred_generator"] = "prediction (variants:)"
    for name, why in needed.items():
        fingerprint.require(run.analysis, run.definition, [name], why)


def _check_data(run: RunConfig) -> None:
    section = run.section
    if not (section or run.files.fetched or os.path.isdir(run.data)):
        raise UserError(f"data: {run.data} is not a folder; give the folder of your data")
    stored = set(map(os.path.normpath, run.values["storage"]))
    for path in preprocess.input_files(section) if section else []:
        if not os.path.exists(path) and os.path.normpath(path) not in stored:
            raise UserError(
                f"{path}: there is no such file, which preprocess names; check the path"
            )
    motifs = run.values["explain"]["motifs"] if run.values["explain"]["enabled"] else None
    if motifs and not os.path.isfile(motifs):
        raise UserError(f"explain.motifs: {motifs}: there is no such file; check the path")


def _check_repeat(run: RunConfig) -> None:
    """Refuse members that cannot be had."""
    repeat = run.repeat
    if repeat.has_folds and repeat.search == EACH:
        raise UserError(
            "repeat.search: each, a search of every fold, is not there yet; set it to once, which "
            "searches on fold 0 and trains the picked configuration on all"
        )
    for fold in range(repeat.fold_count) if repeat.has_folds else ():
        _check_fold(run, fold)
    if repeat.is_set and not run.trains:
        raise UserError(
            "repeat: its members are trained, but search.method is existing, which trains nothing; "
            "search again, with --hyper (search.method: hyperband): what is there is used"
        )


def _check_fold(run: RunConfig, fold: int) -> None:
    """Refuse a fold that nothing makes: of loaders of one's own."""
    files = run.files_of(fold)
    if FOLDS in run.section:
        _ = files.planned
        return
    if not isinstance(run.repeat.folds, int):
        raise UserError(
            "repeat.folds: lists what each fold tests, but preprocess makes no sets that could be "
            "divided so; give the number of folds, which are the folders fold-0, fold-1, … in "
            f"{run.data}"
        )
    fetched = any(name.startswith(files.folder) for name in files.fetched)
    if not (fetched or os.path.isdir(files.data_dir)):
        raise UserError(
            f"repeat.folds: there is no folder {files.data_dir}, which the loaders of fold {fold} "
            "get; make it, or let preprocess divide your data (preprocess: {sequences: …})"
        )


def _check_explained(run: RunConfig) -> None:
    """Refuse the explanation of a member that there is not."""
    chosen = run.values["explain"]["member"]
    known = [member.name for member in run.repeat.members]
    if chosen is None or chosen in (BEST_ALONE, *known):
        return
    there = f"repeat gives {known[0]} to {known[-1]}" if known else "repeat gives none"
    raise UserError(
        f"explain.member: there is no {chosen}: {there}; name one of these, or {BEST_ALONE}"
    )


def _check_variants(run: RunConfig) -> None:
    """Refuse variants whose files are not there, or whose windows cannot be encoded."""
    stored = set(map(os.path.normpath, run.values["storage"]))
    for name, given in run.variants.items():
        if not isinstance(name, str):  # YAML reads 1 and on as no texts
            raise UserError(f"variants: the name {name!r} is no text; write it in quotes")
        if not FILE_NAME.fullmatch(name):
            raise UserError(
                f"variants: {name!r} is to be the name of files; write it with letters, digits, _, "
                "- and dots, the first of them no dot or dash"
            )
        own = os.path.abspath(os.path.join(run.result, result_folder.VARIANTS)) + os.sep
        for key, path in given.items():
            if os.path.abspath(path).startswith(own):
                raise UserError(
                    f"variants.{name}.{key}: {path}: lies where the run writes its own variants; "
                    "move it elsewhere"
                )
            if not os.path.isfile(path) and os.path.normpath(path) not in stored:
                raise UserError(
                    f"variants.{name}.{key}: {path}: there is no such file; check the path"
                )
    if run.variants and run.trains and not encodes_windows(run.section):
        raise UserError(
            "variants: windows of a genome are encoded as the training data were, but preprocess "
            "encodes no single sequences of DNA or RNA here; give preprocess the sequences of the "
            "training set, or leave variants out"
        )


def _check_names(run: RunConfig) -> None:
    used = set(run.files.predicted)
    for stage, needed in (("train", run.trains), ("test", run.values["evaluate"])):
        used |= set(run.files.of_stage(stage) if needed else [])
    for name in sorted(used):
        if any(c in name for c in "{}\n"):
            raise UserError(
                f"{run.data}/{name}: file names must not hold braces or line breaks; rename "
                "it, or leave it out of data_files and predict"
            )


def _check_packages(run: RunConfig) -> None:
    if run.values["tensorboard"] and importlib.util.find_spec("tensorboard") is None:
        raise UserError(
            "tensorboard: true needs the package tensorboard: pip install tensorboard, or take "
            "the key out of the config"
        )
    alphabet = (run.values["preprocess"] or {}).get("alphabet")
    if run.values["explain"]["enabled"] and alphabet == "protein":
        raise UserError(
            "explain.enabled: the explanation is of DNA and RNA, but preprocess.alphabet is "
            "protein; set explain.enabled: false"
        )


def _check_device(run: RunConfig) -> None:
    """On a cluster the node of a job decides, which says so when it begins."""
    if run.values["device"] == "cuda" and not run.values["cluster"] and not has_gpu():
        raise UserError(
            "device is cuda, but this machine has no GPU; use device: auto or cpu, or a machine "
            "with a GPU"
        )
