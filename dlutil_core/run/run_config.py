"""A run as the workflow sees it: which files each stage reads, and what identifies each stage.

Pure but for reading file names and `def.py` (which is parsed, never executed); no torch.
"""

from __future__ import annotations

import glob
import json
import os
import shlex
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from dlutil_core.common.errors import UserError
from dlutil_core.common.files import read_json
from dlutil_core.common.hashes import sha256_file
from dlutil_core.common.paths import matches, natural_key
from dlutil_core.fingerprint import analysis as fingerprint
from dlutil_core.model.options import TrainingOptions
from dlutil_core.preprocess import section as preprocess
from dlutil_core.run.config import validated
from dlutil_core.search import plan

EXISTING = "existing"


class RunConfig:
    """A validated config with everything that is derived from it.

    Parameters
    ----------
    config
        The config as the user wrote it.
    source
        What to call it in error messages.
    """

    def __init__(self, config: Mapping[str, Any], source: str = "config") -> None:
        self.values = validated(config, source)
        self.definition: str = self.values["definition"]
        self.data: str = self.values["data"].rstrip("/") or "/"
        self.result: str = self.values["result"].rstrip("/") or "/"
        self.search: dict[str, Any] = self.values["search"]
        self.trains = self.search["method"] != EXISTING

    def check(self) -> None:
        """Refuse, before anything runs, what would fail later."""
        self.check_definition()
        if not (self.values["preprocess"] or self.fetched or os.path.isdir(self.data)):
            raise UserError(f"data: {self.data} is not a folder; give the folder of your data")
        if not self.trains and not self.plan_path.is_file():
            raise UserError(
                f"{self.result}: holds no earlier search ({self.plan_path} is missing); search "
                "first, with --hyper"
            )
        used = set(self.predicted)
        for stage, needed in (("train", self.trains), ("test", self.values["evaluate"])):
            used |= set(self.stage_files(stage) if needed else [])
        for name in sorted(used):
            if any(c in name for c in "{}\n"):
                raise UserError(
                    f"{self.data}/{name}: file names must not hold braces or line breaks; rename "
                    "it, or leave it out of data_files and predict"
                )

    def check_definition(self) -> None:
        """Refuse a `def.py` that lacks what the run asks for."""
        needed: dict[str, str] = {"Model": "every run"}
        if self.trains:
            needed["get_train_generator"] = "training"
            if self.search["method"] == "hyperband":
                needed["get_config"] = "the search"
        if self.values["evaluate"]:
            needed["get_test_generator"] = "evaluation (evaluate: true, --eval)"
        if self.values["explain"]["enabled"] and self.explained_stage == "test":
            needed["get_test_generator"] = "the explanation (explain.enabled)"
        if self.values["predict"]:
            needed["get_pred_generator"] = "prediction (predict:, --predict)"
        for name, why in needed.items():
            fingerprint.require(self.analysis, self.definition, [name], why)

    @cached_property
    def analysis(self) -> fingerprint.Definition:
        """What is known of `def.py` without executing it."""
        return fingerprint.analyse(self.definition, _python_path())

    @cached_property
    def plan(self) -> plan.Plan:
        """The plan: of the config, or of the search that the result folder holds."""
        method, epochs, eta = (self.search[k] for k in ("method", "max_epochs", "eta"))
        if not self.trains:
            document = read_json(self.plan_path)
            method, epochs, eta = (document[k] for k in ("method", "max_epochs", "eta"))
        return plan.fixed(epochs) if method == "fixed" else plan.hyperband(epochs, eta)

    @property
    def seed(self) -> int:
        """The seed: of the config, or of the search that the result folder holds."""
        return int(self.values["seed"] if self.trains else read_json(self.plan_path)["seed"])

    @property
    def plan_path(self) -> Path:
        """`search/plan.json`."""
        return Path(self.result, "search", "plan.json")

    @property
    def options(self) -> TrainingOptions:
        """Options of training that change results."""
        names = ("clip_norm", "early_stop", "compile", "deterministic", "precision")
        return TrainingOptions(**{name: self.values[name] for name in names})

    # Files

    @cached_property
    def planned(self) -> dict[str, list[str]]:
        """Files under the data folder that preprocessing writes, by set."""
        section = self.values["preprocess"]
        return preprocess.planned_files(section) if section else {}

    @cached_property
    def available(self) -> list[str]:
        """Files under the data folder that exist or will be there, in natural order."""
        planned = [name for names in self.planned.values() for name in names]
        found = dict.fromkeys([*self._present(), *planned, *self.fetched])
        return sorted(found, key=natural_key)

    @property
    def fetched(self) -> list[str]:
        """Files under the data folder that are fetched from a storage."""
        start = f"{self.data.rstrip('/')}/"
        paths = map(os.path.normpath, self.values["storage"])
        return [path.removeprefix(start) for path in paths if path.startswith(start)]

    def stage_files(self, stage: str) -> list[str]:
        """Files under the data folder that the stage `train` or `test` depends on."""
        globs = self.values["data_files"][stage]
        if globs:
            return self.matching(globs, f"data_files.{stage}")
        if self.planned:
            sets = ("train", "valid") if stage == "train" else (stage,)
            return [name for s in sets for name in self.planned.get(s, [])]
        return self.available

    @cached_property
    def predicted(self) -> list[str]:
        """Files under the data folder to predict."""
        return self.matching(self.values["predict"], "predict")

    def matching(self, patterns: Iterable[str], key: str) -> list[str]:
        """Available files that match, natural order; a pattern without any is a `UserError`."""
        found: dict[str, None] = {}
        for pattern in patterns:
            inner = self._inside(pattern, key)
            hits = [name for name in self.available if matches(name, inner)]
            if inner not in hits:  # a glob means data, not what preprocessing tells of them
                hits = [name for name in hits if not self._is_statistics(name)]
            if not hits:
                raise UserError(
                    f"{key}: '{pattern}' matches no file under {self.data}; check the spelling"
                )
            found |= dict.fromkeys(hits)
        return sorted(found, key=natural_key)

    def _is_statistics(self, name: str) -> bool:
        start = name.removesuffix(".stats.json")
        return start != name and f"{start}.h5" in self.available

    def _inside(self, pattern: str, key: str) -> str:
        """A pattern relative to the data folder; one that leaves it is refused."""
        inner = os.path.normpath(pattern)
        if os.path.isabs(inner):
            inner = os.path.relpath(inner, os.path.abspath(self.data))
        if inner == ".." or inner.startswith("../"):
            raise UserError(
                f"{key}: '{pattern}' leaves the data folder {self.data}; give a path below it"
            )
        return inner

    def _present(self) -> list[str]:
        """Files under the data folder but for hidden ones and the result folder."""
        result = os.path.abspath(self.result)
        found = []
        for folder, below, names in os.walk(self.data, followlinks=True):
            below[:] = sorted(
                d
                for d in below
                if not d.startswith(".") and os.path.abspath(os.path.join(folder, d)) != result
            )
            if os.path.abspath(folder) == result:
                names = []
            for name in names:
                if not name.startswith("."):
                    found.append(os.path.relpath(os.path.join(folder, name), self.data))
        return found

    @cached_property
    def definition_files(self) -> list[str]:
        """Further files that `def.py` reads, and the local modules that it imports."""
        found = []
        for pattern in self.values["definition_files"]:
            hits = sorted(f for f in glob.glob(pattern, recursive=True) if os.path.isfile(f))
            if not hits:
                raise UserError(f"definition_files: '{pattern}' matches no file; check the path")
            found += hits
        return found

    # Identity: what makes Snakemake run a stage again

    def identity(self, stage: str) -> list[str]:
        """Texts that change when results of `plan`, `train`, `test` or `predict` may change."""
        values = self.values
        part = "train" if stage == "plan" else stage
        texts = [f"fingerprint={self.analysis.fingerprints[part]}"]
        texts += [f"env.{name}={value}" for name, value in sorted(values["env"].items())]
        texts += [f"file.{os.path.basename(f)}={sha256_file(f)}" for f in self.definition_files]
        if stage in ("plan", "train"):
            texts.append(f"seed={values['seed']}")
        if stage == "plan":
            texts += [f"{k}={self.search[k]}" for k in ("method", "max_epochs", "eta")]
            if self.search["method"] == "fixed":
                texts.append(f"config={self.search['config']}")
            return texts
        texts += [f"device={values['device']}"]
        texts += [f"threads_per_trial={self.search['threads_per_trial']}"]
        texts += [f"{name}={value}" for name, value in sorted(self.options.identity().items())]
        if stage == "train":
            texts.append(f"batch_size={values['batch_size']}")
        return texts

    def arguments(self, stage: str) -> str:
        """Command-line arguments that the scripts of a stage share, quoted for a shell."""
        values = self.values
        words = ["--definition", self.definition, "--data", self.data]
        words += ["--seed", str(self.seed), "--device", values["device"]]
        words += ["--threads-per-trial", str(self.search["threads_per_trial"])]
        words += ["--trials-per-gpu", str(values["trials_per_gpu"])]
        for name, value in sorted(values["env"].items()):
            words += ["--env", f"{name}={value}"]
        for name, value in sorted(self.options.identity().items()):
            words += ["--option", f"{name}={value}"]
        words += ["--fingerprint", self.fingerprint(stage)]
        if stage == "train":
            words += ["--batch-size", str(values["batch_size"])]
            words += ["--trials", f"{self.result}/search/trials"]
            if values["tensorboard"]:
                words += ["--tensorboard", f"{self.result}/tensorboard"]
        if values["data_files"].get(stage):
            words.append("--watch-files")
        return shlex.join(words)

    def plan_arguments(self) -> str:
        """Command-line arguments of the plan, quoted for a shell."""
        words = [f"--method={self.search['method']}", f"--max-epochs={self.search['max_epochs']}"]
        words.append(f"--eta={self.search['eta']}")
        if self.search["method"] == "fixed":
            words.append(f"--config={json.dumps(self.search['config'], sort_keys=True)}")
        return shlex.join(words)

    def fingerprint(self, stage: str) -> str:
        """The hash of what the stage `train`, `test` or `predict` reaches of `def.py`."""
        extra = [sha256_file(f) for f in self.definition_files]
        return "+".join([self.analysis.fingerprints[stage], *extra])

    def result_files(self) -> list[str]:
        """Declared result files of the present config, relative to the result folder."""
        found = ["search/plan.json"]
        for bracket in self.plan.brackets:
            found += bracket_files(bracket.number)
        found += [f"best/{name}" for name in BEST_FILES]
        if self.values["evaluate"]:
            found += [f"test/{name}" for name in TEST_FILES]
        for name in self.predicted:
            found += [f"predictions/{name}.npy", f"predictions/{name}.tsv"]
        if self.values["explain"]["enabled"]:
            found += [f"explain/{n}" for n in (*EXPLAIN_FILES, "examples.svg", "filters.svg")]
        return found + list(REPORT_FILES)

    # The explanation

    @property
    def explained_stage(self) -> str:
        """The stage whose sequences explain the model: `test`, or `train` for validation's."""
        return "test" if self.values["explain"]["set"] == "test" else "train"

    def explain_arguments(self) -> str:
        """Command-line arguments of the explanation, quoted for a shell."""
        section = self.values["explain"]
        words = [f"--{k}={section[k]}" for k in ("set", "examples", "sequences")]
        if section["output"] is not None:
            words.append(f"--output={section['output']}")
        return shlex.join(words)

    # The report

    def report_inputs(self) -> list[str]:
        """Files that the report tells of, relative to the result folder."""
        made = {
            *REPORT_FILES,
            "test/performance.svg",
            "test/errors.svg",
            "explain/attributions.npz",
        }
        names = [n for n in self.result_files() if not n.startswith("predictions/")]
        return [n for n in names if n not in made and not n.endswith("/best.pt")]

    def statistics(self) -> list[str]:
        """Statistics of labelled sets that preprocessing writes, relative to the data folder."""
        written = preprocess.output_files(self.values["preprocess"])
        data = [n for s in ("train", "valid", "test") for n in self.planned.get(s, [])]
        return [n for n in map(preprocess.statistics_name, data) if n in written]

    def told_preprocess(self) -> dict[str, Any]:
        """How the data were made, without paths."""
        section = self.values["preprocess"]
        told = {k: section[k] for k in TOLD_OF_PREPROCESSING if section.get(k) is not None}
        if section.get("negatives") == "shuffle":
            told["negatives"] = "shuffle"
        if section.get("alphabet") in ("dna", "rna", "protein"):
            told["alphabet"] = section["alphabet"]
        return told


BEST_FILES = ("model.pt", "config.json", "history.csv", "leaderboard.csv", "provenance.json")
TEST_FILES = (
    "metrics.json",
    "outputs.npz",
    "provenance.json",
    "intervals.json",
    "performance.svg",
    "errors.svg",
)
EXPLAIN_FILES = (
    "summary.json",
    "filters.meme",
    "filters.jaspar",
    "filters.tsv",
    "attributions.npz",
)
REPORT_FILES = (
    "report.html",
    "search/learning_curves.svg",
    "search/hyperparameters.svg",
    "search/parallel_coordinates.svg",
    "best/history.svg",
)
TOLD_OF_PREPROCESSING = (
    "split",
    "negatives_per_positive",
    "window",
    "ambiguous",
    "length",
    "align",
    "width",
    "reverse_complement",
)


def placed(config: Mapping[str, Any], place: Callable[[str], str]) -> dict[str, Any]:
    """A config whose run writes elsewhere: the result folder, and the data folder if it makes data.

    Parameters
    ----------
    config
        A config, not validated.
    place
        Gives the new place of a path; the same path leaves everything where it is.
    """
    moved = dict(config)
    makes_data = config.get("preprocess") or config.get("storage")
    for key in ("result", "data") if makes_data else ("result",):
        if isinstance(config.get(key), str):
            moved[key] = str(place(config[key]))
    if isinstance(config.get("storage"), Mapping) and isinstance(config.get("data"), str):
        start = config["data"].rstrip("/") + "/"
        moved["storage"] = {
            str(place(path)) if path.startswith(start) else path: address
            for path, address in config["storage"].items()
        }
    return moved


def bracket_files(number: int) -> list[str]:
    """What a bracket leaves, relative to the result folder."""
    names = ("leaderboard.csv", "history.csv", "best.pt")
    return [f"search/bracket-{number}/{name}" for name in names]


def _python_path() -> list[str]:
    return [p for p in os.environ.get("PYTHONPATH", "").split(os.pathsep) if p]
